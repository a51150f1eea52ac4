"""No param is idle: turning any of them changes what its stage writes."""

import hashlib
import json
import zipfile
from pathlib import Path

import keras
import pandas as pd
import pytest
import tensorflow as tf
from project import digests
from raw_data import pairs, source, write_raw

from maskline.contracts.manifest import read_manifest
from maskline.engine import pool
from maskline.errors import InputError
from maskline.files.artifacts import sha256
from maskline.files.dotted import leaves, set_values
from maskline.files.yaml12 import read_yaml
from maskline.models.encoders import registry as encoders
from maskline.models.encoders import unet
from maskline.models.encoders.registry import Options, build_encoder
from maskline.models.files import save_model
from maskline.params.check import Params
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
from maskline.training import setup
from maskline.training import train as training

ROOT = Path(__file__).parents[1]
BASE = {
    "preprocess.height": 16,
    "preprocess.width": 16,
    "preprocess.examples_per_shard": 4,
    "model.width": 4,
    "augment.flip": False,
    "train.epochs": 1,
    "train.warmup_epochs": 0.5,
    "train.batch_size": 4,
    "evaluate.samples": 1,
}
PREPROCESS = {
    "seed": 2,
    "dataset.validation_fraction": 0.5,
    "dataset.limit": 3,
    "dataset.folds": 2,
    "preprocess.height": 24,
    "preprocess.width": 24,
    "preprocess.fit": "pad",
    "preprocess.encoding": "png",
    "preprocess.examples_per_shard": 3,
}
BESIDE = ("dataset.unseen", "dataset.fold")  # of preprocess, with a test of their own
# Some knobs turn only beside others; those others are set in both runs.
DILATED = {"model.architecture": "pointrend", "model.encoder": "mobilenet_v2", "model.coarse": "deeplabv3"}
TRAIN = {
    "seed": (2, {}),
    "model.architecture": ("convtranspose", {}),
    "model.encoder": ("mobilenet_v2", {}),
    "model.encoder_weights": ("file", {}),
    "model.start_from": ("start.keras", {}),
    "model.freeze_encoder": (True, {"model.encoder_weights": "file"}),
    "model.freeze_normalization": (True, {"model.encoder_weights": "file"}),
    "model.output_stride": (8, DILATED),
    "model.coarse": ("pspnet", DILATED),
    "model.width": (5, {}),
    "model.dropout": (0.5, {}),
    "augment.flip": (True, {}),
    "augment.scale": (0.5, {}),
    "augment.rotation": (45.0, {}),
    "augment.brightness": (0.5, {}),
    "augment.contrast": (0.5, {}),
    "augment.saturation": (0.5, {}),
    "augment.flip_vertical": (True, {}),
    "augment.quarter_turns": (True, {}),
    "augment.translation": (0.3, {}),
    "augment.crop": ([16, 16], {}),
    "augment.crop_rare": (1.0, {"augment.crop": [16, 16]}),
    "augment.copy_paste": (1.0, {}),
    "augment.hue": (90.0, {}),
    "augment.blur": (3.0, {}),
    "train.epochs": (2, {}),
    "train.batch_size": (2, {}),
    "train.loss.cross_entropy": (0.0, {}),
    "train.loss.focal": (1.0, {}),
    "train.loss.dice": (0.0, {}),
    "train.loss.iou": (1.0, {}),
    "train.loss.tversky": (1.0, {}),
    "train.loss.focal_tversky": (1.0, {}),
    "train.loss.lovasz": (1.0, {}),
    "train.loss.ohem": (1.0, {}),
    "train.loss.boundary": (1.0, {}),
    "train.loss_options.label_smoothing": (0.1, {}),
    "train.loss_options.focal_gamma": (1.0, {"train.loss.focal": 1.0}),
    "train.loss_options.tversky_alpha": (0.7, {"train.loss.tversky": 1.0}),
    "train.loss_options.tversky_beta": (0.3, {"train.loss.tversky": 1.0}),
    "train.loss_options.focal_tversky_gamma": (2.0, {"train.loss.focal_tversky": 1.0}),
    "train.loss_options.ohem_threshold": (0.3, {"train.loss.ohem": 1.0}),
    "train.loss_options.ohem_share": (0.9, {"train.loss.ohem": 1.0, "train.loss_options.ohem_threshold": 0.0}),
    "train.loss_options.boundary_weight": (5.0, {"train.loss.boundary": 1.0}),
    "train.loss_options.boundary_sigma": (2.0, {"train.loss.boundary": 1.0}),
    "train.class_weights": ("inverse", {}),
    "train.optimizer": ("adamw", {}),
    "train.learning_rate": (0.1, {}),
    "train.encoder_learning_rate": (0.1, {}),
    "train.momentum": (0.5, {"train.optimizer": "sgd"}),
    "train.weight_decay": (0.5, {"train.optimizer": "adamw"}),
    "train.clip_norm": (0.1, {"train.optimizer": "sgd"}),
    "train.schedule": ("constant", {}),
    "train.warmup_epochs": (0.0, {}),
    "train.early_stopping": (1, {"train.epochs": 3, "train.learning_rate": 1e-7}),
    "train.ema": (0.9, {}),
    "train.precision": ("mixed_bfloat16", {}),
}
# tests/test_evaluate.py turns those of evaluate; tests/test_datasets_sources.py turns these, on sources of every kind.
# tests/test_own_pairs.py turns values, tests/test_annotations.py overlap, tests/test_groups.py group.
# tests/test_gpu_operations.py turns train.deterministic, which changes no weights on a CPU, and tests/test_workers.py
# train.workers, which needs processes of its own. tests/test_training.py turns those of plateau.
ELSEWHERE = ("train.deterministic", "train.workers", "train.plateau.factor", "train.plateau.patience")
DOWNLOAD = {
    "name",
    "path",
    "classes",
    "colors",
    "masks",
    "values",
    "void",
    "overlap",
    "image_feature",
    "mask_feature",
    "test_fraction",
    "group",
}


