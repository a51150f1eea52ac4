"""source.json: the data set that download prepares, described for preprocess."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from maskline.contracts.annotations import AnnotationCounts
from maskline.contracts.classes import ClassInfo, Role
from maskline.contracts.folders import RAW
from maskline.files.records import Record, read_record, write_record

PATH = RAW / "source.json"


class Source(Record):
    """A prepared TFDS data set under `data/raw/<name>/<version>` and how to read its masks.

    `labels` maps a stored mask value to the index of its class: decimal text for index masks, lower-case '#rrggbb' for
    color masks. Values in `void` become the void label; any other value is an error.
    `splits` names the TFDS split of each role; a role without one is held out of another by preprocess.
    `test_is_held_out` is true if the source lists no test split, so that download held it out of train.
    `left_out` counts the source's images that are in no split. `annotations` is None where masks are files.
    """

    name: str
    version: str
    image_feature: str
    mask_feature: str
    filename_feature: str | None
    masks: Literal["index", "color"]
    classes: Annotated[list[ClassInfo], Field(min_length=2, max_length=255)]
    labels: dict[str, int]
    void: list[str]
    splits: dict[Role, str]
    test_is_held_out: Annotated[bool, Field(exclude_if=lambda held_out: not held_out)] = False
    left_out: Annotated[int, Field(ge=0)] = 0
    annotations: AnnotationCounts | None = None

    def files(self, raw: Path, role: Role) -> list[Path]:
        """Return the TFRecord files of a role's split, in order."""
        folder = Path(raw) / self.name / self.version
        return sorted(folder.glob(f"{self.name}-{self.splits[role]}.tfrecord-*"))


def write_source(raw: Path, source: Source) -> None:
    """Write `source.json` into `raw`, next to the data set."""
    write_record(raw / PATH.name, source)


def read_source(raw: Path) -> Source:
    """Read `source.json` from `raw`.

    Raises:
        ArtifactError: the file is missing or damaged.
    """
    return read_record(raw / PATH.name, Source)
