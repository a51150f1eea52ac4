"""The embedded data set: the same bytes everywhere, and what its description promises."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from maskline.datasets.sources import drawing, shapes
from maskline.files.artifacts import stored_png

ROOT = Path(__file__).parents[1]

# SHA-256 of the PNG of a picture and of its labels, by stream and index.
PINNED = {
    (0, 0): (
        "bff5dc1571581e8c24479dc9e167a09475dcfe829e1673e05d7b4a69d5f49e2c",
        "0640b2b37f7bf5e7f88a27ecaecc3eda87211b84c7714f339f0e18a961e8c9d5",
    ),
    (0, 319): (
        "6e88b9525c8b6a9d55d552091adf9bdd447bba518b656c58c58b2a2b8118c1ca",
        "c48e6fa31eba047b0609f02b4dc5fcae0cfeb65fc5d10a582c640f949d148a97",
    ),
    (1, 63): (
        "c7c0396eb0a70836386502818664305059717c23a4956f37daa24f10d42893fb",
        "2484cf62354b97bb17f194f7886a0b8f33ab036ed9868c2fe54332fb1288870c",
    ),
    (2, 7): (
        "9d370e0bcb0c561c362e6b9b0f2f0f698670ef5996d4ba9f0cb6fd3476cb7e05",
        "2cb6365b66482496504fd25acdb350cf77f110f0e7386ec6e57c6e8b93e7c920",
    ),
}


@pytest.mark.parametrize("key", PINNED)
def test_pictures_are_pinned(key: tuple[int, int]) -> None:
    assert tuple(hashlib.sha256(stored_png(pixels)).hexdigest() for pixels in drawing.draw(*key)) == PINNED[key]


def test_another_process_draws_the_same() -> None:
    code = (
        "import hashlib; from maskline.datasets.sources.drawing import draw; image, labels = draw(2, 7); "
        "print(hashlib.sha256(image.tobytes() + labels.tobytes()).hexdigest())"
    )
    image, labels = drawing.draw(2, 7)
    here = hashlib.sha256(image.tobytes() + labels.tobytes()).hexdigest()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    env["NPY_DISABLE_CPU_FEATURES"] = "AVX2"
    there = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True)
    assert there.stdout.strip() == here


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.stack([drawing.draw(0, index)[1] for index in range(80)])


def test_labels_are_the_classes_and_void(labels: np.ndarray) -> None:
    assert set(np.unique(labels)) == {*range(len(drawing.CLASSES)), drawing.VOID}


def test_classes_are_imbalanced(labels: np.ndarray) -> None:
    pixels = np.bincount(labels.ravel(), minlength=256)[1:7]
    assert pixels[0] == pixels.max() and pixels[-1] == pixels.min()
    assert 3 < pixels.max() / pixels.min() < 12


def test_void_stands_between_any_two_classes(labels: np.ndarray) -> None:
    for first, second in ((labels[:, 1:], labels[:, :-1]), (labels[:, :, 1:], labels[:, :, :-1])):
        differ = first != second
        assert np.all((first == drawing.VOID)[differ] | (second == drawing.VOID)[differ])
    assert 0.02 < (labels == drawing.VOID).mean() < 0.15


def test_pictures_are_of_uint8_and_differ() -> None:
    first, second = drawing.draw(0, 0)[0], drawing.draw(0, 1)[0]
    assert first.shape == (128, 128, 3) and first.dtype == np.uint8
    assert np.abs(first.astype(int) - second).mean() > 10
    assert first.std() > 15


def test_no_test_picture_is_a_train_picture() -> None:
    streams = [
        {drawing.draw(stream, index)[0].tobytes() for index in range(12)} for stream in range(len(shapes.SPLITS))
    ]
    assert not streams[0] & streams[1] and not streams[0] & streams[2] and not streams[1] & streams[2]
