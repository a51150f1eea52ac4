"""history.csv: what train measures after each epoch."""

from maskline.contracts.folders import MODEL
from maskline.contracts.numbers import Length
from maskline.files.records import Record

PATH = MODEL / "history.csv"


class Epoch(Record):
    """An epoch, counted from 1; `best` marks the epoch whose weights the model has.

    The learning rate is that of the epoch's last step; the losses are means over images. All numbers are finite: train
    fails if a loss or a score is not.
    """

    epoch: Length
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_pixel_accuracy: float
    validation_mean_iou: float
    best: bool
