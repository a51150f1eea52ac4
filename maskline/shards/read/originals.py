"""The images of a split at their original size, in the order of the shards."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskline.contracts.classes import Role
from maskline.contracts.fit import Size
from maskline.contracts.source import Source, read_source
from maskline.errors import ArtifactError
from maskline.shards.decode import decode_image, decode_mask
from maskline.shards.source_examples import SourceExample, example_name, list_examples, read_features


class Originals:
    """The examples of one split as download prepared them.

    Args:
        raw: folder of the prepared source.
        role: the split.
        names: names of the examples, in the shards' order.

    Raises:
        ArtifactError: an example with one of the names is missing, or a file is damaged.
    """

    def __init__(self, raw: Path, role: Role, names: Sequence[str]) -> None:
        self._source = read_source(raw)
        places = _places(raw, self._source, role, set(names))
        missing = [name for name in names if name not in places]
        if missing:
            raise ArtifactError(raw, f"has no example {missing[0]} in its {role} split, but the shards have one")
        self._examples = [places[name] for name in names]

    def size(self, index: int) -> Size:
        """Return the height and width of an image; pixels."""
        [(example, features)] = read_features([self._examples[index]], self._source)
        name = f"{example.split}/{example_name(example, features, self._source)}"
        image = decode_image(features[self._source.image_feature], name).image
        return image.height, image.width

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return an image uint8 [H, W, 3] and its labels uint8 [H, W], void 255."""
        [(example, features)] = read_features([self._examples[index]], self._source)
        name = f"{example.split}/{example_name(example, features, self._source)}"
        image = decode_image(features[self._source.image_feature], name).image
        return np.asarray(image), decode_mask(features[self._source.mask_feature], name, self._source)


def _places(raw: Path, source: Source, role: Role, names: set[str]) -> dict[str, SourceExample]:
    """Return the examples with the names, which preprocess may have held out of another split of the source."""
    places: dict[str, SourceExample] = {}
    for split in sorted(source.splits, key=lambda split: split != role):
        for example, features in read_features(list_examples(raw, source, split), source):
            name = example_name(example, features, source)
            if name in names:
                places.setdefault(name, example)
                if len(places) == len(names):
                    return places
    return places
