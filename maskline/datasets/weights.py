"""The encoder's first weights: none, the ImageNet file of keras.applications, or a file that params name."""

import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from maskline.contracts.encoder_weights import PATH, EncoderWeights
from maskline.errors import InputError
from maskline.files.artifacts import move, new_directory, sha256
from maskline.files.records import write_record

_HOST = "https://storage.googleapis.com/"
_TENSORFLOW = f"{_HOST}tensorflow/keras-applications"
_NO_TOP = "weights_tf_dim_ordering_tf_kernels_notop.h5"


class Published(NamedTuple):
    """Where a file is, and its MD5 where its publisher states it."""

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
KERAS, LEGACY = "encoder.weights.h5", "encoder.h5"


def prepare_weights(model: Any, folder: Path) -> None:
    """Replace `folder` by encoder.json and, unless the encoder starts from nothing, its weights file.

    The file is `encoder.weights.h5` in Keras 3's format and `encoder.h5` in that of keras.applications.

    Raises:
        InputError: the file is missing, cannot be fetched, or is not HDF5.
    """
    given = model.encoder_weights
    kind = given if given in ("none", "imagenet") else "file"
    record = {"encoder": model.encoder, "weights": kind, "file": None, "sha256": None}
    path = {"none": lambda: None, "imagenet": lambda: _imagenet(model.encoder), "file": lambda: _given(given)}[kind]()
    with new_directory(folder) as new:
        if path is not None:
            record["file"] = _format(path)
            shutil.copyfile(path, new / record["file"])
            record["sha256"] = sha256(new / record["file"])
        write_record(new / PATH.name, EncoderWeights.model_validate(record))


def _given(path: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"model.encoder_weights must be none, imagenet or an existing file. Received: {path!r}")
    return file


def _imagenet(encoder: str) -> Path:
    """Return the file in Keras's cache, fetched if it is not there."""
    if encoder not in IMAGENET:
        raise InputError(
            f"model.encoder_weights is imagenet, which there is for {', '.join(IMAGENET)}; set it to none. "
            f"Received encoder: {encoder!r}"
        )
    published = IMAGENET[encoder]
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    cached = home / "models" / published.url.rpartition("/")[2]
    return cached if cached.is_file() else _fetch(published, home)


def _fetch(published: Published, home: Path) -> Path:
    import keras

    from maskline.datasets.fetch import persistent

    remedy = "Check the network, or set model.encoder_weights to a local file."
    cached = home / "models" / published.url.rpartition("/")[2]
    partial = cached.with_name(f"{cached.name}.partial")  # Keras takes what a killed run left for a whole file

    def work() -> None:
        partial.unlink(missing_ok=True)
        try:
            keras.utils.get_file(
                partial.name, published.url, file_hash=published.md5, cache_subdir="models", cache_dir=home
            )
        except ValueError:
            partial.unlink(missing_ok=True)
            raise InputError(f"{published.url} has a wrong checksum. {remedy} Expected: MD5 {published.md5}") from None
        except Exception as error:  # Keras raises the bare class, whatever went wrong
            if re.search(r": 4\d\d --", str(error)):
                raise InputError(f"{error}. {remedy}") from None
            raise ConnectionError(str(error)) if type(error) is Exception else error from None

    home.mkdir(parents=True, exist_ok=True)
    persistent(work, published.url, remedy)
    move(partial, cached)
    return cached


def _format(path: Path) -> str:
    """Return the name that says the format of a weights file, by its content."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return LEGACY if "layer_names" in file.attrs else KERAS
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        raise InputError(
            f"{path} is no whole HDF5 file; get the weights anew, and remove this one if it is in a cache."
        ) from None
