"""The classes in each mask of the source, so that splits and subsets can keep every class."""

from functools import partial

import numpy as np

from maskline.contracts.source import Source
from maskline.engine.staging import LOCAL, Area
from maskline.engine.tasks import map_tasks
from maskline.shards.decode import decode_mask
from maskline.shards.source_examples import Examples, example_name, read_features
from maskline.shards.write.problems import collected, raise_if_any
from maskline.shards.write.splits import ClassPresence

_CHUNK = 64  # examples per task


def survey(examples: Examples, source: Source, workers: int | None = None, area: Area = LOCAL) -> ClassPresence:
    """Read every mask, and return the classes in each, in the order of `examples`."""
    chunks = [examples[i : i + _CHUNK] for i in range(0, len(examples), _CHUNK)]
    found = map_tasks(partial(_survey, source=source, area=area), chunks, len, "reading masks", workers)
    names = [name for chunk in found for name in chunk.names]
    return ClassPresence(names, np.concatenate([chunk.present for chunk in found]))


def _survey(examples: Examples, source: Source, area: Area) -> ClassPresence:
    names: list[str] = []
    present = np.zeros((len(examples), len(source.classes)), bool)
    problems: list[str] = []
    for number, (example, features) in enumerate(read_features(examples, source, area)):
        name = example_name(example, features, source)
        with collected(problems):
            mask = decode_mask(features[source.mask_feature], f"{example.split}/{name}", source)
            present[number] = np.bincount(mask.ravel(), minlength=256)[: len(source.classes)] > 0
            names.append(name)
    raise_if_any(problems)
    return ClassPresence(names, present)
