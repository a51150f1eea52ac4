"""history.csv: what train measures after each epoch."""

from pydantic import ConfigDict

from maskline.contracts.folders import MODEL
from maskline.contracts.numbers import Length
from maskline.files.records import Record

PATH = MODEL / "history.csv"


class Epoch(Record):
    """An epoch, counted from 1; `best` marks the epoch whose weights the model has.

    The learning rate is that of the epoch's last step; the losses are means over images. A score is NaN, and its cell
    empty, if the validation split has no valid pixel.
    """

    model_config = ConfigDict(allow_inf_nan=True)

    epoch: Length
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_pixel_accuracy: float
    validation_mean_iou: float
    best: bool
