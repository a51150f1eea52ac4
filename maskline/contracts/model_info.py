"""What a model file says about itself: its classes, and how an image is prepared for it."""

import json
import zipfile
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, ValidationError

from maskline.contracts.classes import ClassInfo
from maskline.contracts.fit import Fit, Size
from maskline.contracts.numbers import Length, Share
from maskline.errors import ArtifactError
from maskline.files.records import Record, first_problem
from maskline.messages import one_line

_REGISTERED = ("maskline>SegmentationModel", "maskline>Ensemble")

Format = Literal["onnx", "savedmodel", "litert"]


class Preprocessing(Record):
    """How preprocess made the images that a model was trained on.

    Attributes:
        height: of the images in pixels.
        width: of the images in pixels.
        fit: how an image of another shape got this size.
        resize: the method, Pillow's antialiased bilinear filter.
        input_range: the lowest and highest value of an image; the model normalizes them itself.
    """

    height: Length
    width: Length
    fit: Fit = "stretch"
    resize: Literal["bilinear, antialiased"] = "bilinear, antialiased"
    input_range: tuple[Literal[0], Literal[255]] = (0, 255)

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.height, self.width


class ModelInfo(Record):
    """The classes and the input of a model.

    Attributes:
        architecture: one of `catalogue.NETWORKS`; of an ensemble, those of its members.
        encoder: one of `catalogue.ENCODERS`; of an ensemble, those of its members.
        classes: in label order.
        stride: the output stride of the encoder; a window must not be smaller.
        preprocessing: how the training images were made.
        any_size: whether the file takes images of any size, or only of the training size.
        test_splits: SHA-256 of the test split's entry in the manifest of the shards that the model was trained on, or
            that each member of an ensemble was trained on; empty: not recorded.
    """

    architecture: str
    encoder: str
    classes: list[ClassInfo]
    stride: Length
    preprocessing: Preprocessing
    any_size: bool = True
    test_splits: tuple[str, ...] = ()

    @property
    def fixed_size(self) -> Size | None:
        """The only height and width that the file takes; None: any."""
        return None if self.any_size else self.preprocessing.size


class Score(Record):
    """The figures of an exported file on the test images.

    Attributes:
        test_split: SHA-256 of the test split's entry in the shards' manifest.
        images: their number.
        mean_iou: over all test images.
        iou: of each class by name; None: the class is in no image and no prediction.
    """

    test_split: str
    images: int
    mean_iou: Share
    iou: dict[str, Share | None]


class ExportInfo(Record):
    """What an exported file holds as JSON under the key `maskline`; later versions may add keys.

    Attributes:
        model: the classes and the input.
        format: of the file.
        precision: of the weights.
        source: SHA-256 of the .keras file.
        revision: the Git commit of the project, with `-dirty` after it if tracked files differ; None without Git.
        dvc_lock: SHA-256 of dvc.lock; None without one.
        score: on the test images; None until the file is scored, and if the model may know these images.
        version: of maskline.
    """

    model_config = ConfigDict(extra="ignore")

    model: ModelInfo
    format: Format
    precision: Literal["float32", "int8"]
    source: str
    revision: str | None
    dvc_lock: str | None
    score: Score | None
    version: str


def read_keras_info(path: Path) -> ModelInfo:
    """Read what a .keras file says about itself, without TensorFlow.

    Raises:
        ArtifactError: the file is missing, damaged, not a model of this project, or does not record its training size.
    """
    return model_info(path, read_keras_config(path))


def read_keras_config(path: Path) -> dict[str, Any]:
    """Read the configuration of the model in a .keras file, without TensorFlow.

    Raises:
        ArtifactError: the file is missing, damaged, or not a model of this project.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            saved = json.loads(archive.read("config.json"))
    except FileNotFoundError:
        raise ArtifactError(path, "is missing") from None
    except OSError:
        raise
    except Exception as error:  # a damaged archive can make zipfile and json raise anything
        raise ArtifactError(path, f"is not a .keras file ({one_line(error)})") from None
    if not isinstance(saved, dict) or saved.get("registered_name") not in _REGISTERED:
        raise ArtifactError(path, "is not a segmentation model of this project")
    if not isinstance(saved.get("config"), dict):
        raise ArtifactError(path, "is damaged at its configuration")
    return saved["config"]


def model_info(path: Path, config: dict[str, Any]) -> ModelInfo:
    """Return the info in the configuration of a `SegmentationModel` or an `Ensemble`.

    Raises:
        ArtifactError: the configuration is damaged, or does not record the training size.
    """
    if not config.get("preprocessing"):
        raise ArtifactError(path, "does not record the size of its training images")
    try:
        pairs = zip(config["class_names"], config["class_colors"], strict=True)
        return ModelInfo.model_validate(
            {
                "architecture": config["architecture"],
                "encoder": config["encoder"],
                "classes": [{"name": name, "color": color} for name, color in pairs],
                "stride": config["stride"],
                "preprocessing": config["preprocessing"],
                "test_splits": [split for one in config.get("members", [config]) if (split := one.get("test_split"))],
            }
        )
    except ValidationError as error:
        raise ArtifactError(path, f"is damaged at {first_problem(error)}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(path, f"is damaged at its configuration ({one_line(error)})") from None


def read_export_info(path: Path, text: str | None) -> ExportInfo:
    """Return the description that an exported file holds.

    Args:
        path: the file, named in messages.
        text: the JSON in the file; None: it holds none.

    Raises:
        ArtifactError: the file was not exported by maskline, or its description is damaged.
    """
    if text is None:
        raise ArtifactError(path, "was not exported by maskline, so that its classes and its input are unknown")
    try:
        return ExportInfo.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(path, f"is damaged at its key maskline, {first_problem(error)}") from None
