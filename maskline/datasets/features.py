"""The features that the project's own builders share: image, segmentation_mask, file_name."""

import tensorflow_datasets as tfds


def segmentation_info(
    builder: tfds.core.DatasetBuilder, description: str, homepage: str, license: str, citation: str
) -> tfds.core.DatasetInfo:
    """Return the info of a data set that stores image and mask files unchanged, in the given order.

    Sizes and mask channels are not fixed: a mask may be grayscale, palette or color.
    """
    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "segmentation_mask": tfds.features.Image(shape=(None, None, None)),
        "file_name": tfds.features.Text(),
    }
    return tfds.core.DatasetInfo(
        builder=builder,
        description=description,
        features=tfds.features.FeaturesDict(features),
        homepage=homepage or None,
        license=license or None,
        citation=citation or None,
        supervised_keys=("image", "segmentation_mask"),
        disable_shuffling=True,
    )
