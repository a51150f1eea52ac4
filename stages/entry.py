"""What every stage does around its work: check params and inputs, record outputs, and turn errors into sentences."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages would bury the stage's own

from declared import Stage, code_digest, maker_of, outputs, read_stages  # noqa: E402

from maskline.errors import ArtifactError, InputError  # noqa: E402
from maskline.files.checksums import check_sums, write_sums  # noqa: E402
from maskline.files.yaml12 import read_yaml  # noqa: E402
from maskline.params.check import check_params  # noqa: E402

PARAMS = Path("params.yaml")


def main(name: str, description: str, work: Callable[[Stage], None]) -> None:
    """Run one stage in the current folder, which holds dvc.yaml and params.yaml."""
    argparse.ArgumentParser(
        prog=f"stages/{name}.py",
        description=description,
        epilog="Reads params.yaml and dvc.yaml in the current folder; `dvc repro` runs all stages in order.",
    ).parse_args()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        stages = read_stages(name)
        try:
            _run(name, stages, work)
        except ArtifactError as error:
            sys.exit(f"{name}: {error}{_remedy(error.path, stages)}.")
    except InputError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {_os_sentence(error)}")
    except KeyboardInterrupt as stop:
        sys.exit(f"{name}: stopped; {str(stop) or 'finished work is kept'}, and `dvc repro` goes on from there.")


def _run(name: str, stages: dict[str, dict], work: Callable[[Stage], None]) -> None:
    entry, params = stages[name], read_yaml(PARAMS)
    repo = check_params(params, PARAMS).repo
    stage = Stage(name, tuple(entry.get("params", [])), params, code_digest(entry, repo))
    check_inputs(stages, name)
    work(stage)
    if code_digest(entry, repo) != stage.code:
        raise InputError(f"the code of stage {name} was edited while it ran; run `dvc repro` again.")
    record_outputs(entry)


def import_tensorflow() -> None:
    """Import TensorFlow without the messages that its libraries write to stderr before Python can silence them."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def check_inputs(stages: dict[str, dict], name: str) -> None:
    """Check every file that a stage reads from earlier stages. The code that reads a file reports it if it is missing.

    Raises:
        ArtifactError: a file is not what its stage wrote.
    """
    for dep in stages[name].get("deps", []):
        for entry in stages.values():
            folders, others = outputs(entry)
            home = next((folder for folder in folders if Path(dep).is_relative_to(folder)), None)
            if home is None and dep in others and folders:
                home = folders[0]
            if home and Path(dep).exists():
                check_sums(Path(home), Path(dep))


def record_outputs(entry: dict) -> None:
    """Write SHA256SUMS into each folder that a stage writes; the first also lists the stage's files elsewhere."""
    folders, others = outputs(entry)
    for folder in filter(os.path.isdir, folders):
        write_sums(Path(folder), map(Path, others if folder == folders[0] else ()))


def _remedy(path: Path, stages: dict[str, dict]) -> str:
    """Return the end of an ArtifactError's sentence: the command that makes the artifact again, and where to run it."""
    maker, folder = maker_of(path, stages), Path.cwd()
    if maker is None:
        return ""
    below = folder != ROOT and folder.is_relative_to(ROOT)
    return f"; run `dvc repro --force {maker}`" + (f" in {folder.relative_to(ROOT)}/" if below else "")


def _os_sentence(error: OSError) -> str:
    file = error.filename or "an output"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full while writing {file}; free some space and run `dvc repro` again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission for {file}; change its owner or mode and run `dvc repro` again."
    return f"{error.strerror or error} ({file}); mend it and run `dvc repro` again."
