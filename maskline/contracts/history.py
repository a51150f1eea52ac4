"""history.csv: what train measured after each epoch."""

from maskline.contracts.folders import MODEL
from maskline.contracts.numbers import Length
from maskline.files.records import Record

PATH = MODEL / "history.csv"


class Epoch(Record):
    """An epoch, from 1; `best` marks the one whose weights were kept.

    The learning rate is that of the epoch's last step; the losses are means over images. All numbers are finite: a run
    whose loss or scores are not never ends in a history.
    """

    epoch: Length
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_pixel_accuracy: float
    validation_mean_iou: float
    best: bool
