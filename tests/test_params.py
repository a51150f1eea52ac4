import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.params.check import Params, check_params
from maskline.params.dataset import DatasetParams
from maskline.params.encoder import EncoderParams
from maskline.params.model import ModelParams
from maskline.params.preprocess import PreprocessParams
from maskline.params.section import Section
from maskline.params.selection import SelectionParams
from maskline.params.source import SourceParams
from maskline.params.train import LossParams, TrainParams

ROOT = Path(__file__).parents[1]
FOLDER = {"dataset.name": "folder", "dataset.path": "my photos", "dataset.classes": ["cat", "dog"]}
NAN, INFINITY = float("nan"), float("inf")


def read_params(path):
    return check_params(read_yaml(path), path)


def changed(tmp_path, changes):
    """Write the project's params with some keys changed, and return the file."""
    values = read_yaml(ROOT / "params.yaml")
    for key, value in changes.items():
        *sections, last = key.split(".")
        section = values
        for part in sections:
            section = section[part]
        section[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def sentence(tmp_path, changes):
    path = changed(tmp_path, changes)
    with pytest.raises(InputError) as caught:
        read_params(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text.removeprefix(f"{path}: ")


def leaves(model, prefix=""):
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def lines():
    """Yield each key of params.yaml and the text of its line, with the comment above it if it has none of its own."""
    sections = []
    for above, line in pairwise((ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()):
        if match := re.match(r"( *)(\w+):", line):
            depth = len(match[1]) // 2
            sections = [*sections[:depth], match[2]]
            yield ".".join(sections), line if "#" in line or not above.startswith("  # ") else f"{line}{above}"


def test_the_projects_params_are_valid():
    params = read_params(ROOT / "params.yaml")
    assert params.model_dump() == read_yaml(ROOT / "params.yaml")


def test_ci_params_are_valid():
    path = ROOT / "ci" / "params.yaml"
    if not path.exists():
        pytest.skip("ci/params.yaml is not there")
    assert read_params(path).repo == ".."


@pytest.mark.parametrize("path", sorted(ROOT.glob("recipes/*/params.yaml")), ids=lambda path: path.parent.name)
def test_a_recipes_params_are_valid_and_name_no_place_on_a_disk(path):
    params = read_params(path)
    assert params.model_dump() == read_yaml(path)
    assert params.repo == "../.."
    assert params.dataset.path is None and params.dataset.limit is None
    assert params.model.encoder_weights == "imagenet" and params.model.start_from is None


def test_every_key_of_the_file_has_a_field_and_the_reverse():
    keys = [key for key, _ in lines()]
    assert len(keys) == len(set(keys))
    sections = {key.rpartition(".")[0] for key in keys} - {""}
    assert set(keys) - sections == set(leaves(Params))


def test_every_key_has_a_comment():
    of_key = dict(lines())
    for key in leaves(Params):
        group = of_key.get(key.rpartition(".")[0], "")
        assert "  #" in of_key[key] or "  #" in group, f"{key} has no comment"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("train.epoch", 3, "unknown key train.epoch; did you mean train.epochs. Received: 3"),
        ("train.learning-rate", 1, "unknown key train.learning-rate; did you mean train.learning_rate. Received: 1"),
        ("sed", 1, "unknown key sed; did you mean seed. Received: 1"),
        ("train.loss.crossentropy", 1, "unknown key train.loss.crossentropy; did you mean train.loss.cross_entropy."),
        ("train.loss.loss_options", {}, "unknown key train.loss.loss_options"),
        ("train.loss_options.gamma", 2.0, "unknown key train.loss_options.gamma; did you mean train.loss_options.f"),
        ("preprocess.colour_space", "lab", "unknown key preprocess.colour_space; remove it. Received: 'lab'"),
    ],
)
def test_unknown_key_is_named_with_what_may_be_meant(tmp_path, key, value, expected):
    assert sentence(tmp_path, {key: value}).startswith(expected)


def test_unknown_key_is_told_before_the_values_it_may_explain(tmp_path):
    assert "unknown key seeds" in sentence(tmp_path, {"seeds": 1, "seed": "one"})


def test_missing_key_is_named(tmp_path):
    values = read_yaml(ROOT / "params.yaml")
    del values["train"]["loss"]["dice"]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=r"key train\.loss\.dice is missing; add it, or restore the line"):
        read_params(path)


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("seed", "1", "must be a whole number, without quotes"),
        ("seed", True, "must be a whole number"),
        ("seed", 1.0, "must be a whole number"),
        ("preprocess.height", None, "must be a whole number"),
        ("train.learning_rate", "0.001", "must be a number, without quotes"),
        ("train.learning_rate", True, "must be a number"),
        ("augment.flip", "true", "must be true or false, without quotes"),
        ("augment.flip", 1, "must be true or false"),
        ("dataset.name", None, "must be text"),
        ("dataset.classes", "cat", "must be a list"),
        ("dataset.classes", ["cat", 2], "must be text, in quotes"),
        ("dataset.void", 255, "must be a list"),
        ("dataset.values", 255, "must be a list"),
        ("dataset.void", [True], "must be a whole number"),
        ("dataset", None, "must be a mapping of keys"),
        ("train.loss", "dice", "must be a mapping of keys"),
        ("train.loss.lovasz", True, "must be a number"),
        ("train.loss_options", None, "must be a mapping of keys"),
        ("train.loss_options.focal_gamma", "2.0", "must be a number, without quotes"),
        ("train.precision", 32, "must be 'float32', 'mixed_bfloat16' or 'mixed_float16'"),
        ("evaluate.flip", 1, "must be true or false"),
        ("evaluate.scales", 1.0, "must be a list"),
        ("evaluate.crf", None, "must be a mapping of keys"),
    ],
)
def test_wrong_type_is_named(tmp_path, key, value, remedy):
    text = sentence(tmp_path, {key: value})
    wrong = value if not isinstance(value, list) else next(v for v in value if v != "cat")
    assert re.match(rf"{re.escape(key)}(\.\d)? {re.escape(remedy)}", text)
    assert text.endswith(f"Received: {wrong!r}")


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("seed", -1, "must be at least 0"),
        ("seed", 2**31, "must be below 2147483648"),
        ("dataset.name", "", "must not be empty"),
        ("dataset.classes", ["cat"], "must be a list of at least 2"),
        ("dataset.limit", 0, "must be at least 1"),
        ("dataset.masks", "colour", "must be 'index' or 'color'"),
        ("dataset.unseen", "ignore", "must be 'refuse' or 'allow'"),
        ("dataset.folds", 1, "must be at least 2"),
        ("dataset.folds", 21, "must be at most 20"),
        ("dataset.fold", 0, "must be at least 1"),
        ("dataset.validation_fraction", 0, "must be above 0.0"),
        ("dataset.test_fraction", 0.6, "must be at most 0.5"),
        ("dataset.group", "", "must not be empty"),
        ("preprocess.height", 15, "must be at least 16"),
        ("preprocess.width", 8193, "must be at most 8192"),
        ("preprocess.fit", "cover", "must be 'stretch', 'pad' or 'crop'"),
        ("preprocess.encoding", "webp", "must be 'raw', 'png' or 'jpeg'"),
        ("preprocess.examples_per_shard", 0, "must be at least 1"),
        ("model.architecture", "segmentnet", "must be 'convtranspose', 'fcn32s'"),
        ("model.encoder", "vgg", "must be 'unet', 'enet', 'vgg16_bn'"),
        ("model.output_stride", 32, "must be 8 or 16"),
        ("model.coarse", "unet", "must be 'deeplab', 'deeplabv2'"),
        ("model.width", 3, "must be at least 4"),
        ("model.dropout", 1.0, "must be below 1.0"),
        ("augment.scale", 0.9, "must be below 0.9"),
        ("augment.rotation", 181, "must be at most 180.0"),
        ("augment.translation", 1.1, "must be at most 1.0"),
        ("augment.crop", [64], "must be a list of at least 2"),
        ("augment.crop", [64, 64, 64], "must be a list of at most 2"),
        ("augment.crop_rare", -0.1, "must be at least 0.0"),
        ("augment.copy_paste", 1.1, "must be at most 1.0"),
        ("augment.hue", 181, "must be at most 180.0"),
        ("augment.blur", 11, "must be at most 10.0"),
        ("train.epochs", 0, "must be at least 1"),
        ("train.class_weights", "equal", "must be 'none', 'inverse', 'median_frequency' or 'per_image'"),
        ("train.optimizer", "rmsprop", "must be 'adam', 'adamw' or 'sgd'"),
        ("train.encoder_learning_rate", 0, "must be above 0.0"),
        ("train.encoder_learning_rate", 1.5, "must be at most 1.0"),
        ("train.momentum", 1, "must be below 1.0"),
        ("train.clip_norm", 0, "must be above 0.0"),
        ("train.clip_norm", 1001, "must be at most 1000.0"),
        ("train.schedule", "step", "must be 'constant', 'cosine', 'poly' or 'plateau'"),
        ("train.plateau.factor", 1, "must be below 1.0"),
        ("train.plateau.patience", 0, "must be at least 1"),
        ("train.workers", 0, "must be at least 1"),
        ("train.workers", 1025, "must be at most 1024"),
        ("train.learning_rate", 0, "must be above 0.0"),
        ("train.learning_rate", NAN, "must be"),
        ("train.learning_rate", INFINITY, "must be at most 10.0"),
        ("train.warmup_epochs", -0.5, "must be at least 0.0"),
        ("train.warmup_epochs", 100001, "must be at most 100000.0"),
        ("train.ema", 1, "must be below 1.0"),
        ("train.loss.dice", -0.5, "must be at least 0.0"),
        ("train.loss.lovasz", 100.5, "must be at most 100.0"),
        ("train.loss_options.label_smoothing", 1, "must be below 1.0"),
        ("train.loss_options.focal_gamma", -1, "must be at least 0.0"),
        ("train.loss_options.tversky_alpha", 0, "must be above 0.0"),
        ("train.loss_options.tversky_beta", 1.5, "must be at most 1.0"),
        ("train.loss_options.focal_tversky_gamma", 0.75, "must be at least 1.0"),
        ("train.loss_options.ohem_threshold", 1.1, "must be at most 1.0"),
        ("train.loss_options.ohem_share", -0.1, "must be at least 0.0"),
        ("train.loss_options.boundary_weight", 101, "must be at most 100.0"),
        ("train.loss_options.boundary_sigma", 0, "must be at least 0.1"),
        ("train.loss_options.boundary_sigma", 20.5, "must be at most 20.0"),
        ("evaluate.resolution", "shards", "must be 'model' or 'native'"),
        ("evaluate.scales", [], "must be a list of at least 1"),
        ("evaluate.window", 31, "must be at least 32"),
        ("evaluate.dropout_samples", -1, "must be at least 0"),
        ("evaluate.refine", "densecrf", "must be 'none', 'crf' or 'grabcut'"),
        ("evaluate.crf.iterations", 0, "must be at least 1"),
        ("evaluate.crf.gaussian_sigma", 0.4, "must be at least 0.5"),
        ("evaluate.crf.gaussian_weight", -1, "must be at least 0.0"),
        ("evaluate.crf.bilateral_sigma_xy", 1001, "must be at most 1000.0"),
        ("evaluate.crf.bilateral_sigma_rgb", 256, "must be at most 255.0"),
        ("evaluate.crf.bilateral_weight", 101, "must be at most 100.0"),
        ("evaluate.samples", 25, "must be at most 24"),
    ],
)
def test_value_out_of_range_is_named(tmp_path, key, value, remedy):
    text = sentence(tmp_path, {key: value})
    assert text.startswith(f"{key} {remedy}") and text.endswith(f"Received: {value!r}")


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY])
def test_no_number_may_be_infinite_or_nan(tmp_path, value):
    numbers = [key for key in leaves(Params) if isinstance(_leaf(read_params(ROOT / "params.yaml"), key), float)]
    assert len(numbers) > 10
    for key in numbers:
        assert sentence(tmp_path, {key: value}).startswith(f"{key}")


