"""The classes, the roles of splits, and the void label, as all of maskline understands them."""

import re
from typing import Final, Literal, get_args

from pydantic import field_validator

from maskline.files.records import Record

VOID: Final = 255  # the void label in shards and labels everywhere, as in PASCAL VOC and Cityscapes

Role = Literal["train", "validation", "test"]
ROLES: tuple[Role, ...] = get_args(Role)


class ClassInfo(Record):
    """A class: its name, and the color '#rrggbb' it is drawn in."""

    name: str
    color: str

    @field_validator("color")
    @classmethod
    def _drawable(cls, color: str) -> str:
        if not re.fullmatch("#[0-9a-fA-F]{6}", color):
            raise ValueError(f"must be '#rrggbb', not {color!r}")
        return color
