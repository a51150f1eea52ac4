"""Section dataset, made of its two halves: what download reads and what preprocess reads."""

from maskline.params.selection import SelectionParams
from maskline.params.source import SourceParams


class DatasetParams(SourceParams, SelectionParams):
    """Which images and masks, how to read them, and which of them to keep."""
