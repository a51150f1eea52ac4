"""What can be watched while a run trains: curves by epoch, and how a row of validation images is predicted."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskline.contracts.classes import ClassInfo
from maskline.contracts.colors import palette
from maskline.files.dotted import leaves
from maskline.messages import os_sentence
from maskline.training.checkpoint import State
from maskline.training.events import Events, picture, scalars, text
from maskline.training.validate import Example, Scores, Validator

_LONGEST = 256  # pixels of a validation image
_GAP = 4  # pixels between validation images


class Watch:
    """Writes a run's TensorBoard events: epoch 0 is before the first step.

    If they cannot be written, it says so once, and training goes on without them.

    Args:
        folder: of the run's events; None: another worker writes them.
        classes: in label order.
        params: of the run by section, shown as text.
    """

    def __init__(self, folder: Path | None, classes: Sequence[ClassInfo], params: Mapping[str, Any]) -> None:
        self._events = Events(folder) if folder else None
        self._names, self._colors = [c.name for c in classes], [c.color for c in classes]
        self._params = params

    def begin(self, state: State, validator: Validator) -> None:
        """Score the model before the first step, or take up the curves of a resumed run after its last epoch.

        All workers call this, because they score together.
        """
        with self._writing() as events:
            if events:
                events.cut(len(state.history) if state.step else -1)
        if not state.step:
            scores = validator()
            with self._writing() as events:
                if events:
                    events.add(0, [text("params", _table(self._params)), *self._values(scores)])

    def epoch(self, row: Mapping[str, Any], scores: Scores) -> None:
        """Write an epoch's row of the history and its scores."""
        with self._writing() as events:
            if events:
                of_training = {"loss/train": row["train_loss"], "learning_rate": row["learning_rate"]}
                events.add(row["epoch"], [*scalars(of_training), *self._values(scores)])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Events | None]:
        try:
            yield self._events
        except OSError as error:
            self._events = None
            found = os_sentence(error, "the next run is watched")
            print(f"train: this run is no longer watched: {found}", flush=True)

    def _values(self, scores: Scores) -> list:
        values = {
            "loss/validation": scores.loss,
            "validation/mean_iou": scores.mean_iou,
            "validation/pixel_accuracy": scores.pixel_accuracy,
            **{f"iou/{name}": value for name, value in zip(self._names, scores.iou, strict=False)},
        }
        return [*scalars(values), *_drawn(scores.examples, self._colors)]


def run_folder(logs: Path, params: Mapping[str, Any], key: str) -> Path:
    """Return a run's folder of events: its network, its seed, and the start of the key of its checkpoints."""
    model = params["model"]
    return logs / f"{model['architecture']}-{model['encoder']}-seed{params['seed']}-{key[:8]}"


def _drawn(examples: Sequence[Example], colors: Sequence[str]) -> list:
    """Return one picture of three rows, the images, their masks and their predictions; void is white."""
    if not examples:
        return []
    table = palette(colors)
    rows = (
        [_shrunk(e.image, Image.Resampling.BILINEAR) for e in examples],
        [table[_shrunk(e.labels, Image.Resampling.NEAREST)] for e in examples],
        [table[_shrunk(e.prediction, Image.Resampling.NEAREST)] for e in examples],
    )
    return [picture("validation/image_mask_prediction", _joined([_joined(row, 1) for row in rows], 0))]


def _shrunk(pixels: np.ndarray, method: Image.Resampling) -> np.ndarray:
    image = Image.fromarray(pixels)
    scale = min(1.0, _LONGEST / max(image.size))
    return np.asarray(image.resize([max(1, round(length * scale)) for length in image.size], method))


def _joined(parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Return pictures of one size as one along an axis, with white between them."""
    after = [(0, _GAP) if i == axis else (0, 0) for i in range(3)]
    whole = np.concatenate([np.pad(part, after, constant_values=255) for part in parts], axis)
    return whole[:-_GAP] if axis == 0 else whole[:, :-_GAP]


def _table(params: Mapping[str, Any]) -> str:
    """Return params as a table in Markdown."""
    return "\n".join(["|param|value|", "|---|---|", *(f"|{key}|{value}|" for key, value in leaves(params))])
