"""Predictions undo each fit exactly: native evaluation counts the pixels that `maskline predict` writes."""

from pathlib import Path

import numpy as np
import pytest
from networks import NAMES, build
from onnx_models import write_onnx
from PIL import Image
from raw_data import PALETTE, pairs_of_shapes, source, write_raw

import maskline
from maskline.cli.main import main
from maskline.contracts.counts import new_counts
from maskline.contracts.manifest import read_manifest
from maskline.contracts.model_info import Preprocessing
from maskline.engine import pool
from maskline.errors import ArtifactError, InputError
from maskline.evaluation.counting import count_split
from maskline.evaluation.evaluate import evaluate
from maskline.evaluation.predicted_split import PredictedSplit
from maskline.export.gate import counted
from maskline.files.yaml12 import read_yaml
from maskline.metrics.boundary import TRIMAP_DISTANCES
from maskline.metrics.calibration import BINS
from maskline.metrics.confusion import confusion
from maskline.models.files import save_model
from maskline.params.evaluate import EvaluateParams
from maskline.prediction.fitting import fitted
from maskline.prediction.inference import Inference, predictor
from maskline.prediction.runtimes.opening import open_runtime
from maskline.shards.decode import decode_mask
from maskline.shards.read.originals import find_originals
from maskline.shards.read.reader import ShardReader
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

ROOT = Path(__file__).parents[1]
FITS = ("stretch", "pad", "crop")
SIZE = (32, 48)
TEST = pairs_of_shapes(7, 2, "test")


@pytest.fixture(scope="module", params=FITS)
def ready(request, tmp_path_factory):
    """A folder with raw data, shards of a fit, and the test images as files; and the fit."""
    folder = tmp_path_factory.mktemp(request.param)
    splits = {"train": pairs_of_shapes(4, 1), "validation": pairs_of_shapes(3, 3, "validation"), "test": TEST}
    about = source(splits={role: role for role in splits})
    names = [c.model_copy(update={"name": name}) for c, name in zip(about.classes, NAMES, strict=True)]
    write_raw(folder / "raw", splits, about.model_copy(update={"classes": names}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])
        target = Target(*SIZE, "raw", request.param)
        build_shards(folder / "raw", folder / "shards", target, 3, SplitOptions(1, None, 0.1))
    (folder / "images").mkdir()
    for pair in TEST:
        (folder / "images" / pair.name).write_bytes(pair.image)
    return folder, request.param


@pytest.fixture(scope="module")
def keras_file(ready):
    folder, fit = ready
    network = build(preprocessing=Preprocessing(height=SIZE[0], width=SIZE[1], fit=fit))
    reader = ShardReader(folder / "shards", read_manifest(folder / "shards"), "test")
    bias = network.trainable_variables[-1]
    bias.assign(bias - np.mean(network(reader.read(range(7))[0]), axis=(0, 1, 2)))  # or one class would win everywhere
    last = next(v for v in reversed(network.trainable_variables) if v.path.endswith("kernel"))
    last.assign(4 * last)
    save_model(network, folder / "model.keras")
    return folder / "model.keras"


def colors():
    """Return the colors in which the images show the classes."""
    return dict(zip(NAMES, ("#{:02x}{:02x}{:02x}".format(*color) for color in PALETTE.tolist()), strict=False))


@pytest.fixture(scope="module")
def onnx_file(ready):
    return write_onnx(ready[0] / "model.onnx", colors(), SIZE, ready[1])


def settings(**changes) -> EvaluateParams:
    return EvaluateParams.model_validate(read_yaml(ROOT / "params.yaml")["evaluate"] | {"samples": 1} | changes)


def written(folder, model, out, *options):
    """Count the pixels of the PNG files that the command writes, int64 [N, C, C]."""
    main(["predict", str(model), str(folder / "images"), "-o", str(out), *options])
    found = []
    for pair in TEST:
        with Image.open(out / "labels" / pair.name) as labels:
            found.append(confusion(decode_mask(pair.mask, "m", source()), np.asarray(labels), len(NAMES))[0])
    return np.array(found)