def _leaf(params, key):
    for part in key.split("."):
        params = getattr(params, part)
    return params


FROZEN = {"model.encoder": "mobilenet_v2", "model.encoder_weights": "imagenet"}
COLORS = {"dataset.masks": "color", "dataset.colors": ["#000000", "#FFffff"]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset.group": "(.+"}, ["dataset.group must be a regular expression", "unterminated", "'(.+'"]),
        ({"dataset.group": "video"}, ["dataset.group must be", "one group in parentheses", "'video'"]),
        ({"dataset.group": "(a)(b)"}, ["dataset.group must be", "one group in parentheses", "'(a)(b)'"]),
        ({"dataset.name": "folder"}, ["dataset.path must name your folder", "'none'"]),
        ({"dataset.name": "folder", "dataset.path": "x"}, ["dataset.classes must list the class names", "None"]),
        (FOLDER | {"dataset.masks": "color"}, ["dataset.colors must give one color per class", "None"]),
        (
            FOLDER | {"dataset.colors": ["#000000"]},
            ["dataset.colors must have one entry per entry of classes", "1 colors and 2 classes"],
        ),
        ({"dataset.colors": ["#000000", "#ffffff"]}, ["dataset.colors", "2 colors and 0 classes"]),
        (FOLDER | {"dataset.void": ["#ff00ff"]}, ["dataset.void must list label values", "#ff00ff"]),
        (FOLDER | COLORS | {"dataset.void": [255]}, ["dataset.void must list", "'#rrggbb'", "255"]),
        (FOLDER | {"dataset.void": [1, "#12"]}, ["dataset.void.1 must be a color such as", "'#12'"]),
        (FOLDER | {"dataset.void": [65536]}, ["dataset.void.0 must be at most 65535", "65536"]),
        (FOLDER | {"dataset.values": [0, 65536]}, ["dataset.values.1 must be at most 65535", "65536"]),
        (FOLDER | {"dataset.values": [0, [1, 65536]]}, ["dataset.values.1.1 must be at most 65535", "65536"]),
        (FOLDER | {"dataset.values": [0, []]}, ["dataset.values.1 must be a list of at least 1", "[]"]),
        (FOLDER | {"dataset.values": [0, "255"]}, ["dataset.values.1 must be a whole number, without quotes", "'255'"]),
        (FOLDER | {"dataset.values": [255]}, ["dataset.values must have one entry per entry of classes", "2 classes"]),
        (FOLDER | {"dataset.values": [0, [1, 0]]}, ["dataset.values must not repeat a value", "0 twice"]),
        (FOLDER | COLORS | {"dataset.values": [0, 255]}, ["dataset.values is for index masks; set it to null", "255"]),
        ({"dataset.values": [0, 255]}, ["dataset.values must have one entry per entry of classes", "0 classes"]),
        (FOLDER | {"dataset.colors": ["red", "#000000"]}, ["dataset.colors.0 must be a color such as", "'red'"]),
        (FOLDER | {"dataset.colors": ["#aaaaaa", "#AAAAAA"]}, ["dataset.colors must not repeat", "#aaaaaa"]),
        (FOLDER | {"dataset.classes": ["cat", "Cat"]}, ["dataset.classes must not repeat a value", "'cat'"]),
        (
            {"model.architecture": "unet_pix2pix", "model.encoder": "unet"},
            ["model.encoder must be mobilenet_v2 or resnet50", "or xception for unet_pix2pix", "'unet'"],
        ),
        (
            {"model.architecture": "bayesian_segnet", "model.encoder": "vgg16"},
            ["model.encoder must be vgg16_bn or vgg19_bn for bayesian_segnet", "'vgg16'"],
        ),
        (
            {"model.architecture": "bayesian_segnet", "model.encoder": "vgg16_bn", "model.dropout": 0.0},
            ["model.dropout must be above 0 for bayesian_segnet", "0.0"],
        ),
        (
            {"model.architecture": "segnet", "model.encoder": "vgg16_bn", "model.encoder_weights": "imagenet"},
            ["model.width must be 64 when vgg16_bn starts from a file", "16"],
        ),
        ({"model.output_stride": 16}, ["model.output_stride must be null for unet", "16"]),
        ({"augment.crop": [64, 8]}, ["augment.crop.1 must be at least 16", "8"]),
        (
            {"augment.crop": [64, 160]},
            ["augment.crop must not be larger than preprocess.height and width, which are 128 and 128", "[64, 160]"],
        ),
        ({"augment.crop_rare": 0.5}, ["augment.crop_rare places crops, so it needs augment.crop", "0.5"]),
        (
            {"augment.quarter_turns": True, "augment.crop": [64, 48]},
            ["augment.quarter_turns needs square images; set augment.crop to two equal sides", "64x48"],
        ),
        (
            {"augment.quarter_turns": True, "preprocess.width": 96},
            ["augment.quarter_turns needs square images", "128x96"],
        ),
        (
            {"model.architecture": "deeplab", "model.encoder": "vgg16", "model.output_stride": 16},
            ["model.output_stride must be null or 8 for deeplab", "16"],
        ),
        (
            {"model.architecture": "pointrend", "model.encoder": "vgg16", "model.output_stride": 8},
            ["model.output_stride must be null for fpn", "8"],
        ),
        (
            {"model.encoder_weights": "imagenet"},
            ["model.encoder_weights must be 'none' or a file", "'unet'", "'imagenet'"],
        ),
        ({"model.freeze_encoder": True}, ["model.freeze_encoder must be false when", "True"]),
        (
            {"model.encoder": "mobilenet_v2", "model.encoder_weights": "imagenet", "model.start_from": "mine.keras"},
            ["model.encoder_weights must be 'none' when start_from names a model", "'imagenet'"],
        ),
        (
            {"train.loss.cross_entropy": 0, "train.loss.dice": 0.0},
            ["train.loss.cross_entropy or another loss must have a weight above 0", "0 for all"],
        ),
        (
            {"model.architecture": "deeplabv3", "model.encoder": "resnet50", "train.batch_size": 1},
            ["train.batch_size must be 2 or more for deeplabv3", "1"],
        ),
        (
            {"model.architecture": "deeplabv3plus", "model.encoder": "xception", "train.batch_size": 1},
            ["train.batch_size must be 2 or more for deeplabv3plus", "1"],
        ),
        (
            {
                "model.architecture": "pointrend",
                "model.encoder": "resnet50",
                "model.coarse": "pspnet",
                "train.batch_size": 1,
            },
            ["train.batch_size must be 2 or more for pointrend", "1"],
        ),
        ({"train.workers": 3}, ["train.batch_size must be a multiple of workers (3)", "16"]),
        ({"train.weight_decay": 0.01}, ["train.weight_decay must be 0 for adam; choose adamw or sgd", "0.01"]),
        ({"train.class_weights": [0, 0]}, ["train.class_weights must have a weight above 0", "[0.0, 0.0]"]),
        ({"train.class_weights": [1, -2]}, ["train.class_weights.1 must be at least 0.0", "-2"]),
        (
            {"train.schedule": "plateau", "train.early_stopping": 5},
            ["train.plateau.patience must be below early_stopping (5)", "before the learning rate", "5"],
        ),
        (
            FROZEN | {"model.freeze_encoder": True, "train.encoder_learning_rate": 0.1},
            ["train.encoder_learning_rate must be 1 when model.freeze_encoder is true", "0.1"],
        ),
        (
            {"model.freeze_normalization": True},
            ["model.freeze_normalization must be false when encoder_weights and start_from are 'none'", "True"],
        ),
        (
            FROZEN | {"model.freeze_encoder": True, "model.freeze_normalization": True},
            ["model.freeze_normalization must be false when freeze_encoder is true", "True"],
        ),
        (
            FROZEN | {"model.encoder": "vgg16", "model.freeze_normalization": True},
            ["model.freeze_normalization must be false when the encoder is vgg16", "no batch normalization", "True"],
        ),
    ],
)
def test_impossible_combination_is_named(tmp_path, changes, words):
    text = sentence(tmp_path, changes)
    assert text.startswith(words[0])
    for word in words[1:]:
        assert word in text.removeprefix(words[0])
    assert "Received: " in text


