"""An ensemble is made of model files, and is evaluated, predicted and exported like one model."""

import json
import shutil

import keras
import numpy as np
import pytest
from networks import build, images
from project import ROOT
from raw_data import pairs, write_raw
from test_export import check, export, refusal

import maskline
from maskline.cli.main import main
from maskline.contracts.manifest import read_manifest
from maskline.contracts.model_info import Preprocessing, read_keras_info
from maskline.engine import pool
from maskline.export.graph import in_float32
from maskline.files.artifacts import sha256
from maskline.models.ensemble import Ensemble
from maskline.models.files import load_model, save_model
from maskline.models.segmentation import SegmentationModel
from maskline.prediction.runtimes.opening import open_runtime
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

NAMES = ["sky", "tree", "crème brûlée"]
COLORS = ["#141e28", "#dc3c32", "#3cc85a"]
MADE = Preprocessing(height=32, width=48)


def member(seed, architecture="unet", **changes):
    keras.utils.set_random_seed(seed)
    options = {"width": 4, "dropout": 0.0, "freeze_encoder": False, "precision": "float32", "preprocessing": MADE}
    return SegmentationModel(architecture, "unet", NAMES, COLORS, **(options | changes))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A pipeline's folder with shards and three members, one of which has another test split."""
    folder = tmp_path_factory.mktemp("project")
    write_raw(folder / "data/raw", {"train": pairs(3, 1), "validation": pairs(2, 2), "test": pairs(4, 3)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])
        build_shards(folder / "data/raw", folder / "data/shards", Target(32, 48, "raw"), 3, SplitOptions(1, None, 0.1))
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    split = {"test_split": read_manifest(folder / "data/shards").digest("test")}
    save_model(member(1, **split), folder / "a.keras")
    save_model(member(2, "convtranspose", dropout=0.5, precision="mixed_bfloat16", **split), folder / "b.keras")
    save_model(member(3, test_split="0" * 64), folder / "other_fold.keras")
    (folder / "data/model").mkdir()
    shutil.copy(folder / "a.keras", folder / "same.keras")
    return folder


@pytest.fixture(scope="module")
def ensemble(project):
    keras.utils.clear_session()  # as in a new process, because Keras numbers its layers
    join(project / "a.keras", project / "b.keras", "-o", project / "ensemble.keras")
    return project / "ensemble.keras"


def join(*arguments):
    main(["ensemble", *map(str, arguments)])


def test_it_predicts_the_mean_of_its_members(project, ensemble):
    found, members = load_model(ensemble), [load_model(project / name) for name in ("a.keras", "b.keras")]
    x = images(40, 33)
    mean = np.mean([one.probabilities(x) for one in members], axis=0)
    np.testing.assert_allclose(found.probabilities(x), mean, atol=1e-6)
    np.testing.assert_allclose(keras.ops.softmax(found(x)), mean, atol=1e-6)
    sample = np.mean([members[0].probabilities(x), members[1].sampled(x, 3)], axis=0)
    np.testing.assert_allclose(found.sampled(x, 3), sample, atol=1e-6)
    labels = maskline.load_model(ensemble).predict(x[0]).labels
    assert labels.shape == (40, 33)


def test_the_file_says_what_it_is_and_has_the_same_bytes_again(project, ensemble):
    info, first = read_keras_info(ensemble), read_keras_info(project / "a.keras")
    assert info == first.model_copy(
        update={"architecture": "unet, convtranspose", "test_splits": 2 * first.test_splits}
    )
    assert load_model(ensemble).sources == [sha256(project / name) for name in ("a.keras", "b.keras")]
    keras.utils.clear_session()
    join(project / "a.keras", project / "b.keras", "-o", project / "again.keras")
    assert (project / "again.keras").read_bytes() == ensemble.read_bytes()


