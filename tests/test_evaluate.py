"""Evaluation end to end on a small untrained model: everything follows from the per-image matrices."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from raw_data import pairs, write_raw

from maskline.contracts.classes import VOID
from maskline.contracts.manifest import read_manifest
from maskline.contracts.model_info import Preprocessing
from maskline.engine import pool
from maskline.errors import ArtifactError, InputError
from maskline.evaluation.evaluate import evaluate
from maskline.evaluation.gallery import random_indices
from maskline.evaluation.pictures import errors, paint, strip
from maskline.files.yaml12 import read_yaml
from maskline.metrics.scores import HEADLINES, summary
from maskline.models.files import load_model, save_model
from maskline.models.segmentation import SegmentationModel
from maskline.params.evaluate import EvaluateParams
from maskline.shards.read.reader import ShardReader
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

ROOT = Path(__file__).parents[1]
NAMES = ["sky", "tree", "crème brûlée"]
COLORS = ["#141e28", "#dc3c32", "#3cc85a"]


def model(names=NAMES, preprocessing=None):
    keras.utils.set_random_seed(2)
    return SegmentationModel("unet", "unet", names, COLORS, 4, 0.2, False, "float32", preprocessing=preprocessing)


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A folder with shards and a model."""
    folder = tmp_path_factory.mktemp("run")
    write_raw(folder / "raw", {"train": pairs(4, 1), "validation": pairs(2, 2), "test": pairs(7, 3)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])
        build_shards(folder / "raw", folder / "shards", Target(32, 48, "raw"), 3, SplitOptions(1, None, 0.1))
    network = model()
    images, _ = ShardReader(folder / "shards", read_manifest(folder / "shards"), "test").read(range(7))
    bias = network.trainable_variables[-1]
    bias.assign(bias - np.mean(network(images), axis=(0, 1, 2)))  # or it would predict one class alone
    save_model(network, folder / "model.keras")
    return folder


def settings(**changes) -> EvaluateParams:
    values = read_yaml(ROOT / "params.yaml")["evaluate"]
    return EvaluateParams.model_validate(values | {"samples": 2} | changes)


