"""manifest.json: what the shards hold, so that no reader has to guess."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from maskline.contracts.classes import ClassInfo, Role
from maskline.files.records import read_record, write_record

NAME = "manifest.json"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(_Section):
    """The TFDS name and version of the data set that the shards were made from."""

    name: str
    version: str


class Shard(_Section):
    """One TFRecord file: its name, number of examples, size in bytes and SHA-256."""

    file: str
    examples: Annotated[int, Field(ge=1)]
    bytes: int
    sha256: str


class Split(_Section):
    """A split's examples, its pixels and images per class, its void pixels, and its shards in order."""

    examples: int
    pixels: list[int]
    images_with_class: list[int]
    void_pixels: int
    shards: list[Shard]


class Manifest(_Section):
    """All about a folder of shards; `height` and `width` are in pixels."""

    format: Literal[1]
    source: Origin
    height: int
    width: int
    encoding: Literal["raw", "png", "jpeg"]
    void_label: Literal[255]
    classes: list[ClassInfo]
    splits: dict[Role, Split]

    @model_validator(mode="after")
    def _agrees(self) -> "Manifest":
        for role in get_args(Role):
            if role not in self.splits:
                raise ValueError(f"the split {role} is missing")
            split = self.splits[role]
            if split.examples != sum(shard.examples for shard in split.shards):
                raise ValueError(f"the shards of {role} do not add up to its {split.examples} examples")
            if not len(split.pixels) == len(split.images_with_class) == len(self.classes):
                raise ValueError(f"{role} counts another number of classes than the {len(self.classes)} listed")
        return self


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json into a folder of shards."""
    write_record(Path(folder) / NAME, manifest)


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest.json.

    Raises:
        InputError: the manifest is missing, or not what preprocess writes.
    """
    return read_record(Path(folder) / NAME, Manifest)
