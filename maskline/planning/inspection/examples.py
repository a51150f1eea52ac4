"""The examples of a data set before download has prepared it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from maskline.datasets.formats.annotations import Drawn
from maskline.datasets.formats.classes import ClassTable

SPLITS = ("train", "validation", "test")


class Example(NamedTuple):
    """An image and its mask, which are read when they are called for.

    Attributes:
        name: as download stores it.
        image: returns the bytes that download stores, of a PNG or JPEG.
        mask: returns the bytes of the mask's file, or the mask that is drawn from annotations.
        files: of the image and the mask on disk; empty where they are records of a file or drawn.
    """

    name: str
    image: Callable[[], bytes]
    mask: Callable[[], bytes | Drawn]
    files: tuple[Path, ...] = ()


class Listing(NamedTuple):
    """All examples of a data set.

    Attributes:
        splits: by split of the source, in order.
        table: the classes that the source defines; None where masks are the user's own or drawn.
        names: the classes in label order where masks are drawn from annotations; else None.
        left_out: number of images that no split has.
        other_files: what the source reads besides the files of the examples.
        notes: what to tell the user.
        warnings: what the user should look at.
    """

    splits: dict[str, list[Example]]
    table: ClassTable | None = None
    names: list[str] | None = None
    left_out: int = 0
    other_files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def examples(self) -> list[Example]:
        """All examples, split by split."""
        return [example for split in self.splits.values() for example in split]
