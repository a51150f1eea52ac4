"""model.start_from: a network starts with the weights of a trained one, and its classes are found by name."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import NAMES, build, images, without_values
from test_knobs import params

from maskline.errors import InputError
from maskline.models.catalogue import NETWORKS
from maskline.models.ensemble import Ensemble
from maskline.models.files import save_model
from maskline.models.segmentation import SegmentationModel
from maskline.planning.trial.shards import synthetic_manifest
from maskline.training import setup, start
from maskline.training.start import start_from


def renamed(model: SegmentationModel, names: list[str], **changes) -> SegmentationModel:
    """Return a network with other classes and other random weights."""
    keras.utils.set_random_seed(8)
    colors = [f"#{number:06x}" for number in range(len(names))]
    return SegmentationModel.from_config(model.get_config() | {"class_names": names, "class_colors": colors} | changes)


@pytest.fixture
def starts(monkeypatch):
    """Return a function that starts a network from another that is in memory."""

    def run(model, trained):
        monkeypatch.setattr(start, "load_model", lambda path: trained)
        return start_from(model, "start.keras", "start.keras")

    return run


def of_classes(model, names):
    """Return the outputs that hold classes, with these classes alone."""
    labels = [model.class_names.index(name) for name in names]
    found = model.network(tf.cast(images(32, 32, 1), tf.float32))
    return {name: output.numpy()[..., labels] for name, output in found.items() if name != "points"}


@pytest.mark.parametrize("architecture", NETWORKS)
def test_classes_are_the_end_of_their_axes_in_every_network(architecture):
    """Weights of other axes have the same shape for any number of classes."""
    with without_values():
        three, four = build(architecture), renamed(build(architecture), [*NAMES, "water"])
    axes = start._class_axes(three, four)
    assert any(axes)
    for here, there, found in zip(start._floats(three), start._floats(four), axes, strict=True):
        assert [there.shape[axis] - here.shape[axis] for axis in found] == [1] * len(found)


# These have classes in several layers, FCN on two axes.
@pytest.mark.parametrize("architecture", ["fcn8s", "pspnet"])
def test_classes_of_the_same_name_keep_their_logits(architecture, starts):
    trained = build(architecture)
    model = renamed(trained, ["tree", "water", "ground"])
    fresh = of_classes(model, ["water"])["logits"]
    assert starts(model, trained) == ["water"]
    before, after = (of_classes(network, ["ground", "tree"]) for network in (trained, model))
    assert after.keys() == before.keys()
    for name in before:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-4, atol=1e-5)
    assert np.abs(fresh - of_classes(model, ["water"])["logits"]).max() > 1e-6


def test_classes_in_another_order_keep_their_logits(starts):
    """Each layer of PointRend's head takes the logits of all classes, after its features."""
    trained = build("pointrend")
    model = renamed(trained, NAMES[::-1])
    assert starts(model, trained) == []
    before, after = (of_classes(network, NAMES)["logits"] for network in (trained, model))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def set_up(monkeypatch, weights=None, **changes):
    """Do what train does before its first step, but for the checks of that step."""
    monkeypatch.setattr(setup, "_check_step", lambda *_: None)
    chosen = params(**changes)
    manifest, size = synthetic_manifest(chosen.preprocess, 3, 4), (chosen.preprocess.height, chosen.preprocess.width)
    return setup.set_up(manifest, size, weights, chosen.model, chosen.train).trainer


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A trained model with dropout, and its file."""
    path = tmp_path_factory.mktemp("start") / "first.keras"
    with pytest.MonkeyPatch.context() as patch:
        model = set_up(patch, **{"seed": 7, "model.dropout": 0.5, "train.precision": "mixed_bfloat16"}).model
    for variable in start._floats(model):
        variable.assign(1.1 * variable)  # statistics too
    save_model(model, path)
    return path, model


def test_the_same_classes_have_equal_logits_before_the_first_step(saved, monkeypatch, capsys):
    path, trained = saved
    changes = {"model.start_from": "mine.keras", "train.ema": 0.9, "train.precision": "mixed_bfloat16"}
    trainer = set_up(monkeypatch, path, **changes)
    np.testing.assert_array_equal(trainer.model(images()), trained(images()))
    for average, variable in zip(trainer.average.variables, trainer.average._followed, strict=True):
        np.testing.assert_array_equal(average, variable)
    assert capsys.readouterr().out == "train: starts from mine.keras.\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.width": 5}, r"mine\.keras cannot start this network, because its width is 4; .*model\.width.*5$"),
        ({"model.architecture": "convtranspose"}, r"its architecture is unet; set model\.architecture to that, or"),
    ],
)
def test_another_network_is_refused(changes, words, saved, monkeypatch):
    with pytest.raises(InputError, match=words):
        set_up(monkeypatch, saved[0], **{"model.start_from": "mine.keras"} | changes)


def test_an_ensemble_or_a_damaged_file_is_refused(saved, monkeypatch, tmp_path):
    path, model = saved
    (tmp_path / "cut.keras").write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"mine\.keras cannot be loaded .*; name another model in model\.start_from"):
        start_from(model, tmp_path / "cut.keras", "mine.keras")
    monkeypatch.setattr(start, "load_model", lambda path: Ensemble([model, model], ["1" * 64, "2" * 64]))
    with pytest.raises(InputError, match=r"mine\.keras is an ensemble; name one of its members"):
        start_from(model, path, "mine.keras")