@pytest.mark.parametrize(
    "changes",
    [
        FOLDER,
        FOLDER | COLORS | {"dataset.void": ["#ff00ff"]},
        FOLDER | {"dataset.void": [255, 0]},
        FOLDER | {"dataset.values": [0, [1, 255]]},
        {"model.encoder": "mobilenet_v2", "model.encoder_weights": "imagenet", "model.freeze_encoder": True},
        {"model.architecture": "unet_pix2pix", "model.encoder": "mobilenet_v2"},
        {"model.start_from": "mine.keras", "model.freeze_encoder": True},
        {"model.start_from": "mine.keras", "model.encoder": "resnet50", "model.freeze_normalization": True},
        {"model.architecture": "bayesian_segnet", "model.encoder": "vgg16_bn", "model.dropout": 0.5},
        {
            "model.architecture": "segnet",
            "model.encoder": "vgg16_bn",
            "model.encoder_weights": "imagenet",
            "model.width": 64,
        },
        {"model.architecture": "deeplabv3", "model.encoder": "resnet50", "model.output_stride": 8},
        {
            "model.architecture": "pointrend",
            "model.encoder": "resnet50",
            "model.coarse": "pspnet",
            "model.output_stride": 16,
        },
        {"train.epochs": 1},
        {"train.batch_size": 1},
        {"model.architecture": "pointrend", "model.encoder": "resnet50", "train.batch_size": 1},
        {
            "model.architecture": "pspnet",
            "model.encoder": "resnet50",
            "train.batch_size": 2,
        },
        {"train.epochs": 3, "train.warmup_epochs": 3},
        {"train.batch_size": 6, "train.workers": 3},
        {"train.optimizer": "adamw", "train.weight_decay": 0.01},
        {"train.optimizer": "sgd", "train.momentum": 0.0, "train.weight_decay": 0.01, "train.clip_norm": 1.0},
        {"train.schedule": "plateau", "train.early_stopping": 6},
        {"train.class_weights": [1.0, 0.0, 7.5]},
        FROZEN | {"model.freeze_normalization": True, "train.encoder_learning_rate": 0.1},
        {"train.loss.cross_entropy": 0, "train.loss.dice": 1},
        {"train.loss.cross_entropy": 0, "train.loss.dice": 0, "train.loss.lovasz": 100},
        {"train.loss_options.boundary_sigma": 20, "train.loss_options.focal_tversky_gamma": 3},
    ],
)
def test_possible_combination_is_read(tmp_path, changes):
    params = read_params(changed(tmp_path, changes))
    for key, value in changes.items():
        assert _leaf(params, key) == value


