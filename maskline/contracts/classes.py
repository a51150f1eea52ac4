"""What every wing means by a class, a split's role and the void label."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

VOID = 255  # the void label in shards and labels everywhere, as in PASCAL VOC and Cityscapes

Role = Literal["train", "validation", "test"]


class ClassInfo(BaseModel):
    """A class by its place in the list, its name, and the colour '#rrggbb' it is drawn in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    color: str
