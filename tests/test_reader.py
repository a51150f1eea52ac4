import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from raw_data import pairs, write_raw

from maskline.contracts.manifest import read_manifest
from maskline.errors import ArtifactError, InputError
from maskline.shards.read import reader as reader_module
from maskline.shards.read.batches import readers_errors, training_batches
from maskline.shards.read.reader import ShardReader
from maskline.shards.tfrecord import frame
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

OPTIONS = SplitOptions(seed=3, limit=None, validation_fraction=0.25)
SHARD = "train-00001-of-00003.tfrecord"


def build(tmp_path, encoding):
    write_raw(tmp_path / "raw", {"train": pairs(9), "validation": pairs(2, 1), "test": pairs(3, 2)})
    build_shards(tmp_path / "raw", tmp_path / "shards", Target(24, 16, encoding), 3, OPTIONS)
    return tmp_path / "shards"


@pytest.fixture(params=["raw", "png", "jpeg"])
def encoded_shards(request, tmp_path, in_process):
    return build(tmp_path, request.param)


@pytest.fixture
def shards(tmp_path, in_process):
    return build(tmp_path, "raw")


def nothing(image, labels, draws):
    pass


def opened(shards):
    return ShardReader(shards, read_manifest(shards), "train")


def edit_manifest(shards, change):
    values = json.loads((shards / "manifest.json").read_text())
    change(values)
    (shards / "manifest.json").write_text(json.dumps(values))


def test_shards_have_the_fields_features(encoded_shards):
    encoding = read_manifest(encoded_shards).encoding
    record = next(iter(tf.data.TFRecordDataset(str(encoded_shards / "test-00000-of-00001.tfrecord"))))
    integers, texts = ("height", "width"), ("encoded", "format", "filename")
    masks = ("segmentation/class/encoded", "segmentation/class/format")
    example = tf.io.parse_single_example(
        record,
        {f"image/{key}": tf.io.FixedLenFeature([], tf.int64) for key in integers}
        | {f"image/{key}": tf.io.FixedLenFeature([], tf.string) for key in texts + masks},
    )
    assert example["image/height"] == 24 and example["image/width"] == 16
    assert example["image/format"] == encoding.encode()
    assert example["image/segmentation/class/format"] == (b"raw" if encoding == "raw" else b"png")
    assert example["image/filename"].numpy().decode() == "photo 000 é.png"
    (image,), (labels,) = ShardReader(encoded_shards, read_manifest(encoded_shards), "test").read([0])
    stored = [example["image/encoded"], example["image/segmentation/class/encoded"]]
    if encoding == "raw":
        assert [data.numpy() for data in stored] == [image.tobytes(), labels.tobytes()]
    else:
        np.testing.assert_array_equal(tf.io.decode_png(stored[1])[..., 0], labels)
        difference = np.abs(tf.io.decode_image(stored[0]).numpy().astype(int) - image)
        assert difference.mean() < 2 and (encoding == "jpeg" or not difference.any())


def test_any_order_gives_each_example(encoded_shards):
    reader = opened(encoded_shards)
    assert len(reader) == 9 and reader.size == (24, 16)
    images, labels = reader.read(range(9))
    assert images.shape == (9, 24, 16, 3) and labels.shape == (9, 24, 16)
    assert images.dtype == labels.dtype == np.uint8
    order = np.random.default_rng(0).permutation(9)
    for got, whole in zip(reader.read([*order, 4, 4]), (images, labels), strict=True):
        np.testing.assert_array_equal(got, whole[[*order, 4, 4]])
    assert len({image.tobytes() for image in images}) == 9


def test_a_part_is_that_of_the_whole_and_opens_its_own_shards_alone(encoded_shards):
    manifest, whole = read_manifest(encoded_shards), opened(encoded_shards)
    images, labels = whole.read(range(9))
    for start in range(9):
        for stop in range(start + 1, 10):
            part = ShardReader(encoded_shards, manifest, "train", range(start, stop))
            assert part.names == whole.names[start:stop] and len(part) == stop - start
            for got, expected in zip(part.read(range(len(part))), (images, labels), strict=True):
                np.testing.assert_array_equal(got, expected[start:stop])
    (encoded_shards / SHARD).unlink()
    for alone in (range(3), range(6, 9)):
        assert ShardReader(encoded_shards, manifest, "train", alone).names == whole.names[alone.start : alone.stop]
    with pytest.raises(ArtifactError, match=rf"{SHARD} is missing, but the manifest lists it"):
        ShardReader(encoded_shards, manifest, "train", range(2, 4))


def test_few_open_files_are_enough(shards, monkeypatch):
    whole = opened(shards).read(range(9))
    monkeypatch.setattr(reader_module, "_OPEN_FILES", 1)
    order = [8, 0, 4, 1, 7]
    for got, expected in zip(opened(shards).read(order), whole, strict=True):
        np.testing.assert_array_equal(got, expected[order])