@pytest.mark.parametrize(
    ("options", "params"),
    [
        ([], {}),
        (["--flip", "--scales", "0.5", "1"], {"flip": True, "scales": [0.5, 1.0]}),
        (["--refine", "crf"], {"refine": "crf"}),
        (["--window", "32"], {"window": 32}),
    ],
    ids=["plain", "averaged", "refined", "windows"],
)
def test_native_counts_of_evaluate_are_those_of_the_files_of_predict(ready, keras_file, tmp_path, options, params):
    folder, _ = ready
    evaluate(
        folder / "raw", folder / "shards", keras_file, tmp_path / "evaluation", tmp_path / "metrics",
        params=settings(resolution="native", **params), batch_size=3, seed=1,
    )  # fmt: skip
    counts = np.load(tmp_path / "evaluation/counts.npz")
    assert list(counts["filenames"]) == [pair.name for pair in TEST]
    np.testing.assert_array_equal(counts["matrices"], written(folder, keras_file, tmp_path / "out", *options))


def test_native_counts_of_an_exported_file_are_those_of_the_files_of_predict(ready, onnx_file, tmp_path):
    folder, _ = ready
    runtime = open_runtime(onnx_file)
    reader = ShardReader(folder / "shards", read_manifest(folder / "shards"), "test")
    made, originals = runtime.info.preprocessing, find_originals(folder / "raw", "test", reader.names)
    split = PredictedSplit(reader, made, originals, False, predictor(runtime, fitted(Inference(), made)), None)
    with new_counts(tmp_path, reader.names, len(NAMES), len(TRIMAP_DISTANCES), BINS) as counts:
        count_split(split, 3, counts)
        matrices = np.array(counts.matrices)
    found = written(folder, onnx_file, tmp_path / "out")
    np.testing.assert_array_equal(matrices, found)
    assert np.trace(found.sum(axis=0)) / found.sum() > 0.95  # the labels lie where they belong


def test_python_gives_what_the_command_writes(ready, keras_file, tmp_path):
    folder, _ = ready
    main(["predict", str(keras_file), str(folder / "images"), "-o", str(tmp_path)])
    loaded = maskline.load_model(keras_file)
    for pair in TEST:
        labels = np.asarray(Image.open(tmp_path / "labels" / pair.name))
        np.testing.assert_array_equal(loaded.predict(folder / "images" / pair.name).labels, labels)


def test_a_file_of_one_size_gives_the_same_labels(ready, onnx_file, tmp_path):
    folder, fit = ready
    fixed = write_onnx(tmp_path / "fixed.onnx", colors(), SIZE, fit, any_size=False)
    for pair in TEST:
        path = folder / "images" / pair.name
        of_any, of_one = (maskline.load_model(file).predict(path).labels for file in (onnx_file, fixed))
        np.testing.assert_array_equal(of_one, of_any)


def test_padding_counts_nowhere(ready, keras_file, tmp_path):
    """At the shards' size the counts hold each pixel of the images once, and no other."""
    folder, _ = ready
    evaluate(
        folder / "raw", folder / "shards", keras_file, tmp_path / "evaluation", tmp_path / "metrics",
        params=settings(), batch_size=3, seed=1,
    )  # fmt: skip
    counts = np.load(tmp_path / "evaluation/counts.npz")
    split = read_manifest(folder / "shards").splits["test"]
    np.testing.assert_array_equal(counts["matrices"].sum(axis=(0, 2)), split.pixels)
    assert counts["void"].sum() == split.void_pixels
    gate = counted("model", keras_file, open_runtime(keras_file), folder / "shards")
    np.testing.assert_array_equal(gate.matrices, counts["matrices"])


def test_a_model_of_another_fit_does_not_pass_the_gate(ready, tmp_path):
    folder, fit = ready
    other = FITS[FITS.index(fit) - 1]
    path = write_onnx(tmp_path / "other.onnx", colors(), SIZE, other)
    with pytest.raises(ArtifactError, match=f"was trained on images with the fit {other}, but .* have {fit}"):
        counted("other", path, open_runtime(path), folder / "shards")


def test_an_image_that_is_too_long_is_named_and_the_others_go_on(ready, onnx_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20_000, 1)).save("long.png")
    Image.new("RGB", (40, 30)).save("short.png")
    if ready[1] != "crop":
        main(["predict", str(onnx_file), "long.png", "short.png", "-o", "out"])
        assert Path("out/labels/long.png").exists()
        return
    with pytest.raises(SystemExit):
        main(["predict", str(onnx_file), "long.png", "short.png", "-o", "out"])
    assert "image long.png has the size 1x20000, too long a shape" in capsys.readouterr().err
    assert Path("out/labels/short.png").exists() and not Path("out/labels/long.png").exists()
    with pytest.raises(InputError, match=r"too long a shape .* predict with a window"):
        maskline.load_model(onnx_file).predict("long.png")
    assert maskline.load_model(onnx_file).predict("long.png", window=32).labels.shape == (1, 20_000)
