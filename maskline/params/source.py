"""The half of section dataset that download reads: the images and masks to use, and how to read them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from maskline.params.section import Color, Name, Section

_FORBIDDEN = "<>&\"'`"  # `dvc plots show` writes class names into its page as they are


def _null(path: Any) -> Any:
    """Return a path, or None for 'none': params.yaml has no null here, because DVC needs the path of a dep."""
    return None if path == "none" else path


def _none(path: str | None) -> str:
    return path or "none"


class SourceParams(Section):
    """The images and masks to use, and how to read them."""

    name: Name
    path: Annotated[Name | None, BeforeValidator(_null), PlainSerializer(_none)]
    classes: Annotated[list[Name], Field(min_length=2, max_length=255)] | None
    colors: list[Color] | None
    masks: Literal["index", "color"]
    void: list[Annotated[int, Field(ge=0, le=65535)] | Color]
    image_feature: Name
    mask_feature: Name
    test_fraction: Annotated[float, Field(gt=0, le=0.5)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.name == "folder" and self.path is None:
            raise ValueError("path must name your folder of images/ and masks/ when name is 'folder'. Received: 'none'")
        if self.name == "folder" and self.classes is None:
            raise ValueError("classes must list the class names when name is 'folder'. Received: None")
        if self.masks == "color" and self.colors is None:
            raise ValueError("colors must give one color per class when masks is 'color'. Received: None")
        if self.colors is not None and len(self.colors) != len(self.classes or []):
            raise ValueError(
                f"colors must have one entry per entry of classes. Received: {len(self.colors)} colors and "
                f"{len(self.classes or [])} classes"
            )
        value_type = str if self.masks == "color" else int
        if not all(isinstance(value, value_type) for value in self.void):
            raise ValueError(
                f"void must list label values for index masks and '#rrggbb' for color masks. Received: {self.void} for "
                f"{self.masks} masks"
            )
        for name in self.classes or []:
            if not name.isprintable() or set(name) & set(_FORBIDDEN):
                raise ValueError(
                    f"classes must hold names without control characters, quotes, <, > and &. Received: {name!a}"
                )
        for field in ("classes", "colors"):
            values = [value.lower() for value in getattr(self, field) or []]
            if repeated := {value for value in values if values.count(value) > 1}:
                raise ValueError(f"{field} must not repeat a value. Received: {min(repeated)!r} twice")
        return self
