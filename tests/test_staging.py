"""The staging area: ranges read by few requests, copies, whole files written, and an area that is cleared."""

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.engine import ray, staging
from maskline.engine.staging import LOCAL, Area, staged
from maskline.errors import InputError

DATA = bytes(range(256)) * 4


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "raw" / "data"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Choose Ray with a staging folder; nothing here starts it."""
    folder = tmp_path / "staging"
    folder.mkdir()
    monkeypatch.setenv("MASKLINE_ENGINE", "ray")
    monkeypatch.setenv("MASKLINE_STAGING", str(folder))
    return folder


@given(st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 300)), max_size=20), st.integers(0, 50))
def test_ranges_are_read_as_from_the_disk(tmp_path_factory, ranges, gap):
    folder = tmp_path_factory.mktemp("ranges")
    (folder / "data").write_bytes(DATA)
    area = Area(f"file://{folder}/area")
    (folder / "area").mkdir()
    area._put(folder / "data", folder / "data")
    before, staging._GAP, staging._SPAN = (staging._GAP, staging._SPAN), gap, 400
    try:
        assert list(area.read(folder / "data", ranges)) == [DATA[o : o + n] for o, n in ranges]
        assert list(LOCAL.read(folder / "data", ranges)) == [DATA[o : o + n] for o, n in ranges]
    finally:
        staging._GAP, staging._SPAN = before


@pytest.mark.parametrize(
    ("ranges", "requests"),
    [
        ([(0, 10), (14, 6), (20, 5)], 1),  # neighbors, with the footer of a record between them
        ([(0, 10), (2**23 + 10, 5)], 1),  # a gap that costs less than a request
        ([(0, 10), (2**23 + 11, 5)], 2),
        ([(100, 10), (0, 10)], 2),  # another order
        ([(n * 2**20, 2**20) for n in range(64)], 1),
        ([(n * 2**20, 2**20) for n in range(65)], 2),  # more than a task should hold in memory
        ([(0, 2**30)], 1),
        ([], 0),
    ],
)
def test_neighboring_ranges_are_one_request(ranges, requests):
    spans = list(staging._spans(ranges))
    assert len(spans) == requests
    assert [found for span in spans for found in span] == ranges


def test_files_go_there_and_back_and_nothing_is_left(raw, place, tmp_path):
    out = tmp_path / "out"
    with staged([raw]) as area:
        in_task = pickle.loads(pickle.dumps(area))
        raw.write_bytes(b"")  # tasks have the copy alone
        assert b"".join(in_task.read(str(raw), [(0, 2000)])) == DATA
        with in_task.copies(raw.parent, ["data"]) as folder:
            assert folder != raw.parent and (folder / "data").read_bytes() == DATA
        assert not folder.exists()
        with in_task.writing(out) as file:
            file.write_bytes(b"shard")
        assert not out.exists() and not file.exists()
        area.bring(out, digest(b"shard"))
    assert out.read_bytes() == b"shard"
    assert not any(place.iterdir())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_area_is_cleared_after_an_error(error, raw, place, tmp_path):
    with pytest.raises(error), staged([raw]) as area:
        assert any(place.iterdir())
        with area.writing(tmp_path / "out") as file:
            file.write_bytes(b"half")
            raise error
    assert not any(place.iterdir())


def test_a_file_that_changed_on_its_way_is_refused(raw, place, tmp_path):
    with (
        pytest.raises(InputError, match=r"^out is not what a task wrote to file://.*; run again\.$"),
        staged([raw]) as area,
    ):
        with area.writing(tmp_path / "out") as file:
            file.write_bytes(b"shard")
        area.bring(tmp_path / "out", digest(b"other"))


@pytest.mark.parametrize("name", ["absent/folder", "nowhere://bucket", "s3a+b://x"])
def test_an_area_that_cannot_be_reached_is_one_sentence(name, raw, place, monkeypatch):
    monkeypatch.setenv("MASKLINE_STAGING", name)
    with (
        pytest.raises(InputError, match=r"cannot be written \(.*\); MASKLINE_STAGING must name a place that"),
        staged([raw]),
    ):
        pass


def test_a_node_that_does_not_see_the_area_says_so(raw, place, tmp_path):
    with pytest.raises(InputError, match=r"^file://.* cannot be read \(.*every node can read and write\.$"):
        list(Area(f"file://{tmp_path}/elsewhere").read(raw, [(0, 1)]))


def test_the_pool_uses_the_disk_and_copies_nothing(raw, place, monkeypatch, tmp_path):
    monkeypatch.delenv("MASKLINE_ENGINE")
    with staged([raw]) as area:
        assert area == LOCAL and not any(place.iterdir())
        with area.copies(raw.parent, ["data"]) as folder, area.writing(tmp_path / "out") as file:
            assert (folder, file) == (raw.parent, tmp_path / "out")
            file.write_bytes(b"shard")
        area.bring(tmp_path / "out", digest(b"any"))


def test_ray_without_an_area_asks_whether_the_disk_is_shared(raw, place, monkeypatch):
    monkeypatch.setenv("MASKLINE_STAGING", "")
    asked = []
    monkeypatch.setattr(ray, "refuse_several_nodes", asked.append)
    with staged([raw]) as area:
        assert area == LOCAL
    assert asked == ["name a place that all of them reach in MASKLINE_STAGING: a shared folder, or s3://bucket/folder"]