@pytest.mark.parametrize(
    ("architecture", "coarse", "given", "stride"),
    [
        ("unet", "fpn", None, 32),
        ("deeplab", "fpn", None, 8),
        ("deeplabv3", "fpn", None, 16),
        ("deeplabv3plus", "fpn", 8, 8),
        ("pspnet", "fpn", None, 8),
        ("pspnet", "fpn", 16, 16),
        ("pointrend", "fpn", None, 32),
        ("pointrend", "deeplabv3", None, 16),
        ("pointrend", "deeplabv3", 8, 8),
    ],
)
def test_the_encoders_output_stride(tmp_path, architecture, coarse, given, stride):
    encoder = "unet" if architecture == "unet" else "mobilenet_v2"
    changes = {"architecture": architecture, "coarse": coarse, "output_stride": given, "encoder": encoder}
    params = read_params(changed(tmp_path, {f"model.{key}": value for key, value in changes.items()}))
    assert params.model.encoder_stride == stride


@pytest.mark.parametrize(("text", "received"), [("", "None"), ("- seed", "['seed']"), ("seed", "'seed'")])
def test_a_file_without_keys_is_named(tmp_path, text, received):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_params(path)
    assert str(caught.value) == f"{path} must hold a mapping of params. Received: {received}"


def test_keys_that_are_no_text_are_named(tmp_path):
    assert "train" in sentence(tmp_path, {"train.1": 2})
    path = changed(tmp_path, {})
    path.write_text(path.read_text() + "1: 2\n")
    with pytest.raises(InputError, match="must have keys that are text"):
        read_params(path)


