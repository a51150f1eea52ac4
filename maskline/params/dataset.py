"""Section dataset, which combines the part that download reads and the part that preprocess reads."""

from maskline.params.selection import SelectionParams
from maskline.params.source import SourceParams


class DatasetParams(SourceParams, SelectionParams):
    """The images and masks to use, how to read them, and how many to keep."""
