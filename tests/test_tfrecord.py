import random

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from maskline.errors import ArtifactError
from maskline.shards.tfrecord import (
    bytes_features,
    encode_example,
    frame,
    integer_features,
    masked_crc,
    read_record,
    records,
)

FEATURES = st.dictionaries(st.text(), st.binary(max_size=300) | st.integers(0, 2**63 - 1), max_size=5)
VALUES = st.one_of(
    st.lists(st.binary(max_size=200), max_size=3).map(
        lambda v: tf.train.Feature(bytes_list=tf.train.BytesList(value=v))
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(
        lambda v: tf.train.Feature(int64_list=tf.train.Int64List(value=v))
    ),
    st.lists(st.floats(width=32), max_size=3).map(lambda v: tf.train.Feature(float_list=tf.train.FloatList(value=v))),
    st.just(tf.train.Feature()),
)


def parsed(data):
    """Read an Example by TensorFlow."""
    features = tf.train.Example.FromString(data).features.feature
    return {
        key: value.bytes_list.value[0] if value.WhichOneof("kind") == "bytes_list" else value.int64_list.value[0]
        for key, value in features.items()
    }


def contents(path):
    """Read a file as the reader and preprocess do."""
    with open(path, "rb") as file:
        return [read_record(file, record) for record in records(path)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file of three records and what they hold; the second is empty."""
    held = [encode_example({"image": bytes(range(90)), "height": 7}), b"", b"third"]
    path = tmp_path_factory.mktemp("records") / "name é.tfrecord"
    path.write_bytes(b"".join(map(frame, held)))
    return path, held


@given(FEATURES)
def test_tensorflow_parses_what_is_encoded(features):
    data = encode_example(features)
    assert parsed(data) == features
    assert {key: data[place] for key, place in bytes_features(data).items()} == {
        key: value for key, value in features.items() if isinstance(value, bytes)
    }
    assert integer_features(data) == {key: value for key, value in features.items() if isinstance(value, int)}


@given(FEATURES)
def test_the_bytes_do_not_depend_on_the_order_of_keys(features):
    assert encode_example(dict(reversed(features.items()))) == encode_example(features)


def test_parse_single_example_reads_it():
    data = encode_example({"image/encoded": b"\x00\xff" * 200, "image/height": 300})
    specification = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/height": tf.io.FixedLenFeature([], tf.int64),
    }
    got = tf.io.parse_single_example(data, specification)
    assert got["image/encoded"].numpy() == b"\x00\xff" * 200 and got["image/height"].numpy() == 300


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.booleans())
def test_single_bytes_of_any_example_are_found(features, deterministic):
    example = tf.train.Example(features=tf.train.Features(feature=features))
    data = example.SerializeToString(deterministic=deterministic)
    found = {key: data[place] for key, place in bytes_features(data).items()}
    assert found == {
        key: value.bytes_list.value[0] for key, value in features.items() if len(value.bytes_list.value) == 1
    }


@given(
    st.binary(max_size=60) | FEATURES.map(encode_example).flatmap(lambda d: st.integers(0, len(d)).map(lambda n: d[:n]))
)
def test_any_other_bytes_give_places_or_a_value_error(data):
    try:
        found = bytes_features(data)
    except ValueError:
        return
    assert all(0 <= place.start <= place.stop <= len(data) for place in found.values())


def test_tensorflow_reads_the_file(written):
    path, held = written
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(path))] == held


def test_the_file_of_tensorflow_is_read(tmp_path, written):
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for data in written[1]:
            writer.write(data)
    assert contents(tmp_path / "theirs") == written[1]
    assert (tmp_path / "theirs").read_bytes() == written[0].read_bytes()


@given(st.binary(max_size=100))
def test_checksum_is_a_32_bit_number_of_the_data(data):
    assert 0 <= masked_crc(data) < 2**32
    assert masked_crc(data) != masked_crc(data + b"\x01")


def test_a_flipped_bit_at_any_byte_is_detected(tmp_path, written):
    whole, bits = written[0].read_bytes(), random.Random(0)
    path = tmp_path / "flipped é.tfrecord"
    for offset in range(len(whole)):
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << bits.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"flipped é\.tfrecord is damaged: .*CRC$"):
            contents(path)


def test_a_file_cut_at_any_byte_is_detected_but_between_records(tmp_path, written):
    """A cut between two records leaves a sound shorter file; the manifest's size and checksum detect that one."""
    path, held = written
    whole = path.read_bytes()
    ends = [sum(len(frame(data)) for data in held[:count]) for count in range(len(held) + 1)]
    cut = tmp_path / "cut.tfrecord"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        if length and length in ends:
            assert contents(cut) == held[: ends.index(length)]
        else:
            with pytest.raises(ArtifactError, match="it is empty" if length == 0 else "ends inside a record at byte"):
                contents(cut)


def test_a_file_that_shrinks_after_it_was_listed_is_detected(tmp_path, written):
    path = tmp_path / "shrunk.tfrecord"
    path.write_bytes(written[0].read_bytes())
    last = list(records(path))[-1]
    path.write_bytes(path.read_bytes()[:-6])
    with open(path, "rb") as file, pytest.raises(ArtifactError, match="ends inside a record"):
        read_record(file, last)


@pytest.mark.parametrize("folder", ["raw", "shards"])
def test_the_remedy_names_the_stage_that_wrote_the_file(tmp_path, folder):
    """The stage's entry adds the remedy; it finds the stage by the error's path."""
    path = tmp_path / folder / "empty.tfrecord"
    path.parent.mkdir()
    path.touch()
    with pytest.raises(ArtifactError, match=r"is damaged: it is empty$") as caught:
        list(records(path))
    assert caught.value.path == path
