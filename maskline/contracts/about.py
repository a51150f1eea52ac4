"""about.json: how evaluate made its counts, and what two of them must share to be compared."""

from typing import Any, Literal

from pydantic import ConfigDict

from maskline.contracts.folders import EVALUATION
from maskline.files.records import Record

PATH = EVALUATION / "about.json"

Resolution = Literal["model", "native"]


class About(Record):
    """How the counts were made. `maskline compare` reads it from other revisions, so that unknown keys are ignored.

    Attributes:
        classes: their names.
        shards: SHA-256 of the shards' manifest.
        test_split: SHA-256 of the manifest's entry for the test split.
        resolution: scored at the shards' size, or at each image's own.
        inference: the params of prediction by name, nested.
        versions: of libraries, by name.
        conventions: what each convention in conventions.csv means, by its name.
    """

    model_config = ConfigDict(extra="ignore")

    classes: list[str]
    shards: str
    test_split: str
    resolution: Resolution
    inference: dict[str, Any]
    versions: dict[str, str]
    conventions: dict[str, str]
