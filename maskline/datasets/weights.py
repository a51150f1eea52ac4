"""The initial weights: none, the encoder's from ImageNet or from a file, or those of a whole model."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from maskline.contracts.encoder_weights import PATH, EncoderWeights, origin_of
from maskline.contracts.hdf5 import check_hdf5
from maskline.contracts.model_info import read_keras_config
from maskline.contracts.safetensors import SUFFIX, read_safetensors
from maskline.datasets.fetch import fetch
from maskline.errors import ArtifactError, InputError
from maskline.files.artifacts import new_directory, sha256
from maskline.files.records import write_record
from maskline.params.encoder import EncoderParams

_HOST = "https://storage.googleapis.com/"
_TENSORFLOW = f"{_HOST}tensorflow/keras-applications"
_NO_TOP = "weights_tf_dim_ordering_tf_kernels_notop.h5"


class Published(NamedTuple):
    """The address of a file, and its MD5 if the publisher states it."""

    url: str
    md5: str | None = None


# The files that keras.applications loads for an encoder without its classifier.
IMAGENET = {
    "mobilenet_v2": Published(
        f"{_TENSORFLOW}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    ),
    "resnet50": Published(f"{_TENSORFLOW}/resnet/resnet50_{_NO_TOP}", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": Published(f"{_TENSORFLOW}/resnet/resnet101_{_NO_TOP}", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": Published(f"{_TENSORFLOW}/resnet/resnet152_{_NO_TOP}", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "vgg16": Published(f"{_TENSORFLOW}/vgg16/vgg16_{_NO_TOP}", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": Published(f"{_TENSORFLOW}/vgg19/vgg19_{_NO_TOP}", "253f8cb515780f3b799900260a226db6"),
    "densenet121": Published(f"{_TENSORFLOW}/densenet/densenet121_{_NO_TOP}", "30ee3e1110167f948a6b9946edeeb738"),
    "efficientnet_b0": Published(
        f"{_HOST}keras-applications/efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"
    ),
    "efficientnet_v2_b0": Published(
        f"{_TENSORFLOW}/efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"
    ),
    "xception": Published(f"{_TENSORFLOW}/xception/xception_{_NO_TOP}", "b0042744bf5b25fce3cb969f33bebb97"),
}
IMAGENET |= {f"{name}_bn": IMAGENET[name] for name in ("vgg16", "vgg19")}
KERAS, LEGACY, TRANSFORMERS, START = "encoder.weights.h5", "encoder.h5", f"encoder{SUFFIX}", "start.keras"


def prepare_weights(model: EncoderParams, folder: Path) -> None:
    """Replace `folder` by encoder.json and, unless all weights start random, the file that they come from.

    The file is `encoder.weights.h5` if it is in Keras 3's format, `encoder.h5` if in that of keras.applications,
    `encoder.safetensors` if in that of Hugging Face's transformers, and `start.keras` if it is a whole model.

    Raises:
        InputError: the file is missing, cannot be fetched, is not a model, or is neither HDF5 nor, by its suffix,
            safetensors.
    """
    origin = origin_of(model.encoder_weights, model.start_from)
    path = None
    if origin == "imagenet":
        path = _imagenet(model.encoder)
    elif origin == "file":
        path = _existing(model.encoder_weights)
    elif model.start_from:
        path = _model(model.start_from)
    with new_directory(folder) as new:
        copy = Path(shutil.copyfile(path, new / (START if origin == "model" else _format(path)))) if path else None
        record = EncoderWeights(
            encoder=model.encoder,
            weights=origin,
            file=copy.name if copy else None,
            sha256=sha256(copy) if copy else None,
        )
        write_record(new / PATH.name, record)


def _existing(path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise InputError(f"model.encoder_weights must be none, imagenet or an existing file. Received: {path!r}")
    return file


def _model(path: str) -> Path:
    """Return the path of a model of this project."""
    try:
        reason = "is an ensemble" if "members" in read_keras_config(Path(path)) else ""
    except ArtifactError as error:
        reason = error.reason
    if reason:
        raise InputError(
            f"model.start_from must be none or a model that train wrote, but {path} {reason}. Received: {path!r}"
        )
    return Path(path)


def _imagenet(encoder: str) -> Path:
    """Return the ImageNet weights from Keras's cache, downloading them if necessary."""
    if encoder not in IMAGENET:
        raise InputError(
            f"model.encoder_weights can be imagenet for {', '.join(IMAGENET)}; set it to none for other encoders. "
            f"Received encoder: {encoder!r}"
        )
    published = IMAGENET[encoder]
    home = Path(os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras")))
    if home.parts[0] == "~":
        raise InputError(
            "encoder weights are kept in ~/.keras, but this user has no home folder; set HOME or KERAS_HOME."
        )
    cached = home / "models" / published.url.rpartition("/")[2]
    remedy = "Check the network, or set model.encoder_weights to a local file."
    return fetch(published.url, cached, remedy, published.md5, "md5")


def _format(path: Path) -> str:
    """Return the file name that names the format of the weights."""
    if path.suffix == SUFFIX:
        read_safetensors(path)
        return TRANSFORMERS
    check_hdf5(path)
    import h5py

    with h5py.File(path, "r") as file:
        return LEGACY if "layer_names" in file.attrs else KERAS