def params(**changes) -> Params:
    values = read_yaml(ROOT / "params.yaml")
    set_values(values, BASE | changes)
    return Params.model_validate(values)


def preprocess(raw: Path, out: Path, p: Params) -> dict[str, str]:
    target = Target(p.preprocess.height, p.preprocess.width, p.preprocess.encoding, p.preprocess.fit)
    choice = SplitOptions(
        p.seed, p.dataset.limit, p.dataset.validation_fraction, p.dataset.unseen, p.dataset.folds, p.dataset.fold
    )
    build_shards(raw, out, target, p.preprocess.examples_per_shard, choice)
    return digests(out, ".")


def fit(shards: Path, folder: Path, p: Params) -> tuple[str, list]:
    """Train step by step, for tracing would take most of the time; return the weights' digest and the losses.

    The model's configuration and the learning rate in the history repeat the params, whether or not they are used.
    """
    weights = folder / "weights"
    weights.mkdir(parents=True)
    record = {"encoder": p.model.encoder, "weights": p.model.encoder_weights, "file": None, "sha256": None}
    if p.model.encoder_weights == "file":
        keras.utils.set_random_seed(99)
        built = build_encoder(p.model.encoder, Options(p.model.width))
        built.save_weights(weights / "encoder.weights.h5")
        record |= {"file": "encoder.weights.h5", "sha256": sha256(weights / "encoder.weights.h5")}
    if p.model.start_from:
        keras.utils.set_random_seed(99)
        save_model(setup._build(p.model, read_manifest(shards), None, "float32"), weights / "start.keras")
        record |= {"weights": "model", "file": "start.keras", "sha256": sha256(weights / "start.keras")}
    (weights / "encoder.json").write_text(json.dumps(record))
    tf.config.run_functions_eagerly(True)
    check, setup._check_step = setup._check_step, lambda *_: None
    try:
        training.train(
            shards, weights, folder / "model", folder / "checkpoints",
            seed=p.seed, model=p.model, augment=p.augment, params=p.train, code="",
        )  # fmt: skip
    finally:
        setup._check_step = check
        tf.config.run_functions_eagerly(False)
    with zipfile.ZipFile(folder / "model/model.keras") as model:
        weights_digest = hashlib.sha256(model.read("model.weights.h5")).hexdigest()
    return weights_digest, pd.read_csv(folder / "model/history.csv")[["train_loss", "validation_loss"]].values.tolist()


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("knobs") / "raw"
    write_raw(folder, {"train": pairs(10, 1), "test": pairs(3, 2)})
    return folder


@pytest.fixture(scope="module")
def shards(raw):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])
        preprocess(raw, raw.parent / "shards", params())
    return raw.parent / "shards"


def test_every_key_is_turned_somewhere():
    turned = {*PREPROCESS, *TRAIN, *(f"dataset.{key}" for key in DOWNLOAD), *BESIDE, *ELSEWHERE, "repo"}
    known = dict(leaves(read_yaml(ROOT / "params.yaml")))
    assert turned == {key for key in known if not key.startswith("evaluate.")}


@pytest.mark.parametrize("key", PREPROCESS)
def test_a_turned_knob_changes_the_shards(key, raw, tmp_path, in_process):
    before = preprocess(raw, tmp_path / "before", params())
    assert preprocess(raw, tmp_path / "again", params()) == before
    assert preprocess(raw, tmp_path / "after", params(**{key: PREPROCESS[key]})) != before


def test_another_fold_changes_the_shards(raw, tmp_path, in_process):
    folds = [preprocess(raw, tmp_path / str(i), params(**{"dataset.folds": 2, "dataset.fold": i})) for i in (1, 2)]
    assert folds[0] != folds[1]


def test_unseen_allows_what_it_otherwise_refuses(tmp_path, in_process):
    about = source(4, splits={"train": "train", "test": "test"})  # of four classes, of which the masks show three
    write_raw(tmp_path / "raw", {"train": pairs(6, 1), "test": pairs(3, 2)}, about)
    with pytest.raises(InputError, match=r"dataset\.unseen"):
        preprocess(tmp_path / "raw", tmp_path / "refused", params())
    with pytest.raises(InputError, match=r"in what is kept of its 5 train images; .* set preprocess\.fit to pad,"):
        preprocess(tmp_path / "raw", tmp_path / "cropped", params(**{"preprocess.fit": "crop"}))
    assert preprocess(tmp_path / "raw", tmp_path / "allowed", params(**{"dataset.unseen": "allow"}))


@pytest.fixture(scope="module")
def trained(shards, tmp_path_factory):
    """Train with some params set, once for each such set; U-Net's two first levels hold every kind of its layers."""
    done: dict[str, tuple[str, list]] = {}

    def of(beside: dict) -> tuple[str, list]:
        name = json.dumps(beside, sort_keys=True)
        if name not in done:
            done[name] = fit(shards, tmp_path_factory.mktemp("trained"), params(**beside))
        return done[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unet, "STRIDES", (1, 2))
        patch.setitem(encoders._OWN, "unet", encoders._OWN["unet"]._replace(strides=(1, 2)))
        yield of


# The largest networks train longest, and are in every test of networks.
LARGE = ("model.output_stride", "model.coarse", "model.encoder")


@pytest.mark.parametrize("key", [pytest.param(key, marks=pytest.mark.slow if key in LARGE else ()) for key in TRAIN])
def test_a_turned_knob_changes_the_model(key, trained):
    value, beside = TRAIN[key]
    assert trained(beside | {key: value}) != trained(beside)