def test_bayesian_segnet_averages_its_own_samples(tmp_path):
    members = [build("bayesian_segnet"), build("segnet")]
    found = Ensemble(members, ["1" * 64, "2" * 64])
    assert found.samples == members[0].samples > 0
    x = images(32, 32, 1)
    passes = [found.sampled(x, number) for number in range(1, found.samples + 1)]
    np.testing.assert_allclose(np.mean(passes, axis=0), found.probabilities(x), atol=1e-5)
    assert [one.get_config()["precision"] for one in in_float32(found).members] == ["float32"] * 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["a.keras"], "an ensemble needs two models or more; name more .keras files. Received: 1"),
        (["a.keras", "gone.keras"], "gone.keras is missing"),
        (["a.keras", "same.keras"], "same.keras is the same model as"),
        (["a.keras", "ensemble.keras"], "ensemble.keras is an ensemble itself; name its members instead"),
        (["a.keras", "classes.keras"], "classes.keras knows the classes tree (#141e28), sky (#dc3c32), crème brûlée"),
        (["a.keras", "size.keras"], "size.keras was trained on images of 64x48 (height x width) with the fit stretch"),
    ],
)
def test_what_cannot_be_joined_is_refused(files, words, project, ensemble):
    config = json.loads(json.dumps(member(1).get_config()))
    for name, changes in {
        "classes": {"class_names": [NAMES[1], NAMES[0], NAMES[2]]},
        "size": {"preprocessing": MADE.model_dump(mode="json") | {"height": 64}},
    }.items():
        if f"{name}.keras" in files:
            save_model(SegmentationModel.from_config(config | changes), project / f"{name}.keras")
    out = project / "refused.keras"
    assert words in refusal(join, *(project / name for name in files), "-o", out)
    assert not out.exists()


@pytest.mark.parametrize("name", ["a.keras", "out.onnx", "no folder/out.keras"])
def test_the_place_of_the_ensemble_is_checked_first(name, project):
    before = sha256(project / "a.keras")
    assert "--output" in refusal(join, project / "a.keras", project / "b.keras", "-o", project / name)
    assert sha256(project / "a.keras") == before


def test_it_is_evaluated_with_every_metric(project, ensemble, tmp_path, capsys):
    main(["evaluate", str(ensemble), "--folder", str(project), "-o", str(tmp_path / "scores")])
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "scores/metrics/evaluation.json").read_text())
    for name, value in found.items():
        assert any(line.startswith(name) and f"{value:.4f}" in line for line in shown.splitlines())
    assert "on 4 test images" in shown and (tmp_path / "scores/evaluation/counts.npz").exists()
    assert "exists; name a new folder" in refusal(
        main, ["evaluate", str(ensemble), "--folder", str(project), "-o", str(tmp_path / "scores")]
    )


@pytest.mark.slow
def test_it_is_exported_through_the_gate(project, ensemble, tmp_path, capsys):
    shutil.copy(ensemble, project / "data/model/model.keras")
    export(project, "--format", "onnx", "-o", tmp_path / "e.onnx")
    runtime, x = open_runtime(tmp_path / "e.onnx"), images(40, 33)
    np.testing.assert_allclose(
        runtime.probabilities(x), in_float32(load_model(ensemble)).probabilities(x), rtol=1e-3, atol=1e-5
    )
    assert runtime.export.score.images == 4 and runtime.info.architecture == "unet, convtranspose"


@pytest.fixture
def folds(project, tmp_path, capsys):
    join(project / "a.keras", project / "other_fold.keras", "-o", tmp_path / "folds.keras")
    assert "Its members have different test splits, as folds have" in capsys.readouterr().out
    return tmp_path / "folds.keras"


def test_an_ensemble_of_folds_has_no_score_on_images_that_a_member_knows(project, folds, capsys):
    sentence = refusal(main, ["evaluate", str(folds), "--folder", str(project)])
    assert "has members that were trained with another test split than" in sentence and "--folder" in sentence
    one = refusal(main, ["evaluate", str(project / "other_fold.keras"), "--folder", str(project)])
    assert "other_fold.keras was trained with another test split" in one
    check(project, folds, "--model", folds)
    assert "may know its test images: these figures say only how far the two files agree" in capsys.readouterr().out


@pytest.mark.slow
def test_the_export_of_an_ensemble_of_folds_records_no_score(project, folds, tmp_path, capsys):
    shutil.copy(folds, project / "data/model/model.keras")
    export(project, "--format", "savedmodel", "-o", tmp_path / "served")
    assert "keeps the model's score, but records none" in capsys.readouterr().out
    assert open_runtime(tmp_path / "served").export.score is None
