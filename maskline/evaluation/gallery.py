"""The gallery: the choice of test images, and the pictures of each."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from maskline.contracts.classes import ClassInfo
from maskline.contracts.counts import Counts
from maskline.contracts.pictures import Group, Kind, Picture, Pictures, picture_path
from maskline.evaluation.pictures import errors, paint, shade, strip
from maskline.evaluation.predicted_split import PredictedSplit
from maskline.files.artifacts import new_directory
from maskline.metrics.scores import iou, mean_over_classes, pixel_accuracy, rounded


def write_gallery(
    folder: Path,
    samples_folder: Path,
    split: PredictedSplit,
    counts: Counts,
    classes: Sequence[ClassInfo],
    samples: int,
) -> Pictures:
    """Draw the best, worst, most uncertain and random images.

    Args:
        folder: the folder in which pictures/ is written.
        samples_folder: a folder to write, with one strip for each random image.
        split: the images.
        counts: of the split's images.
        classes: the classes.
        samples: number of images in each group.
    """
    chosen = _chosen(counts, samples)
    colors, names = [c.color for c in classes], [c.name for c in classes]
    pictures: dict[int, Picture] = {}
    kinds: list[Kind] = []
    with new_directory(samples_folder) as strips:
        for index in sorted({index for group in chosen.values() for index in group}):
            panels = _panels(split, index, colors)
            kinds = list(panels)
            pictures[index] = _picture(f"pictures/{index:06d}", panels["image"], counts, index, names)
            _save(folder, pictures[index].folder, panels)
            if index in chosen["random"]:
                number = chosen["random"].index(index) + 1
                Image.fromarray(strip(list(panels.values()))).save(strips / f"{number}.png")
    groups = {group: [pictures[index] for index in indices] for group, indices in chosen.items()}
    return Pictures(kinds=kinds, **groups)


def _save(folder: Path, subfolder: str, panels: dict[Kind, np.ndarray]) -> None:
    (folder / subfolder).mkdir(parents=True)
    for kind, pixels in panels.items():
        Image.fromarray(pixels).save(folder / picture_path(subfolder, kind))


def _chosen(counts: Counts, samples: int) -> dict[Group, list[int]]:
    """Return the indices of each group's images, in order of rank."""
    scores = mean_over_classes(iou(counts.matrices))
    scored = [index for index in np.argsort(-scores, kind="stable").tolist() if not np.isnan(scores[index])]
    return {
        "best": scored[:samples],
        "worst": scored[::-1][:samples],
        "uncertain": np.argsort(-counts.uncertainty, kind="stable").tolist()[:samples],
        "random": random_indices(counts.filenames.tolist(), samples),
    }


def random_indices(names: Sequence[str], count: int) -> list[int]:
    """Return the indices of `count` names, chosen by a hash of the name so that two revisions show the same images."""
    return sorted(range(len(names)), key=lambda i: hashlib.sha256(names[i].encode()).digest())[:count]


def _panels(split: PredictedSplit, index: int, colors: Sequence[str]) -> dict[Kind, np.ndarray]:
    """Return the pictures of an image, each uint8 [H, W, 3]; mutual information only if dropout is sampled."""
    batch = split.example(index)
    predicted = split.predict(batch)
    (content,) = batch.contents
    image, labels, prediction, uncertainty = (
        maps[0][content] for maps in (batch.images, batch.labels, predicted.labels, predicted.uncertainty)
    )
    panels: dict[Kind, np.ndarray] = {
        "image": image,
        "truth": paint(labels, colors),
        "prediction": paint(prediction, colors),
        "errors": errors(image, labels, prediction),
        "uncertainty": shade(uncertainty),
    }
    if predicted.mutual_information is not None:
        panels["mutual_information"] = shade(predicted.mutual_information[0][content])
    return panels


def _picture(folder: str, image: np.ndarray, counts: Counts, index: int, names: Sequence[str]) -> Picture:
    matrix = counts.matrices[index]
    present = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0
    return Picture(
        filename=str(counts.filenames[index]),
        folder=folder,
        height=image.shape[0],
        width=image.shape[1],
        mean_iou=rounded(mean_over_classes(iou(matrix))),
        pixel_accuracy=rounded(pixel_accuracy(matrix)),
        uncertainty=round(float(counts.uncertainty[index]), 6),
        classes=[name for name, is_present in zip(names, present, strict=True) if is_present],
    )
