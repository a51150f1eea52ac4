"""Checkpoints of a whole run: two are kept, and one that is damaged or of another run is never loaded.

The last checkpoint of a finished run stays until another run starts. If DVC is killed before it has recorded the
model, it removes the model and runs the stage again, which then goes on from the end.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maskline.files.artifacts import npz_bytes, write_bytes
from maskline.files.checksums import sealed, unsealed

_FINISHED = ".finished"


@dataclass
class State:
    """Everything that a run needs to resume exactly.

    Attributes:
        step: finished steps since the start of the run.
        history: one row per finished epoch.
        variables: values of model, optimizer, moving average and running loss, in order.
        best: values of the model's variables after the best epoch; empty before the end of the first epoch.
    """

    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    variables: list[np.ndarray] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)


class Checkpoints:
    """The checkpoints of one run.

    Args:
        root: folder of the checkpoints of all runs.
        fingerprint: everything that the run depends on: params, code, data and library versions. A run never loads a
            checkpoint with another fingerprint.

    Attributes:
        key: digest of the fingerprint, 32 hexadecimal digits.
    """

    def __init__(self, root: Path, fingerprint: Any) -> None:
        text = json.dumps(fingerprint, sort_keys=True).encode()
        self.key = hashlib.sha256(text).hexdigest()[:32]
        self._folder = Path(root) / self.key
        self._finished = self._folder.with_suffix(_FINISHED)
        self._recent: list[Path] = []

    def save(self, state: State) -> None:
        """Write a checkpoint, then remove all others except the one written or loaded before it."""
        path = self._folder / f"{state.step:010d}.npz"
        write_bytes(path, sealed(state_bytes(state, self.key)))
        self._recent = [*(recent for recent in self._recent if recent != path), path][-2:]
        for file in self._folder.iterdir():
            if file not in self._recent:
                file.unlink()

    def load(self, shapes: Sequence[tuple[int, ...]]) -> State | None:
        """Return the latest intact checkpoint whose variables have these shapes, or None.

        What other finished runs left is removed.
        """
        if self._finished.exists() and not self._folder.exists():
            os.replace(self._finished, self._folder)
        for finished in self._folder.parent.glob(f"*{_FINISHED}"):
            shutil.rmtree(finished, ignore_errors=True)
        files = self._files()
        while files:
            path = files[-1]
            state = self._read(path)
            if state and [value.shape for value in state.variables] == list(shapes):
                self._recent = files[-2:]
                return state
            print(f"train: {path} is damaged or of another run; the previous checkpoint is used if there is one.")
            files.pop()
        return None

    def finish(self) -> None:
        """Keep the last checkpoint alone, as that of a finished run, once the result is written."""
        for file in self._files()[:-1]:
            file.unlink()
        os.replace(self._folder, self._finished)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.npz"))

    def _read(self, path: Path) -> State | None:
        try:
            return state_of(unsealed(path.read_bytes()), self.key)
        except Exception:  # zipfile and NumPy raise many kinds of errors on a damaged file
            return None


def state_bytes(state: State, run: str = "") -> bytes:
    """Return a state as an archive that names its run."""
    header = {
        "run": run,
        "step": state.step,
        "history": state.history,
        "variables": len(state.variables),
        "best": len(state.best),
    }
    arrays = {f"{i:05d}": value for i, value in enumerate([*state.variables, *state.best])}
    header_bytes = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return npz_bytes({"about": header_bytes, **arrays})


def state_of(data: bytes, run: str = "") -> State | None:
    """Return the state in an archive of `state_bytes`, or None if it is of another run or not whole."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        header = json.loads(file["about"].tobytes())
        arrays = [file[name] for name in sorted(file.files) if name != "about"]
    count = header["variables"]
    if (header["run"], header["best"]) != (run, len(arrays) - count):
        return None
    return State(header["step"], header["history"], arrays[:count], arrays[count:])
