"""`maskline predict` and `maskline.load_model` with a .keras file, which can do more than an exported one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from networks import NAMES, build, images
from PIL import Image

import maskline
from maskline.cli.main import main
from maskline.contracts.model_info import Preprocessing
from maskline.errors import ArtifactError, InputError
from maskline.models.files import save_model
from maskline.prediction.refine.crf import CrfParams, refined_by_crf
from maskline.prediction.resizing import resized_image

IMAGE = images(90, 70, 1)[0]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model trained at 48x64, and its file."""
    model = build(preprocessing=Preprocessing(height=48, width=64))
    path = tmp_path_factory.mktemp("model") / "model.keras"
    save_model(model, path)
    return model, path


@pytest.fixture(scope="module")
def loaded(saved):
    return maskline.load_model(saved[1])


def whole(model):
    """Return the probabilities as evaluate makes them for an image at its own size."""
    small = resized_image(IMAGE, (48, 64))[None]
    return tf.image.resize(model.probabilities(tf.constant(small)), IMAGE.shape[:2])[0].numpy()


def test_the_prediction_is_evaluate_s(saved, loaded):
    found, expected = loaded.predict(IMAGE), whole(saved[0])
    assert (found.labels == expected.argmax(axis=-1)).mean() > 0.9999
    np.testing.assert_allclose(found.confidence, expected.max(axis=-1), atol=1e-5)
    assert [area.name for area in found.areas] == NAMES


def test_a_refinement_sees_the_whole_image(saved, loaded):
    found, probabilities = loaded.predict(IMAGE, refine_with="crf"), whole(saved[0])
    expected = refined_by_crf(IMAGE, probabilities, CrfParams()).argmax(axis=-1)
    assert (found.labels == expected).mean() > 0.999
    np.testing.assert_allclose(
        found.confidence, np.take_along_axis(probabilities, found.labels[..., None], axis=-1)[..., 0], atol=1e-5
    )


@pytest.mark.parametrize(
    "options", [{"flip": True}, {"scales": (0.5, 1.0)}, {"window": 32}, {"refine_with": "grabcut"}]
)
def test_every_option_changes_something(loaded, options):
    plain, changed = loaded.predict(IMAGE), loaded.predict(IMAGE, **options)
    assert changed.labels.shape == plain.labels.shape and (changed.confidence != plain.confidence).any()


def test_dropout_that_is_not_there_is_refused(loaded):
    with pytest.raises(InputError, match="no dropout to sample"):
        loaded.predict(IMAGE, dropout_samples=2)


def test_a_window_below_the_stride_is_refused(loaded):
    with pytest.raises(InputError, match="window must be"):
        loaded.predict(IMAGE, window=2)


def test_a_model_without_its_training_size_is_refused(tmp_path):
    save_model(build(), tmp_path / "old.keras")
    with pytest.raises(ArtifactError, match="does not record the size of its training images"):
        maskline.load_model(tmp_path / "old.keras").predict(IMAGE)
    Image.fromarray(IMAGE).save(tmp_path / "1.png")
    with pytest.raises(SystemExit, match="does not record"):
        main(["predict", str(tmp_path / "old.keras"), str(tmp_path / "1.png"), "-o", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_the_command_writes_what_python_returns(saved, loaded, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(IMAGE).save("1 ü.png")
    options = ["--flip", "--scales", "0.5", "1", "--refine", "crf"]
    main(["predict", str(saved[1]), "1 ü.png", "-o", "out", *options])
    expected = loaded.predict(IMAGE, flip=True, scales=(0.5, 1.0), refine_with="crf")
    np.testing.assert_array_equal(np.asarray(Image.open("out/labels/1 ü.png")), expected.labels)
    rows = Path("out/areas.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[2]) for row in rows] == [area.pixels for area in expected.areas]
    assert "1 image predicted: out" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no dropout to sample"):
        main(["predict", str(saved[1]), "1 ü.png", "-o", "other", "--dropout-samples", "2"])
    assert not Path("other").exists()


def test_tensorflow_says_nothing_of_its_own(saved, tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "1.png")
    command = [sys.executable, "-m", "maskline", "predict", saved[1], tmp_path / "1.png", "-o", tmp_path / "out"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert done.stderr == ""
