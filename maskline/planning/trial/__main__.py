"""The process of trials: `python -m maskline.planning.trial FOLDER`.

It reads a request a line from stdin, and writes an answer a line to stdout, both JSON. At the end of stdin it removes
the folder, which the planner cannot do if it is killed.

Each request is worked on in a fork, because memory that one trial took would hide what the next one takes.
"""

import contextlib
import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from maskline.errors import InputError
from maskline.messages import one_line
from maskline.planning.trial.parent import end_with_stdin

_BEGUN = time.perf_counter()


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    import maskline.evaluation.evaluate
    import maskline.training.train  # noqa: F401
    from maskline.planning.trial.evaluation import try_evaluation
    from maskline.planning.trial.gpus import gpus
    from maskline.planning.trial.training import try_training

    started = time.perf_counter() - _BEGUN
    works: dict[str, Callable[..., dict[str, Any]]] = {
        "gpus": gpus,
        "training": lambda **request: {**try_training(**request), "start": started},
        "evaluation": try_evaluation,
    }
    for line in sys.stdin:
        request = json.loads(line)
        answer = _in_fork(works[request.pop("work")], request)
        with contextlib.suppress(BrokenPipeError):
            print(answer, file=answers, flush=True)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


def _in_fork(work: Callable[..., dict[str, Any]], request: dict[str, Any]) -> str:
    """Return the answer to a request as JSON, whatever happens to the process that works on it."""
    read, write = os.pipe()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # TensorFlow has not computed yet
        child = os.fork()
    if not child:
        os.close(read)
        end_with_stdin()
        os.write(write, json.dumps(_answer(work, request)).encode())
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer or json.dumps(
        {"refused": "a trial was killed, most likely because memory ran out; lower train.batch_size."}
    )


def _answer(work: Callable[..., dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    from maskline.training.determinism import refusals

    try:
        with refusals():
            return work(**request)
    except InputError as error:
        return {"refused": str(error)}
    except Exception as error:  # of TensorFlow, such as for want of memory
        return {"refused": f"a trial failed ({type(error).__name__}: {one_line(error)}); choose other params."}


if __name__ == "__main__":
    main()
