"""The images of a split at their original size, in the order of the shards."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskline.contracts.classes import Role
from maskline.contracts.fit import Size
from maskline.contracts.source import Source, read_source
from maskline.engine.staging import Area
from maskline.errors import ArtifactError
from maskline.shards.decode import decode_image, decode_mask, image_size
from maskline.shards.source_examples import SourceExample, example_name, list_examples, read_features
from maskline.shards.tfrecord import FOOTER, Record


class Originals(NamedTuple):
    """The examples of a split, or of a part of it, as download prepared them.

    Attributes:
        source: the prepared source.
        examples: their places in its files, in the shards' order.
    """

    source: Source
    examples: Sequence[SourceExample]

    def part(self, images: range) -> "Originals":
        """Return the examples at some positions."""
        return self._replace(examples=self.examples[images.start : images.stop])

    def size(self, index: int) -> Size:
        """Return the height and width of an image; pixels."""
        [(example, features)] = read_features([self.examples[index]], self.source)
        name = f"{example.split}/{example_name(example, features, self.source)}"
        return image_size(features[self.source.image_feature], name)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return an image uint8 [H, W, 3] and its labels uint8 [H, W], void 255."""
        [(example, features)] = read_features([self.examples[index]], self.source)
        name = f"{example.split}/{example_name(example, features, self.source)}"
        image = decode_image(features[self.source.image_feature], name).image
        return np.asarray(image), decode_mask(features[self.source.mask_feature], name, self.source)


def find_originals(raw: Path, role: Role, names: Sequence[str]) -> Originals:
    """Return the examples with these names.

    Args:
        raw: folder of the prepared source.
        role: the split.
        names: names of the examples, in the shards' order.

    Raises:
        ArtifactError: an example with one of the names is missing, or a file is damaged.
    """
    source = read_source(raw)
    places = _places(raw, source, role, set(names))
    missing = [name for name in names if name not in places]
    if missing:
        raise ArtifactError(raw, f"has no example {missing[0]} in its {role} split, but the shards have one")
    return Originals(source, [places[name] for name in names])


@contextlib.contextmanager
def copied(originals: Originals, area: Area) -> Iterator[Originals]:
    """Yield the same examples, whose records an area holds, in one file on this node's disk until the block ends.

    Raises:
        InputError: the area cannot be read.
    """
    if area.url is None:
        yield originals
        return
    places = list(originals.examples)
    in_files = sorted(range(len(places)), key=lambda index: places[index].record)
    with tempfile.TemporaryDirectory(prefix="maskline-") as folder, open(Path(folder) / "records", "wb") as file:
        for path, of_file in groupby(in_files, key=lambda index: places[index].record.path):
            indices = list(of_file)
            ranges = [(places[index].record.offset, places[index].record.length + FOOTER) for index in indices]
            for index, data in zip(indices, area.read(path, ranges), strict=True):
                record = Record(file.name, file.tell(), places[index].record.length)
                places[index] = places[index]._replace(record=record)
                file.write(data)
        file.flush()
        yield originals._replace(examples=places)


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
