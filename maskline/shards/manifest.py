"""manifest.json: what the shards hold, so that no reader has to guess."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskline.artifacts import write_bytes
from maskline.classes import ClassInfo, Role
from maskline.errors import InputError

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


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json into a folder of shards."""
    write_bytes(Path(folder) / NAME, (manifest.model_dump_json(indent=2) + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest.json.

    Raises:
        InputError: the manifest is missing, or not what preprocess writes.
    """
    path = Path(folder) / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro preprocess`.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{path} is damaged at {place}: {first['msg']}; run `dvc repro --force preprocess`.") from None
