"""The pictures of examples beside the audit: which images they show, and how."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from raw_data import PALETTE, Pair, encoded, painted, pairs, write_raw

from maskline.contracts.manifest import read_manifest
from maskline.shards.read.reader import ShardReader
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
from maskline.shards.write.examples import LONGEST, MOST

ROLES = ("train", "validation", "test")
RAW = Target(32, 32, "raw")


def build(folder, splits, target=RAW, shard=3):
    write_raw(folder / "raw", splits)
    build_shards(folder / "raw", folder / "shards", target, shard, SplitOptions(1, None, 0.25))
    return folder / "shards"


def three(train=9, validation=2, test=5):
    counts = {"train": train, "validation": validation, "test": test}
    return {role: pairs(count, seed, role) for seed, (role, count) in enumerate(counts.items())}


def halves(path):
    """Return a picture's two halves, each uint8 [h, w, 3]."""
    return np.split(np.asarray(Image.open(path).convert("RGB")), 2, axis=1)


@pytest.mark.parametrize("encoding", ["raw", "png"])
def test_pictures_show_the_image_and_its_painted_mask(tmp_path, in_process, encoding):
    shards = build(tmp_path, three(), Target(24, 40, encoding))
    manifest, index = read_manifest(shards), json.loads((shards / "examples/index.json").read_text())
    for role in ROLES:
        reader = ShardReader(shards, manifest, role)
        for number, name in enumerate(index[role]):
            images, labels = reader.read([reader.names.index(name)])
            image, mask = halves(shards / f"examples/{role}-{number}.png")
            np.testing.assert_array_equal(image, images[0])
            np.testing.assert_array_equal(mask, np.where((labels[0] == 255)[..., None], 255, painted(labels[0])))


def test_images_are_chosen_by_their_name_alone(tmp_path, in_process):
    splits = three()
    index = json.loads((build(tmp_path / "one", splits) / "examples/index.json").read_text())
    for role, examples in splits.items():
        ordered = sorted((pair.name for pair in examples), key=lambda name: hashlib.sha256(name.encode()).digest())
        assert index[role] == ordered[:MOST]
    assert [len(index[role]) for role in ROLES] == [4, 2, 4]
    turned = {role: examples[::-1] for role, examples in splits.items()}
    other = build(tmp_path / "two", turned, shard=2)
    assert json.loads((other / "examples/index.json").read_text()) == index
    for path in (other / "examples").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "one/shards/examples" / path.name).read_bytes()


def test_large_images_are_shrunk_and_keep_their_colours(tmp_path, in_process):
    labels = np.repeat(np.repeat(np.array([[0, 1], [2, 255]], np.uint8), 100, axis=0), 200, axis=1)
    pair = Pair("large", encoded(painted(labels)), encoded(labels))
    splits = {role: [pair._replace(name=role, image=encoded(painted(labels) + i))] for i, role in enumerate(ROLES)}
    shards = build(tmp_path, splits, Target(200, 400, "raw"))
    image, mask = halves(shards / "examples/train-0.png")
    assert image.shape == mask.shape == (LONGEST // 2, LONGEST, 3)
    assert {tuple(color) for color in mask.reshape(-1, 3).tolist()} == {
        *map(tuple, PALETTE[:3].tolist()),
        (255, 255, 255),
    }
    assert (image[:20, :40] == PALETTE[0]).all()