def test_threads_that_share_few_open_files_do_not_close_each_others(shards, monkeypatch):
    monkeypatch.setattr(reader_module, "_OPEN_FILES", 1)
    reader = opened(shards)
    whole = reader.read(range(9))
    orders = [np.random.default_rng(seed).permutation(9) for seed in range(200)]
    with ThreadPoolExecutor(8) as pool:
        for order, found in zip(orders, pool.map(reader.read, orders), strict=True):
            np.testing.assert_array_equal(found[0], whole[0][order])
            np.testing.assert_array_equal(found[1], whole[1][order])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.unlink(), "is missing, but the manifest lists it"),
        (lambda p: p.write_bytes(b""), "holds 0 bytes, but the manifest records"),
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "bytes, but the manifest records"),
        (lambda p: p.write_bytes(p.read_bytes() + b"\0"), "bytes, but the manifest records"),
    ],
    ids=["missing", "zero bytes", "cut", "longer"],
)
def test_a_damaged_shard_is_named(encoded_shards, damage, words):
    damage(encoded_shards / SHARD)
    with pytest.raises(InputError) as caught:
        opened(encoded_shards)
    sentence = str(caught.value)
    assert sentence.startswith(f"{encoded_shards / SHARD} ") and words in sentence
    assert isinstance(caught.value, ArtifactError) and caught.value.path == encoded_shards / SHARD


def test_a_flipped_bit_anywhere_is_named(shards):
    path, rng = shards / SHARD, np.random.default_rng(0)
    whole = path.read_bytes()
    for offset in rng.integers(0, len(whole), 40).tolist():
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"{SHARD} is not the file the manifest records"):
            opened(shards)


def test_a_crc_that_fails_is_named_even_where_the_manifest_agrees(shards):
    from maskline.files.artifacts import sha256

    path = shards / SHARD
    damaged = bytearray(path.read_bytes())
    damaged[100] ^= 1
    path.write_bytes(damaged)
    edit_manifest(shards, lambda m: m["splits"]["train"]["shards"][1].update(sha256=sha256(path)))
    with pytest.raises(InputError, match=rf"{SHARD} is damaged: the record at byte 12 fails its CRC"):
        opened(shards)


@pytest.mark.parametrize(
    "change",
    [{"height": 48}, {"width": 8}, {"height": 16, "width": 16}, {"encoding": "png"}],
    ids=["higher", "narrower", "smaller", "png"],
)
def test_a_manifest_of_other_raw_shards_is_refused(shards, change):
    edit_manifest(shards, lambda m: m.update(change))
    with pytest.raises(InputError, match=r"train-00000-of-00003\.tfrecord does not hold the \d+x\d+ (raw|png) images"):
        opened(shards)


@pytest.mark.parametrize("change", [{"height": 48}, {"encoding": "raw"}, {"width": 24, "height": 16}])
def test_a_manifest_of_other_encoded_shards_is_refused(tmp_path, in_process, change):
    shards = build(tmp_path, "png")
    edit_manifest(shards, lambda m: m.update(change))
    with pytest.raises(InputError, match="images that the manifest records"):
        opened(shards)


def test_a_manifest_of_another_number_of_examples_is_refused(shards):
    def move(manifest):
        first, second, _ = manifest["splits"]["train"]["shards"]
        first["examples"], second["examples"] = 2, 4

    edit_manifest(shards, move)
    with pytest.raises(
        InputError, match=r"train-00000-of-00003\.tfrecord holds 3 examples, but the manifest records 2"
    ):
        opened(shards)


def test_a_shard_that_shrinks_while_it_is_read_is_refused(shards):
    reader = opened(shards)
    for path in shards.glob("train-*"):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"train-00000-of-00003\.tfrecord was truncated while it was read"):
        reader.read([1])


def test_no_record_is_taken_for_an_example_of_another_split(shards):
    """Shards swapped between splits are not what the manifest records, though each is sound."""
    path = shards / SHARD
    path.write_bytes((shards / "train-00000-of-00003.tfrecord").read_bytes())
    with pytest.raises(InputError, match=f"{SHARD}"):
        opened(shards)
    path.write_bytes(frame(b"no example"))
    with pytest.raises(InputError, match=f"{SHARD}"):
        opened(shards)


def test_a_shard_that_shrinks_or_goes_while_training_is_told_as_it_is(shards):
    """And not as TensorFlow's error, which holds the text of another and a traceback."""
    for damage, reason in ((lambda path: os.truncate(path, 100), "was truncated"), (Path.unlink, "was removed")):
        reader = opened(shards)
        whole = (shards / SHARD).read_bytes()
        stream = iter(training_batches(reader, 2, nothing, 1, range(100)))
        damage(shards / SHARD)
        with pytest.raises(ArtifactError, match=rf"{SHARD} {reason} while it was read$"), readers_errors():
            for _ in stream:
                pass
        (shards / SHARD).write_bytes(whole)


def test_another_error_of_tensorflow_is_left_as_it_is():
    with pytest.raises(tf.errors.InvalidArgumentError), readers_errors():
        tf.ensure_shape(tf.zeros(2), (3,))
        tf.reshape(tf.zeros(2), (3,))


def test_no_more_shards_are_open_than_a_quarter_of_the_limit(shards):
    """In a process of its own that may open few files."""
    program = f"""
import resource
from pathlib import Path
from maskline.contracts.manifest import read_manifest
from maskline.shards.read.reader import ShardReader
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
manifest = read_manifest(Path({str(shards)!r}))
readers = [ShardReader(Path({str(shards)!r}), manifest, role) for role in ("train", "validation")]
for number in range(40):
    place = Path({str(shards)!r}, readers[0]._paths[0].name)
    readers[0]._paths = [place] * 40
    readers[0]._open(number)
print(readers[0].read([0, 1])[0].shape)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout == "(2, 24, 16, 3)\n", done.stderr