@pytest.fixture
def stage(monkeypatch):
    """Make a running stage train that declares some keys."""
    monkeypatch.syspath_prepend(ROOT / "stages")
    import declared

    return lambda *keys: declared.Stage("train", keys, read_yaml(ROOT / "params.yaml"), code="")


def test_declared_leaves_and_sections_are_read(stage):
    selection = [f"dataset.{key}" for key in ("limit", "validation_fraction", "unseen", "folds", "fold")]
    declared = stage("seed", "train", *selection, "model.encoder")
    assert declared.integer("seed") == 1
    assert declared.text("model.encoder") == "unet"
    assert declared.section("train", TrainParams).loss.dice == 1.0
    assert declared.section("train.loss", LossParams).dice == 1.0
    assert declared.section("dataset", SelectionParams).limit is None


class TrainPart(Section):
    epochs: int
    loss: LossParams


@pytest.mark.parametrize(
    ("read", "key"),
    [
        (lambda stage: stage.text("repo"), "repo"),
        (lambda stage: stage.integer("train.epochs"), "train.epochs"),
        (lambda stage: stage.section("train", TrainParams), "train.epochs"),
        (lambda stage: stage.section("train", TrainPart), "train.epochs"),
        (lambda stage: stage.section("train.loss", LossParams), "train.loss.focal"),
        (lambda stage: stage.section("dataset", SourceParams), "dataset.name"),
        (lambda stage: stage.section("preprocess", PreprocessParams), "preprocess.height"),
    ],
)
def test_undeclared_key_is_refused(stage, read, key):
    with pytest.raises(InputError) as caught:
        read(stage("seed", "train.loss.cross_entropy", "dataset.limit", "train.epoch", "preprocess.heigh"))
    assert f"stage train reads the param {key}, which its entry in dvc.yaml does not declare" in str(caught.value)
    assert f"add {key} to the stage's params" in str(caught.value)


