"""The classes in each mask of the source, so that splits and subsets can keep every class."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from maskline.contracts.source import Source
from maskline.engine.staging import LOCAL, Area
from maskline.engine.tasks import map_tasks
from maskline.shards.decode import decode_mask
from maskline.shards.source_examples import SourceExample, example_name, read_features
from maskline.shards.write.problems import collected, raise_if_any
from maskline.shards.write.splits import ClassPresence

_CHUNK = 64  # examples per task


def survey(
    examples: Sequence[SourceExample], source: Source, workers: int | None = None, area: Area = LOCAL
) -> list[ClassPresence]:
    """Read every mask, and return the classes in each, in the order of `examples`."""
    chunks = [examples[i : i + _CHUNK] for i in range(0, len(examples), _CHUNK)]
    found = map_tasks(partial(_survey, source=source, area=area), chunks, len, "reading masks", workers)
    return [presence for chunk in found for presence in chunk]


def _survey(examples: Sequence[SourceExample], source: Source, area: Area) -> list[ClassPresence]:
    presences: list[ClassPresence] = []
    problems: list[str] = []
    for example, features in read_features(examples, source, area):
        name = example_name(example, features, source)
        with collected(problems):
            mask = decode_mask(features[source.mask_feature], f"{example.split}/{name}", source)
            shown = np.bincount(mask.ravel(), minlength=256)[: len(source.classes)] > 0
            presences.append(ClassPresence(name, shown))
    raise_if_any(problems)
    return presences
