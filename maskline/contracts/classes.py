"""Classes, the roles of splits, and the void label, as every part of maskline uses them."""

import re
from typing import Final, Literal, get_args

from pydantic import field_validator

from maskline.files.records import Record

VOID: Final = 255  # the void label of all shards and labels, as in PASCAL VOC and Cityscapes

Role = Literal["train", "validation", "test"]
ROLES: tuple[Role, ...] = get_args(Role)


class ClassInfo(Record):
    """A class: its name, and the color '#rrggbb' in which it is drawn."""

    name: str
    color: str

    @field_validator("color")
    @classmethod
    def _drawable(cls, color: str) -> str:
        if not re.fullmatch("#[0-9a-fA-F]{6}", color):
            raise ValueError(f"must be '#rrggbb', not {color!r}")
        return color