def run(ready, out, batch_size=3, model_file="model.keras", **changes):
    evaluate(
        ready / "raw", ready / "shards", ready / model_file, out / "evaluation", out / "metrics",
        params=settings(**changes), batch_size=batch_size, seed=1,
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def done(ready, tmp_path_factory):
    return run(ready, tmp_path_factory.mktemp("out"))


def test_every_figure_follows_from_the_counts(done):
    arrays = np.load(done / "evaluation/counts.npz")
    found = json.loads((done / "metrics/evaluation.json").read_text())
    every = summary(arrays["matrices"], NAMES)
    decide = [*HEADLINES, *(f"iou.{name}" for name in NAMES)]
    assert {key: found[key] for key in decide} == {key: every[key] for key in decide}
    assert set(found) == {*decide, "boundary_iou", "expected_calibration_error"}
    classes = pd.read_csv(done / "metrics/classes.csv")
    assert list(classes["class"]) == NAMES
    for column in ("iou", "dice", "precision", "recall", "pixels"):
        assert list(classes[column]) == [every[f"{column}.{name}"] for name in NAMES]
    np.testing.assert_array_equal(arrays["matrices"].sum(axis=(1, 2)) + arrays["void"].sum(axis=1), 32 * 48)
    assert (arrays["void"].sum(axis=1) > 0).all()
    table = pd.read_csv(done / "metrics/confusion.csv")
    np.testing.assert_array_equal(table["pixels"].to_numpy().reshape(3, 3), arrays["matrices"].sum(axis=0))
    assert list(table["actual"][::3]) == list(table["predicted"][:3]) == NAMES
    np.testing.assert_allclose(table.groupby("actual")["share"].sum(), 1.0, atol=1e-5)
    images = pd.read_csv(done / "evaluation/images.csv")
    assert list(images["filename"]) == list(arrays["filenames"])
    hits = np.trace(arrays["matrices"], axis1=1, axis2=2)
    np.testing.assert_allclose(images["pixel_accuracy"], hits / arrays["matrices"].sum(axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(images["uncertainty"], arrays["uncertainty"], atol=1e-6)
    conventions = pd.read_csv(done / "metrics/conventions.csv", index_col="convention")["value"]
    assert conventions["mean_iou.data_set"] == found["mean_iou"]
    headlines = pd.read_csv(done / "metrics/headlines.csv")
    assert (
        dict(zip(headlines["figure"], headlines["value"], strict=True))
        | {f"iou.{name}": value for name, value in zip(NAMES, classes["iou"], strict=True)}
        == found
    )
    assert (headlines["low"] <= headlines["value"]).all() and (headlines["value"] <= headlines["high"]).all()
    assert (classes["low"] <= classes["iou"]).all() and (classes["iou"] <= classes["high"]).all()
    valid = arrays["matrices"].sum()
    assert arrays["calibration"][..., 0].sum() == valid
    assert arrays["calibration"][..., 1].sum() == hits.sum()
    assert pd.read_csv(done / "metrics/calibration.csv")["pixels"].sum() == valid
    record = json.loads((done / "evaluation/figures.json").read_text())
    about = json.loads((done / "evaluation/about.json").read_text())
    assert (record["test_split"], record["resolution"]) == (about["test_split"], about["resolution"])
    for name in ("headlines", "classes", "conventions"):
        pd.testing.assert_frame_equal(pd.DataFrame(record[name]), pd.read_csv(done / f"metrics/{name}.csv"))


def test_the_matrices_are_the_models_own_predictions(ready, done):
    reader = ShardReader(ready / "shards", read_manifest(ready / "shards"), "test")
    arrays = np.load(done / "evaluation/counts.npz")
    loaded = load_model(ready / "model.keras")
    for index, matrix in enumerate(arrays["matrices"]):
        images, labels = reader.read([index])
        predicted = np.argmax(loaded(images)[0], axis=-1)
        for truth in range(3):
            for prediction in range(3):
                assert matrix[truth, prediction] == ((labels[0] == truth) & (predicted == prediction)).sum()


def test_pictures_are_ranked_and_shown(done):
    index = json.loads((done / "evaluation/pictures.json").read_text())
    best, worst = ([entry["mean_iou"] for entry in index[kind]] for kind in ("best", "worst"))
    assert best == sorted(best, reverse=True)
    assert worst == sorted(worst)
    assert max(worst) <= min(best)
    uncertain = [entry["uncertainty"] for entry in index["uncertain"]]
    assert uncertain == sorted(uncertain, reverse=True)
    assert index["kinds"] == ["image", "truth", "prediction", "errors", "uncertainty"]
    for entry in [*index["best"], *index["worst"], *index["uncertain"], *index["random"]]:
        for name in index["kinds"]:
            assert Image.open(done / "evaluation" / entry["folder"] / f"{name}.png").size == (48, 32)
    assert sorted(path.name for path in (done / "metrics/samples").iterdir()) == ["1.png", "2.png"]
    assert Image.open(done / "metrics/samples/1.png").size == (5 * 48 + 4 * 4, 32)


def test_same_bytes_twice_and_the_same_counts_in_other_batches(ready, done, matrices, tmp_path):
    again = run(ready, tmp_path / "again")
    files = [path.relative_to(done) for path in done.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert all((done / name).read_bytes() == (again / name).read_bytes() for name in files)
    ours = np.load(done / "evaluation/counts.npz")["matrices"]
    np.testing.assert_allclose(ours, matrices(), atol=2)


def test_more_samples_than_images_are_all_images(ready, tmp_path):
    run(ready, tmp_path, samples=24)
    assert len(list((tmp_path / "metrics/samples").iterdir())) == 7


def test_samples_of_dropout_come_with_a_map_of_their_mutual_information(ready, tmp_path):
    run(ready, tmp_path, dropout_samples=2)
    index = json.loads((tmp_path / "evaluation/pictures.json").read_text())
    assert index["kinds"] == ["image", "truth", "prediction", "errors", "uncertainty", "mutual_information"]
    folder = tmp_path / "evaluation" / index["random"][0]["folder"]
    maps = [np.asarray(Image.open(folder / f"{kind}.png"), int) for kind in ("uncertainty", "mutual_information")]
    assert (maps[0] >= maps[1]).all() and maps[1].max() > 0


def test_random_pictures_depend_on_names_alone():
    names = [f"{i}.png" for i in range(20)]
    chosen = {names[i] for i in random_indices(names, 5)}
    backwards = names[::-1]
    assert {backwards[i] for i in random_indices(backwards, 5)} == chosen


def test_at_native_size_every_pixel_of_the_originals_counts(ready, done, tmp_path):
    run(ready, tmp_path, resolution="native")
    arrays = np.load(tmp_path / "evaluation/counts.npz")
    np.testing.assert_array_equal(arrays["matrices"].sum(axis=(1, 2)) + arrays["void"].sum(axis=1), 40 * 48)
    assert list(arrays["filenames"]) == list(np.load(done / "evaluation/counts.npz")["filenames"])
    entry = json.loads((tmp_path / "evaluation/pictures.json").read_text())["random"][0]
    assert (entry["height"], entry["width"]) == (40, 48)
    assert Image.open(tmp_path / "evaluation" / entry["folder"] / "truth.png").size == (48, 40)


# Each param of evaluate, and what must be set beside it to be seen.
TURNED = {
    "resolution": ("native", {}),
    "flip": (True, {}),
    "scales": ([0.5, 1.0], {}),
    "window": (32, {}),
    "dropout_samples": (2, {}),
    "refine": ("grabcut", {}),
    "crf.iterations": (1, {"refine": "crf"}),
    "crf.gaussian_sigma": (1.0, {"refine": "crf"}),
    "crf.gaussian_weight": (0.0, {"refine": "crf"}),
    "crf.bilateral_sigma_xy": (2.0, {"refine": "crf"}),
    "crf.bilateral_sigma_rgb": (100.0, {"refine": "crf"}),
    "crf.bilateral_weight": (0.0, {"refine": "crf"}),
}


def test_every_param_is_turned():
    values = read_yaml(ROOT / "params.yaml")["evaluate"]
    assert set(TURNED) | {"samples", "crf"} == set(values) | {f"crf.{key}" for key in values["crf"]}


@pytest.fixture(scope="module")
def matrices(ready, tmp_path_factory):
    """Evaluate in one batch, with some params changed, once for each such set; return the confusion matrices."""
    found = {}

    def of(**changes):
        name = json.dumps(changes, sort_keys=True)
        if name not in found:
            out = run(ready, tmp_path_factory.mktemp("turned"), batch_size=7, **changes)
            found[name] = np.load(out / "evaluation/counts.npz")["matrices"]
        return found[name]

    return of


@pytest.mark.parametrize("key", TURNED)
def test_a_turned_param_changes_the_counts_and_keeps_their_sum(matrices, key):
    value, beside = TURNED[key]
    section, _, inner = key.rpartition(".")
    change = (
        {section: read_yaml(ROOT / "params.yaml")["evaluate"][section] | {inner: value}} if section else {key: value}
    )
    before, after = matrices(**beside), matrices(**(beside | change))
    assert not np.array_equal(before, after)
    if key != "resolution":
        np.testing.assert_array_equal(before.sum(axis=2), after.sum(axis=2))


def test_the_originals_themselves_are_predicted_in_windows(matrices):
    whole, windows = matrices(resolution="native"), matrices(resolution="native", window=32)
    assert not np.array_equal(whole, windows)
    np.testing.assert_array_equal(whole.sum(axis=2), windows.sum(axis=2))


def test_a_model_of_other_classes_is_refused_and_earlier_outputs_stay(ready, done, tmp_path):
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    other = tmp_path / "other.keras"
    save_model(model(["sky", "tree", "car"]), other)
    with pytest.raises(InputError, match=r"other\.keras knows the classes sky, tree, car, but .*crème brûlée"):
        run(ready, tmp_path, model_file=other)
    assert (tmp_path / "metrics/evaluation.json").read_bytes() == (done / "metrics/evaluation.json").read_bytes()
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            Preprocessing(height=64, width=64),
            r"trained on images of 64x64 \(height x width\), but .*manifest\.json have",
        ),
        (Preprocessing(height=32, width=48, fit="pad"), r"trained on images with the fit pad, but .* have stretch"),
    ],
)
def test_a_model_of_other_images_is_refused(made, words, ready, tmp_path):
    save_model(model(preprocessing=made), tmp_path / "other.keras")
    with pytest.raises(ArtifactError, match=rf"other\.keras was {words}"):
        run(ready, tmp_path, model_file=tmp_path / "other.keras")
    assert not (tmp_path / "evaluation").exists()


def test_a_model_of_nan_is_refused_and_earlier_outputs_stay(ready, done, tmp_path):
    shutil.copytree(done, tmp_path / "out")
    dead = model()
    dead.trainable_variables[-1].assign([np.nan] * 3)
    save_model(dead, ready / "dead.keras")
    with pytest.raises(InputError, match=r"probabilities for .* are NaN; train it again"):
        run(ready, tmp_path / "out", model_file="dead.keras")
    files = [path.relative_to(done) for path in done.rglob("*") if path.is_file()]
    assert all((tmp_path / "out" / name).read_bytes() == (done / name).read_bytes() for name in files)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["evaluation", "metrics"]


def test_a_corrupted_shard_is_refused_by_name(ready, tmp_path):
    broken = shutil.copytree(ready / "shards", tmp_path / "shards")
    path = sorted(broken.glob("test-*"))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"test-00000-of-00003\.tfrecord is not the file the manifest records"):
        evaluate(
            ready / "raw", broken, ready / "model.keras", tmp_path / "evaluation", tmp_path / "metrics",
            params=settings(), batch_size=2, seed=1,
        )  # fmt: skip
    assert not (tmp_path / "evaluation").exists()


