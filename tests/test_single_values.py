"""Batches of one image are refused where batch normalisation would see one value of each channel."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from networks import DISTINCT, build
from raw_data import Pair, encoded, painted, write_raw

from maskline.contracts.manifest import read_manifest
from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.models.catalogue import NETWORKS
from maskline.models.encoders import registry as encoders
from maskline.params.check import Params
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
from maskline.training import single_values
from maskline.training.train import train

ROOT = Path(__file__).parents[1]


def params(**changes) -> Params:
    values = read_yaml(ROOT / "params.yaml")
    for key, value in changes.items():
        section, name = key.split("__")
        values[section][name] = value
    return Params.model_validate(values)


def check(network, batch: int, size: int = 64, examples: int = 8) -> None:
    forward = tf.function(lambda images: network.network(images, training=True))
    graph = forward.get_concrete_function(tf.TensorSpec((batch, size, size, 3), tf.float32)).graph
    single_values.check_normalised(graph, params(train__batch_size=batch).train, examples)


@pytest.mark.parametrize("architecture", [name for name in DISTINCT if not NETWORKS[name].refines])
def test_the_catalogue_knows_which_networks_need_two_images(architecture):
    network = build(architecture)
    if NETWORKS[architecture].image_pooling:
        with pytest.raises(InputError, match=r"train.batch_size to 2 or more \(Received: 1\)"):
            check(network, 1)
        check(network, 2)
    else:
        check(network, 1)


def test_features_of_one_pixel_are_refused_in_any_network():
    network = build("fpn")
    with pytest.raises(InputError, match="features of one pixel"):
        check(network, 1, size=32)
    check(network, 2, size=32)
    network.network.trainable = False  # as a frozen encoder, it normalises by what it was given
    check(network, 1, size=32)


def test_one_train_image_is_refused_before_training(tmp_path, in_process, monkeypatch):
    monkeypatch.setitem(encoders._OWN, "resnet50", encoders._OWN["small"])
    masks = [np.repeat(np.arange(3, dtype=np.uint8), 16)[:, None].repeat(48, 1)] * 3
    made = [Pair(f"{i}.png", encoded(painted(mask)), encoded(mask)) for i, mask in enumerate(masks)]
    write_raw(tmp_path / "raw", {"train": made[:1], "validation": made[1:2], "test": made[2:]})
    build_shards(tmp_path / "raw", tmp_path / "shards", Target(32, 32, "raw"), 4, SplitOptions(1, None, 0.5))
    assert read_manifest(tmp_path / "shards").splits["train"].examples == 1
    given = params(model__architecture="deeplabv3", model__encoder="resnet50", model__width=4)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/encoder.json").write_text(
        '{"encoder": "resnet50", "weights": "none", "file": null, "sha256": null}'
    )
    with pytest.raises(InputError, match=r"2 train images or more \(Received: 1\)"):
        train(
            tmp_path / "shards", tmp_path / "weights", tmp_path / "model", tmp_path / "checkpoints",
            seed=1, model=given.model, augment=given.augment, params=given.train, code="",
        )  # fmt: skip
    assert not (tmp_path / "model").exists() and not (tmp_path / "checkpoints").exists()