def test_the_keys_of_a_section_are_declared_together_or_one_by_one(stage):
    one_by_one = stage("train.epochs", *(f"train.loss.{name}" for name in LossParams.model_fields))
    assert one_by_one.section("train", TrainPart) == stage("train").section("train", TrainPart)


def test_a_single_value_of_another_type_is_a_defect(stage):
    with pytest.raises(TypeError, match="the param seed is not str"):
        stage("seed").text("seed")


def test_declared_values_as_a_dictionary(stage):
    preprocess = {"height": 128, "width": 128, "fit": "stretch", "encoding": "raw", "examples_per_shard": 64}
    declared = stage("seed", "preprocess", "train.loss.dice", "train.epochs").declared()
    assert declared == {"seed": 1, "preprocess": preprocess, "train": {"loss": {"dice": 1.0}, "epochs": 8}}


@pytest.mark.parametrize("name", ["download", "preprocess", "train", "evaluate", "report"])
def test_every_declared_key_exists(name):
    params = read_params(ROOT / "params.yaml")
    for key in read_yaml(ROOT / "dvc.yaml")["stages"][name]["params"]:
        _leaf(params, key)


def test_parts_of_a_section_are_those_of_the_whole():
    """What two stages read of one section is that section, each half for itself."""
    assert SourceParams.model_fields.keys() | SelectionParams.model_fields.keys() == DatasetParams.model_fields.keys()
    assert not SourceParams.model_fields.keys() & SelectionParams.model_fields.keys()
    assert EncoderParams.model_fields.keys() <= ModelParams.model_fields.keys()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "<b>",
            "a>b",
            "R&D",
            'the "sky"',
            "driver's",
            "`x`",
            "a\rb",
            "a\nb",
            "a\tb",
            "\x0b",
            "\x0c",
            "\x1c",
            "\x1d",
            "\x1e",
        ),
        *("a\x1b[31mb", "a\x85b", "a\u2028b", "a\u2029b", "a\u202eb", "\x7f"),
    ],
)
def test_a_class_name_that_would_break_pages_or_lines_is_refused(name):
    values = read_yaml(ROOT / "params.yaml")
    values["dataset"] |= {"name": "folder", "path": "my photos", "classes": ["cat", name]}
    with pytest.raises(InputError) as caught:
        check_params(values, Path("params.yaml"))
    assert str(caught.value) == (
        f"params.yaml: dataset.classes must hold names without control characters, quotes, <, > and &. "
        f"Received: {name!a}"
    )


@pytest.mark.parametrize(
    "name", ["crème brûlée", "樹", "a b", "traffic-light", "l\u2019eau", "class 1 (old)", "a;b,c|d", "🌳"]
)
def test_a_class_name_of_any_language_is_read(name):
    values = read_yaml(ROOT / "params.yaml")
    values["dataset"] |= {"name": "folder", "path": "my photos", "classes": ["cat", name]}
    assert check_params(values, Path("params.yaml")).dataset.classes == ["cat", name]
