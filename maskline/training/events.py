"""TensorBoard's event files of one run, written without TensorBoard.

An event file is a TFRecord file of `tf.compat.v1.Event`; https://www.tensorflow.org/tensorboard.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from maskline.errors import ArtifactError
from maskline.shards.tfrecord import FOOTER, frame, read_record, records

_Event, _Value = tf.compat.v1.Event, tf.compat.v1.Summary.Value
_NAME = "events.out.tfevents."  # TensorBoard reads every file with `tfevents` in its name


class Events:
    """The event files in a folder: one for each start of the run.

    A file is only added to by the process that made it, so that TensorBoard can read it at the same time, and a killed
    process leaves at most a torn last record.

    Args:
        folder: of this run alone; made with the first event.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{_NAME}{len(self._files()):06d}"

    def cut(self, epoch: int) -> None:
        """Remove what earlier starts wrote of later epochs, so that each epoch is there once; -1: everything."""
        for path in self._files():
            os.truncate(path, _end(path, epoch))

    def add(self, epoch: int, values: Iterable[tf.compat.v1.Summary.Value]) -> None:
        """Add an epoch's values, with one call to the system."""
        now = time.time()
        events = [_Event(wall_time=now, step=epoch, summary=tf.compat.v1.Summary(value=[value])) for value in values]
        if not self._path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            events.insert(0, _Event(wall_time=now, file_version="brain.Event:2"))
        with open(self._path, "ab") as file:
            file.write(b"".join(frame(event.SerializeToString()) for event in events))

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{_NAME}*"))


def scalars(values: Mapping[str, float]) -> list[tf.compat.v1.Summary.Value]:
    """Return numbers by tag as values of an event; NaN and infinity are left out."""
    return [_Value(tag=tag, simple_value=value) for tag, value in values.items() if np.isfinite(value)]


def picture(tag: str, pixels: np.ndarray) -> tf.compat.v1.Summary.Value:
    """Return pixels uint8 [H, W, 3] as a value of an event, a JPEG whose colors have the full resolution."""
    height, width = pixels.shape[:2]
    data = tf.io.encode_jpeg(pixels, quality=90, chroma_downsampling=False).numpy()
    image = tf.compat.v1.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=data)
    return _Value(tag=tag, image=image)


def text(tag: str, words: str) -> tf.compat.v1.Summary.Value:
    """Return Markdown as a value of an event."""
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="text")
    return _Value(
        tag=tag, metadata=tf.compat.v1.SummaryMetadata(plugin_data=plugin), tensor=tf.make_tensor_proto(words)
    )


def _end(path: Path, epoch: int) -> int:
    """Return the place in a file after the last whole record of this epoch or an earlier one; bytes from its start."""
    end = 0
    with contextlib.suppress(ArtifactError), open(path, "rb") as file:
        for record in records(path):
            if _Event.FromString(read_record(file, record)).step > epoch:
                break
            end = record.offset + record.length + FOOTER
    return end
