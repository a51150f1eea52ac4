"""manifest.json: the description of the shards that every reader of them uses."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from maskline.contracts.classes import ROLES, ClassInfo, Role
from maskline.contracts.fit import Fit
from maskline.contracts.folders import SHARDS
from maskline.contracts.numbers import Count, Length
from maskline.files.records import Record, read_record, write_record

PATH = SHARDS / "manifest.json"

Encoding = Literal["raw", "png", "jpeg"]


class Origin(Record):
    """The TFDS name and version of the data set that the shards were made from."""

    name: str
    version: str


class Shard(Record):
    """One TFRecord file: its name, number of examples, size in bytes and SHA-256."""

    file: str
    examples: Annotated[int, Field(ge=1)]
    bytes: Count
    sha256: str


class Split(Record):
    """A split's examples, its pixels and images per class, its void pixels without padding, and its shards in order."""

    examples: Count
    pixels: list[Count]
    images_with_class: list[Count]
    void_pixels: Count
    shards: list[Shard]


class Fold(Record):
    """Which fold is the test split, from 1, and the number of folds."""

    number: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=2)]


class Manifest(Record):
    """What a folder of shards holds.

    `height` and `width` are in pixels, `fit` is how images got that size. `fold` is None without dataset.folds.
    """

    format: Literal[1]
    source: Origin
    height: Length
    width: Length
    fit: Fit = "stretch"
    encoding: Encoding
    void_label: Literal[255]
    classes: list[ClassInfo]
    splits: dict[Role, Split]
    fold: Annotated[Fold | None, Field(exclude_if=lambda fold: fold is None)] = None

    @model_validator(mode="after")
    def _agrees(self) -> "Manifest":
        for role in ROLES:
            if role not in self.splits:
                raise ValueError(f"the split {role} is missing")
            split = self.splits[role]
            if split.examples != sum(shard.examples for shard in split.shards):
                raise ValueError(f"the shards of {role} do not add up to its {split.examples} examples")
            if not len(split.pixels) == len(split.images_with_class) == len(self.classes):
                raise ValueError(f"the counts of {role} are not for the {len(self.classes)} classes listed")
        return self

    def digest(self, role: Role) -> str:
        """Return the SHA-256 of a split's entry, which changes with its images and masks."""
        return hashlib.sha256(self.splits[role].model_dump_json().encode()).hexdigest()


def write_manifest(shards: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into a folder of shards."""
    write_record(shards / PATH.name, manifest)


def read_manifest(shards: Path) -> Manifest:
    """Read a folder's `manifest.json`.

    Raises:
        ArtifactError: the file is missing or damaged.
    """
    return read_record(shards / PATH.name, Manifest)
