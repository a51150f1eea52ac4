"""Trials as the planner sees them: a child process that imports TensorFlow once and tries params one after another."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from maskline.errors import InputError
from maskline.planning.fingerprint import Fingerprint
from maskline.planning.splits import images_by_role
from maskline.planning.trial.measured import EvaluationCost, Measured, TrainingCost, Trial

_ROOT = Path(__file__).resolve().parents[3]
_FREEZING = ("freeze_encoder", "freeze_normalization")  # refused with random weights, so that they are set apart
# Params that change neither a step's time nor its memory: a trial of others that differ only in these is known.
_EQUAL: dict[str, dict[str, Any]] = {
    "preprocess": {"examples_per_shard": 64},
    "train": {"epochs": 1, "learning_rate": 0.001, "schedule": "constant", "warmup_epochs": 0.0, "early_stopping": 0},
    "model": {"encoder_weights": "none", "start_from": "none", **dict.fromkeys(_FREEZING, False)},
}
_SMALL = 0.1  # stands for any amount of augmentation, or decay of a moving average, above 0
_SECTIONS = ("preprocess", "model", "augment", "train")


class _Trained(NamedTuple):
    """A trial of training: what was asked for, the folder with the shards and the model that it left, and its cost."""

    request: dict[str, Any]
    folder: str
    cost: TrainingCost


class Trials:
    """A context in which params can be tried. At its end, however it ends, its processes end.

    TensorFlow is imported in the background from the start of the context.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Trained | InputError] = {}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="maskline-trial-", ignore_cleanup_errors=True)
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "maskline.planning.trial", self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_environment(self._folder.name),
            start_new_session=True,  # Ctrl-C reaches the planner alone, which then ends the child
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        for stream in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]
        self._child.wait()
        self._folder.cleanup()

    def gpus(self) -> list[str]:
        """Return the names of the GPUs that TensorFlow can use."""
        found: list[str] = self._answer(work="gpus")["gpus"]
        return found

    def of(self, fingerprint: Fingerprint) -> Trial:
        """Return the trial of training on synthetic images like those of a data set."""
        return lambda params: self._trained(fingerprint, params).cost

    def measured(self, fingerprint: Fingerprint, params: dict[str, Any]) -> Measured:
        """Return what training costs, and evaluation of the model that the trial of training made.

        Raises:
            InputError: one of them does not fit into memory or cannot work.
        """
        trained = self._trained(fingerprint, params)
        same = {name: trained.request[name] for name in ("classes", "batch", "size")}
        evaluation = self._answer(work="evaluation", folder=trained.folder, params=params["evaluate"], **same)
        return Measured(trained.cost, EvaluationCost(**evaluation))

    def _trained(self, fingerprint: Fingerprint, params: dict[str, Any]) -> _Trained:
        request = {
            "params": _without_equals(params),
            "classes": len(fingerprint.classes),
            "batch": min(params["train"]["batch_size"], images_by_role(params, fingerprint)["train"]),
            "size": list(fingerprint.median),
            "freezing": {key: params["model"][key] for key in _FREEZING},
        }
        key = json.dumps(request, sort_keys=True)
        if key not in self._known:
            self._known[key] = self._tried(request)
        known = self._known[key]
        if isinstance(known, InputError):
            raise known
        return known

    def _tried(self, request: dict[str, Any]) -> _Trained | InputError:
        folder = tempfile.mkdtemp(dir=self._folder.name)
        try:
            return _Trained(request, folder, TrainingCost(**self._answer(work="training", folder=folder, **request)))
        except InputError as error:
            shutil.rmtree(folder, ignore_errors=True)
            return error

    def _answer(self, **request: Any) -> dict[str, Any]:
        """Return the child's answer.

        Raises:
            InputError: what was asked for cannot be done.
        """
        assert self._child.stdin is not None and self._child.stdout is not None
        line = ""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(request), file=self._child.stdin, flush=True)
            line = self._child.stdout.readline()
        if not line:
            raise InputError("the process that tries params ended; free some memory and plan again.")
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise InputError(answer["refused"])
        return answer


def _without_equals(params: dict[str, Any]) -> dict[str, Any]:
    """Return the sections that a trial of training reads, with amounts that cost nothing by their size as on or off."""
    sections = {name: {**params[name], **_EQUAL.get(name, {})} for name in _SECTIONS}
    sections["augment"] = {key: _on_or_off(value) for key, value in sections["augment"].items()}
    sections["train"]["ema"] = _on_or_off(sections["train"]["ema"])
    return sections


def _on_or_off(value: Any) -> Any:
    return _SMALL if isinstance(value, float) and value else value


def _environment(folder: str) -> dict[str, str]:
    """Return the child's environment; its temporary files are in `folder`, because a fork does not remove them."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    return {**quiet, **os.environ, "PYTHONPATH": path, "TMPDIR": folder}