def test_pictures_by_hand():
    labels = np.array([[0, 1, VOID]], np.uint8)
    np.testing.assert_array_equal(paint(labels, ["#010203", "#ff0080"]), [[[1, 2, 3], [255, 0, 128], [255, 255, 255]]])
    grey = np.full((1, 3, 3), 100, np.uint8)
    shown = errors(grey, labels, np.array([[0, 0, 0]], np.uint8))
    assert shown[0, 0].tolist() == [162, 162, 162]
    assert shown[0, 1, 0] > 2 * shown[0, 1, 1]
    assert shown[0, 2].tolist() == [255, 255, 255]
    assert strip([shown, shown]).shape == (1, 3 + 4 + 3, 3)


def test_labels_of_validation_and_test_are_checked_in_batches_of_any_size(ready, done, tmp_path):
    again = run(ready, tmp_path, batch_size=2)
    for name in ("metrics/suspects.csv", "metrics/suspect_images.csv", "evaluation/suspects.json"):
        assert (again / name).read_bytes() == (done / name).read_bytes()
    found = json.loads((done / "evaluation/suspects.json").read_text())
    assert found["images"] == 2 + 7
    table = pd.read_csv(done / "metrics/suspects.csv")
    assert set(table["split"]) == {"validation", "test"}
    assert set(table["label"]) | set(table["predicted"]) <= set(NAMES)
    assert (table["label"] != table["predicted"]).all() and (table["score"].diff().dropna() <= 0).all()
    assert (table["x"] + table["width"] <= table["image_width"]).all()
    assert (table["y"] + table["height"] <= table["image_height"]).all()
    assert set(zip(table["image_height"], table["image_width"], strict=True)) == {(40, 48)}  # the originals' size
    images = pd.read_csv(done / "metrics/suspect_images.csv")
    shown = [picture["filename"] for picture in found["pictures"]]
    assert shown == list(images["filename"])[: len(shown)] and len(shown) == 2
    for picture in found["pictures"]:
        files = sorted(path.name for path in (done / "evaluation" / picture["folder"]).iterdir())
        assert files == ["image.png", "prediction.png", "truth.png"]


def test_labels_are_checked_at_the_images_own_size(ready, tmp_path):
    run(ready, tmp_path, resolution="native")
    found = json.loads((tmp_path / "evaluation/suspects.json").read_text())
    assert {(picture["height"], picture["width"]) for picture in found["pictures"]} == {(40, 48)}
    assert len(pd.read_csv(tmp_path / "metrics/suspects.csv")) > 0
