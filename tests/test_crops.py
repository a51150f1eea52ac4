"""The train stage's own path with crops: steps see the crop, validation and the saved model whole images."""

import json

from raw_data import pairs, write_raw

from maskline.contracts.model_info import read_keras_info
from maskline.files.dotted import set_values
from maskline.files.yaml12 import read_yaml
from maskline.models.encoders import registry as encoders
from maskline.models.encoders import unet
from maskline.params.check import Params
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target
from maskline.training import setup
from maskline.training.train import train
from maskline.training.validate import Validator, validation_batch


def test_steps_see_crops_and_the_model_is_of_whole_images(tmp_path, in_process, monkeypatch):
    monkeypatch.setattr(unet, "STRIDES", (1, 2))
    monkeypatch.setitem(encoders._OWN, "unet", encoders._OWN["unet"]._replace(strides=(1, 2)))
    write_raw(tmp_path / "raw", {"train": pairs(4), "validation": pairs(1, 1), "test": pairs(1, 2)})
    build_shards(tmp_path / "raw", tmp_path / "shards", Target(40, 32, "raw"), 4, SplitOptions(1, None, 0.5))
    values = read_yaml("params.yaml")
    set_values(
        values,
        {
            "preprocess.height": 40, "preprocess.width": 32, "model.width": 4, "train.epochs": 2, "train.batch_size": 2,
            "augment.crop": [16, 24], "augment.crop_rare": 0.5, "augment.copy_paste": 0.5, "augment.scale": 0.2,
        },
    )  # fmt: skip
    given = Params.model_validate(values)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/encoder.json").write_text(
        json.dumps({"encoder": "unet", "weights": "none", "file": None, "sha256": None})
    )
    traced, validated = [], []
    check, score = setup.check_memory, Validator.__call__
    monkeypatch.setattr(setup, "check_memory", lambda *args: traced.append(args) or check(*args))
    monkeypatch.setattr(Validator, "__call__", lambda self: validated.append(self._batches.element_spec) or score(self))
    train(
        tmp_path / "shards", tmp_path / "weights", tmp_path / "model", tmp_path / "checkpoints",
        seed=1, model=given.model, augment=given.augment, params=given.train, code="",
    )  # fmt: skip
    graph, size = traced[0][1], traced[0][4]
    assert size == (16, 24) and graph.inputs[0].shape == (2, 16, 24, 3)
    assert [spec[0].shape.as_list() for spec in validated] == [[None, 40, 32, 3]] * 2
    assert validation_batch(2, size, (40, 32)) == 1 and validation_batch(3, size, size) == 3
    assert read_keras_info(tmp_path / "model/model.keras").preprocessing.size == (40, 32)
