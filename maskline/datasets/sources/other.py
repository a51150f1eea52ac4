"""Any other TFDS data set: its builder, and the features that hold image and mask."""

from typing import Any

import tensorflow_datasets as tfds

from maskline.errors import InputError


def builder(name: str, data_dir: Any) -> tfds.core.DatasetBuilder:
    """Return the builder of 'name', 'name/config' or 'name:version'.

    Raises:
        InputError: TFDS knows no such data set, config or version, or needs a package that is not installed.
    """
    try:
        return tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise InputError(
            f"dataset.name {name!r} is neither a source of this project nor a TFDS data set "
            f"({str(error).strip().splitlines()[0]}); see https://www.tensorflow.org/datasets/catalog for the names."
        ) from None
    except ImportError as error:
        raise InputError(f"dataset.name {name!r} needs a Python package ({error}); install it in .venv.") from None


def check_features(info: tfds.core.DatasetInfo, image_feature: str, mask_feature: str) -> None:
    """Raise InputError if one of the two features is not an image feature of the data set."""
    images = sorted(key for key, feature in info.features.items() if isinstance(feature, tfds.features.Image))
    for key, value in (("image_feature", image_feature), ("mask_feature", mask_feature)):
        if value not in images:
            raise InputError(
                f"dataset.{key} must name an image feature of {info.name}: {', '.join(images) or 'it has none'}. "
                f"Received: {value!r}"
            )


def filename_feature(info: tfds.core.DatasetInfo) -> str | None:
    """Return the text feature that holds each image's file name, or None."""
    texts = {key for key, feature in info.features.items() if isinstance(feature, tfds.features.Text)}
    return next((name for name in ("file_name", "filename", "image_id") if name in texts), None)
