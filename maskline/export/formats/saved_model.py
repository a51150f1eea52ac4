"""SavedModels in the folder layout of TensorFlow Serving, which KServe and Triton read too."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from maskline.contracts.fit import Size
from maskline.contracts.model_info import ExportInfo
from maskline.export.formats.converting import converting
from maskline.export.graph import DEFAULT, Output, serving_function
from maskline.files.artifacts import new_directory
from maskline.files.records import write_record
from maskline.models.ensemble import AnyModel
from maskline.prediction.runtimes.saved_model import INFO, VERSION


def write_saved_model(model: AnyModel, path: Path, info: ExportInfo, outputs: Sequence[Output] = DEFAULT) -> None:
    """Write a folder with the SavedModel as version 1; its signature is serving_default.

    Args:
        model: the model.
        path: the folder to write.
        info: what the folder says about itself; `info.model` also says which sizes of images it takes.
        outputs: their names.

    Raises:
        InputError: TensorFlow refuses the network.
    """
    with new_directory(path) as folder:
        with converting(info.model.architecture, "SavedModel", "report it with the model's params.yaml"):
            save_graph(model, folder / VERSION, outputs, info.model.fixed_size)
        describe_saved_model(folder, info)


def save_graph(model: AnyModel, folder: Path, outputs: Sequence[Output], size: Size | None) -> None:
    """Write a SavedModel with one signature, without Keras's functions for training."""
    served = tf.Module()
    served.held = [variable.value for variable in model.variables]  # the variables that are saved
    served.serve = serving_function(model, tuple(outputs), size)
    tf.saved_model.save(served, str(folder), signatures={"serving_default": served.serve})


def describe_saved_model(path: Path, info: ExportInfo) -> None:
    """Replace what a folder says about itself."""
    write_record(path / VERSION / INFO, info)
