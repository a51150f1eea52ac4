"""IoU and pixel accuracy in the conventions of other projects and papers, to compare figures with theirs.

All of these are called "IoU", "mean IoU" or "pixel accuracy" somewhere, and they can differ by 0.4.
"""

import numpy as np

from maskline.metrics.scores import iou, pixel_accuracy, rounded
from maskline.metrics.scores import mean_over_classes as mean_of_known

MEANINGS = {
    "mean_iou.data_set": (
        "All images in one confusion matrix; void pixels and classes that are nowhere left out. The headline here, "
        "in PASCAL VOC, Cityscapes, Keras's MeanIoU and mmsegmentation."
    ),
    "mean_iou.data_set_absent_0": (
        "All images in one confusion matrix; a class that is nowhere scores 0. scikit-learn's "
        "jaccard_score(labels=all classes, average='macro')."
    ),
    "mean_iou.data_set_with_void": (
        "All images in one confusion matrix; what is predicted on void pixels is a false positive. Code that drops "
        "the void class from the mean, but not its pixels (the FLAIR-2 baseline does)."
    ),
    "mean_iou.per_batch": (
        "One confusion matrix per batch; classes absent from a batch left out; mean over batches. Any mean IoU "
        "computed in each step and averaged over the epoch by the training loop."
    ),
    "mean_iou.per_batch_absent_1": (
        "One confusion matrix per batch; a class absent from a batch scores 1; mean over batches. "
        "segmentation_models for Keras: iou_score of hard predictions, for its smoothing term."
    ),
    "mean_iou.per_image": (
        "The mean over each image's classes, in truth or prediction; then the mean over images. The order of the "
        "best and worst images in the report."
    ),
    "mean_iou.per_image_true_classes": (
        "The mean over the classes of each image's truth; then the mean over images. mIoU-I of Wang et al. "
        "(NeurIPS 2023); Semantic-Segmentation-Suite."
    ),
    "mean_iou.per_class_over_images": (
        "The mean over the images whose truth shows a class; then the mean over classes. mIoU-C of Wang et al. "
        "(NeurIPS 2023)."
    ),
    "mean_iou.per_image_and_class": (
        "The mean over all pairs of an image and a class in its truth or prediction, so that images of many "
        "classes weigh more. torchmetrics' segmentation.MeanIoU, as of 1.9."
    ),
    "mean_iou.per_image_absent_0": (
        "Per image, a class absent from truth and prediction scores 0; mean over images. torchmetrics' "
        "segmentation.MeanIoU of 1.4."
    ),
    "mean_iou.per_image_absent_1": (
        "Per image, a class absent from truth and prediction scores 1; mean over images. "
        "segmentation_models.pytorch: iou_score(reduction='macro-imagewise')."
    ),
    "micro_iou.data_set": (
        "One IoU of all images and classes together, from their summed true positives, false positives and false "
        "negatives: frequent classes decide. segmentation_models.pytorch: iou_score(reduction='micro'), the dataset "
        "IoU of its notebooks; scikit-learn's jaccard_score(average='micro')."
    ),
    "pixel_accuracy.data_set": "The share of all valid pixels that are right. The headline here and in most papers.",
    "pixel_accuracy.data_set_with_void": (
        "The share of all pixels that are right, where a void pixel never is. Accuracy metrics that know no void "
        "label, such as Keras's SparseCategoricalAccuracy."
    ),
    "pixel_accuracy.per_batch": (
        "The share of each batch's valid pixels that are right; mean over batches. Accuracies averaged over the "
        "steps of an epoch."
    ),
    "pixel_accuracy.per_image": "The share of each image's valid pixels that are right; mean over images.",
}


def conventions(matrices: np.ndarray, void: np.ndarray, batch_size: int) -> dict[str, float | None]:
    """Return IoU and pixel accuracy in every convention.

    Args:
        matrices: int [N, C, C], one confusion matrix per image, rows ground truth; void pixels are not counted.
        void: int [N, C], predictions on void pixels by class.
        batch_size: images in a batch, in order; the last batch may be smaller.

    Returns:
        The keys of MEANINGS in their order; floats rounded to 6 digits, None if there is nothing to average.
    """
    batches = np.add.reduceat(matrices, np.arange(0, len(matrices), batch_size))
    figures = (
        _of_data_set(matrices.sum(axis=0), void.sum(axis=0))
        | _of_batches(iou(batches))
        | _of_images(iou(matrices), shown=matrices.sum(axis=-1) > 0)
        | {"micro_iou.data_set": _micro_iou(matrices.sum(axis=0))}
        | _pixel_accuracies(matrices, batches, void)
    )
    return {name: rounded(figure) for name, figure in figures.items()}


def _of_data_set(matrix: np.ndarray, void: np.ndarray) -> dict[str, np.ndarray]:
    per_class = iou(matrix)
    return {
        "mean_iou.data_set": mean_of_known(per_class),
        "mean_iou.data_set_absent_0": np.nan_to_num(per_class, nan=0.0).mean(),
        "mean_iou.data_set_with_void": mean_of_known(iou(_with_void(matrix, void))[:-1]),
    }


def _of_batches(per_batch: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "mean_iou.per_batch": mean_of_known(mean_of_known(per_batch)),
        "mean_iou.per_batch_absent_1": np.nan_to_num(per_batch, nan=1.0).mean(),
    }


def _of_images(per_image: np.ndarray, shown: np.ndarray) -> dict[str, np.ndarray]:
    """Average IoU [N, C], NaN for absent classes; `shown`, bool [N, C], is true if the ground truth has the class."""
    of_truth = np.where(shown, per_image, np.nan)
    return {
        "mean_iou.per_image": mean_of_known(mean_of_known(per_image)),
        "mean_iou.per_image_true_classes": mean_of_known(mean_of_known(of_truth)),
        "mean_iou.per_class_over_images": mean_of_known(mean_of_known(of_truth.T)),
        "mean_iou.per_image_and_class": mean_of_known(per_image.ravel()),
        "mean_iou.per_image_absent_0": np.nan_to_num(per_image, nan=0.0).mean(),
        "mean_iou.per_image_absent_1": np.nan_to_num(per_image, nan=1.0).mean(),
    }


def _micro_iou(matrix: np.ndarray) -> np.ndarray:
    """Return the IoU of all classes together; a wrong pixel is a false positive and a false negative."""
    hits = np.trace(matrix)
    pixels = 2 * matrix.sum() - hits
    return np.float64(hits / pixels if pixels else np.nan)


def _pixel_accuracies(matrices: np.ndarray, batches: np.ndarray, void: np.ndarray) -> dict[str, np.ndarray]:
    total = matrices.sum(axis=0)
    return {
        "pixel_accuracy.data_set": pixel_accuracy(total),
        "pixel_accuracy.data_set_with_void": pixel_accuracy(_with_void(total, void.sum(axis=0))),
        "pixel_accuracy.per_batch": mean_of_known(pixel_accuracy(batches)),
        "pixel_accuracy.per_image": mean_of_known(pixel_accuracy(matrices)),
    }


def _with_void(matrix: np.ndarray, void: np.ndarray) -> np.ndarray:
    """Return the matrix with void as one more class, which is in the ground truth and never predicted."""
    extended = np.pad(matrix, ((0, 1), (0, 1)))
    extended[-1, :-1] = void
    return extended
