"""What a .keras file says about its model is read without TensorFlow, and other files are refused."""

import json
import zipfile

import pytest

from maskline.contracts.classes import ClassInfo
from maskline.contracts.model_info import ModelInfo, Preprocessing, read_keras_info
from maskline.errors import ArtifactError

CONFIG = {
    "architecture": "unet",
    "encoder": "mobilenet_v2",
    "class_names": ["ground", "sky"],
    "class_colors": ["#336699", "#88ccff"],
    "width": 16,
    "dropout": 0.1,
    "stride": 32,
    "preprocessing": {"height": 96, "width": 160, "resize": "bilinear, antialiased", "input_range": [0, 255]},
}
SAVED = {"registered_name": "maskline>SegmentationModel", "config": CONFIG}


def write(path, saved):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(saved))
    return path


def with_config(**changes):
    return SAVED | {"config": CONFIG | changes}


def test_the_configuration_gives_classes_and_input(tmp_path):
    assert read_keras_info(write(tmp_path / "model.keras", SAVED)) == ModelInfo(
        architecture="unet",
        encoder="mobilenet_v2",
        classes=[ClassInfo(name="ground", color="#336699"), ClassInfo(name="sky", color="#88ccff")],
        stride=32,
        preprocessing=Preprocessing(height=96, width=160),
    )


def test_the_test_splits_are_those_of_the_model_or_of_its_members(tmp_path):
    one = read_keras_info(write(tmp_path / "model.keras", with_config(test_split="1" * 64)))
    assert one.test_splits == ("1" * 64,)
    members = [CONFIG, CONFIG | {"test_split": "2" * 64}, CONFIG | {"test_split": "3" * 64}]
    several = with_config(members=members) | {"registered_name": "maskline>Ensemble"}
    assert read_keras_info(write(tmp_path / "model.keras", several)).test_splits == ("2" * 64, "3" * 64)


@pytest.mark.parametrize(
    ("saved", "reason"),
    [
        ([], "is not a segmentation model of this project"),
        ({"registered_name": "Sequential", "config": {}}, "is not a segmentation model of this project"),
        (SAVED | {"config": None}, "is damaged at its configuration"),
        (with_config(preprocessing=None), "does not record the size of its training images"),
        (with_config(preprocessing={"height": 0, "width": 8}), "is damaged at preprocessing.height"),
        (with_config(class_names=["ground"]), "is damaged at its configuration"),
        (with_config(class_colors=["blue", "#000000"]), "is damaged at classes.0.color"),
        (with_config(stride="wide"), "is damaged at stride"),
        (with_config(members=[1]), "is damaged at its configuration"),
    ],
)
def test_another_file_is_refused(saved, reason, tmp_path):
    with pytest.raises(ArtifactError, match=rf"model\.keras {reason}"):
        read_keras_info(write(tmp_path / "model.keras", saved))


def test_a_missing_or_damaged_file_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(ArtifactError, match=r"model\.keras is missing"):
        read_keras_info(path)
    for content in (b"", b"PK no archive", write(path, SAVED).read_bytes()[:60]):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"model\.keras is not a \.keras file"):
            read_keras_info(path)
