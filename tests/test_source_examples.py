"""Listed examples: arrays that behave as the list of their examples, and stay small."""

import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.shards.source_examples import Examples, SourceExample, joined
from maskline.shards.tfrecord import Record, frame, record_places, records
from maskline.shards.write.pairing import pairs

FILES, SPLITS = ("a.tfrecord", "b.tfrecord", "c.tfrecord"), ("train", "train", "test")
PLACES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2**31 - 1), st.integers(0, 2**62), st.integers(0, 2**62)), max_size=12
)


def examples_of(places):
    dtype = [("file", np.int32), ("position", np.int32), ("offset", np.int64), ("length", np.int64)]
    return Examples(FILES, SPLITS, np.array(places, dtype))


def listed(places):
    return [
        SourceExample(Record(FILES[f], offset, length), SPLITS[f], position) for f, position, offset, length in places
    ]


@given(PLACES, st.slices(12), st.data())
def test_examples_are_those_of_the_list(places, part, data):
    examples, expected = examples_of(places), listed(places)
    assert list(examples) == expected and [examples[i] for i in range(len(examples))] == expected
    assert list(examples[part]) == expected[part]
    chosen = data.draw(st.lists(st.integers(0, max(0, len(places) - 1)), max_size=len(places)))
    assert list(examples[np.array(chosen, np.int64)]) == [expected[i] for i in chosen]
    assert list(pickle.loads(pickle.dumps(examples[part]))) == expected[part]


@given(st.lists(PLACES, min_size=1, max_size=4))
def test_parts_are_joined_in_order(parts):
    assert list(joined(map(examples_of, parts))) == [example for places in parts for example in listed(places)]


def test_a_pickled_part_names_the_files_of_its_own_examples_alone():
    part = examples_of([(2, 0, 0, 1), (0, 1, 5, 1), (2, 2, 9, 1)])[:1]
    assert pickle.loads(pickle.dumps(part)).files == ("c.tfrecord",)


def test_a_million_examples_are_24_mb_and_a_task_of_64_carries_2_kb():
    places = np.zeros(1_000_000, examples_of([]).places.dtype)
    examples = Examples(FILES, SPLITS, places)
    assert sys.getsizeof(places) < 24.1e6
    assert len(pickle.dumps(examples[64:128])) < 2100 and np.shares_memory(examples[64:128].places, places)


def test_places_are_those_of_the_records(tmp_path):
    path = tmp_path / "some.tfrecord"
    path.write_bytes(b"".join(frame(bytes(length)) for length in (3, 0, 500)))
    assert record_places(path).tolist() == [[record.offset, record.length] for record in records(path)]


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@given(places=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=9))
def test_pairs_are_each_place_with_each_of_its_own(chunk, places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskline.shards.write.pairing._CHUNK", chunk)
        starts, counts = np.array(places, np.int64).reshape(-1, 2).T
        chunks = list(pairs(starts, counts))
    assert all(len(first) == len(second) <= chunk for first, second in chunks)
    found = [(int(a), int(b)) for first, second in chunks for a, b in zip(first, second, strict=True)]
    assert found == [(i, start + j) for i, (start, count) in enumerate(places) for j in range(count)]
