"""The half of section dataset that download reads: the images and masks to use, and how to read them."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from maskline.params.section import Color, Name, OwnPath, Section

MaskValue = Annotated[int, Field(ge=0, le=65535)]
_FORBIDDEN = "<>&\"'`"  # `dvc plots show` writes class names into its page as they are

# Sources that are only on the user's disk, besides folder.
_LOCAL = ("coco", "yolo", "labelme", "cvat", "label_studio", "cityscapes", "ade20k")


def is_class_name(name: str) -> bool:
    """Return whether a class can have a name."""
    return bool(name) and name.isprintable() and not set(name) & set(_FORBIDDEN)


class SourceParams(Section):
    """The images and masks to use, and how to read them."""

    name: Name
    path: OwnPath
    classes: Annotated[list[Name], Field(min_length=2, max_length=255)] | None
    colors: list[Color] | None
    masks: Literal["index", "color"]
    values: list[MaskValue | Annotated[list[MaskValue], Field(min_length=1)]] | None
    void: list[MaskValue | Color]
    image_feature: Name
    mask_feature: Name
    overlap: Literal["last", "smallest"]
    test_fraction: Annotated[float, Field(gt=0, le=0.5)]
    group: Name | None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.name == "folder" and self.path is None:
            raise ValueError("path must name your folder of images/ and masks/ when name is 'folder'. Received: 'none'")
        if self.name in _LOCAL and self.path is None:
            raise ValueError(f"path must name the folder of your data when name is {self.name!r}. Received: 'none'")
        if self.name == "folder" and self.classes is None:
            raise ValueError("classes must list the class names when name is 'folder'. Received: None")
        if self.masks == "color" and self.colors is None:
            raise ValueError("colors must give one color per class when masks is 'color'. Received: None")
        if self.colors is not None and len(self.colors) != len(self.classes or []):
            raise ValueError(
                f"colors must have one entry per entry of classes. Received: {len(self.colors)} colors and "
                f"{len(self.classes or [])} classes"
            )
        self._check_values()
        value_type = str if self.masks == "color" else int
        if not all(isinstance(value, value_type) for value in self.void):
            raise ValueError(
                f"void must list label values for index masks and '#rrggbb' for color masks. Received: {self.void} for "
                f"{self.masks} masks"
            )
        for name in self.classes or []:
            if not is_class_name(name):
                raise ValueError(
                    f"classes must hold names without control characters, quotes, <, > and &. Received: {name!a}"
                )
        for field in ("classes", "colors"):
            values = [value.lower() for value in getattr(self, field) or []]
            if repeated := {value for value in values if values.count(value) > 1}:
                raise ValueError(f"{field} must not repeat a value. Received: {min(repeated)!r} twice")
        return self

    def _check_values(self) -> None:
        if self.values is None:
            return
        if self.masks == "color":
            raise ValueError(f"values is for index masks; set it to null for color masks. Received: {self.values}")
        if len(self.values) != len(self.classes or []):
            raise ValueError(
                "values must have one entry per entry of classes, the mask value of the class or a list of them. "
                f"Received: {len(self.values)} entries and {len(self.classes or [])} classes"
            )
        flat = [value for entry in self.values for value in (entry if isinstance(entry, list) else [entry])]
        if repeated := {value for value in flat if flat.count(value) > 1}:
            raise ValueError(f"values must not repeat a value. Received: {min(repeated)} twice")

    @model_validator(mode="after")
    def _groups_by_csv_or_pattern(self) -> Self:
        if self.group is None or self.group.lower().endswith(".csv"):
            return self
        try:
            groups = re.compile(self.group).groups
        except re.error as error:
            raise ValueError(
                f"group must be a regular expression or the path of a .csv ({error}). Received: {self.group!r}"
            ) from None
        if groups != 1:
            raise ValueError(
                "group must be a regular expression with one group in parentheses, or the path of a .csv. "
                f"Received: {self.group!r}"
            )
        return self
