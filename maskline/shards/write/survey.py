"""Which classes each raw mask shows, for splits and subsets that keep them."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from maskline.contracts.source import Source
from maskline.engine import pool
from maskline.shards.decode import decode_mask
from maskline.shards.raw import Raw, example_name, read_features
from maskline.shards.write.problems import collected, raise_if_any
from maskline.shards.write.splits import Example

_CHUNK = 64  # examples per task


def survey(raws: Sequence[Raw], source: Source, workers: int | None = None) -> list[Example]:
    """Read every mask and return which classes it shows, in the order of `raws`."""
    chunks = [raws[i : i + _CHUNK] for i in range(0, len(raws), _CHUNK)]
    found = pool.map_tasks(partial(_survey, source=source), chunks, len, "reading masks", workers)
    return [example for chunk in found for example in chunk]


def _survey(raws: Sequence[Raw], source: Source) -> list[Example]:
    examples, problems = [], []
    for raw, features in read_features(raws, source):
        name = example_name(raw, features, source)
        with collected(problems):
            mask = decode_mask(features[source.mask_feature], f"{raw.split}/{name}", source)
            examples.append(Example(name, np.bincount(mask.ravel(), minlength=256)[: len(source.classes)] > 0))
    raise_if_any(problems)
    return examples
