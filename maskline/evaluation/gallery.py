"""The pictures of single images: which ones, and writing them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskline.evaluation.pictures import errors, paint, shade, strip
from maskline.evaluation.subject import Subject
from maskline.files.artifacts import new_directory
from maskline.metrics.scores import iou, mean_over_classes, pixel_accuracy, rounded


def write_gallery(
    folder: Path,
    samples_folder: Path,
    subject: Subject,
    counts: Mapping[str, np.ndarray],
    names: Sequence[str],
    colors: Sequence[str],
    samples: int,
) -> dict[str, list]:
    """Write the pictures of the best, worst, most uncertain and random images.

    Args:
        folder: where pictures/ is made.
        samples_folder: folder to make of one strip for each random image.
        subject: the split.
        counts: its counts.
        names: of the classes.
        colors: of the classes.
        samples: images of each group.

    Returns:
        The kinds of picture of each image, by file name without ending, and what to say of the images of each group.
    """
    scores = mean_over_classes(iou(counts["matrices"]))
    chosen = _chosen(subject.reader.names, scores, counts["uncertainty"], samples)
    entries, kinds = {}, []
    with new_directory(samples_folder) as strips:
        for index in sorted({index for group in chosen.values() for index in group}):
            panels = _panels(subject, index, colors)
            kinds = list(panels)
            place = f"pictures/{index:06d}"
            (folder / place).mkdir(parents=True)
            for kind, pixels in panels.items():
                Image.fromarray(pixels).save(folder / place / f"{kind}.png")
            if index in chosen["random"]:
                number = chosen["random"].index(index) + 1
                Image.fromarray(strip(list(panels.values()))).save(strips / f"{number}.png")
            entries[index] = _entry(subject.reader.names[index], place, panels["image"].shape, counts, index, names)
    return {"kinds": kinds} | {group: [entries[index] for index in indices] for group, indices in chosen.items()}


def _chosen(
    filenames: Sequence[str], scores: np.ndarray, uncertainty: np.ndarray, samples: int
) -> dict[str, list[int]]:
    scored = [index for index in np.argsort(-scores, kind="stable").tolist() if not np.isnan(scores[index])]
    return {
        "best": scored[:samples],
        "worst": scored[::-1][:samples],
        "uncertain": np.argsort(-uncertainty, kind="stable").tolist()[:samples],
        "random": random_indices(filenames, samples),
    }


def random_indices(names: Sequence[str], count: int) -> list[int]:
    """Choose by a hash of the name alone, so that two revisions show the same images."""
    return sorted(range(len(names)), key=lambda i: hashlib.sha256(names[i].encode()).digest())[:count]


def _panels(subject: Subject, index: int, colors: Sequence[str]) -> dict[str, np.ndarray]:
    """Return uint8 [H, W, 3] each: image, truth, prediction, errors, uncertainty; where sampled, mutual information."""
    batch = subject.one(index)
    scored = subject.scored(batch)
    image, labels, prediction = batch.images[0], batch.labels[0], scored.labels[0]
    panels = {
        "image": image,
        "truth": paint(labels, colors),
        "prediction": paint(prediction, colors),
        "errors": errors(image, labels, prediction),
        "uncertainty": shade(scored.uncertainty[0]),
    }
    if scored.mutual_information is not None:
        panels["mutual_information"] = shade(scored.mutual_information[0])
    return panels


def _entry(
    filename: str,
    place: str,
    shape: tuple[int, ...],
    counts: Mapping[str, np.ndarray],
    index: int,
    names: Sequence[str],
) -> dict[str, Any]:
    matrix = counts["matrices"][index]
    seen = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0
    return {
        "filename": filename,
        "folder": place,
        "height": shape[0],
        "width": shape[1],
        "mean_iou": rounded(mean_over_classes(iou(matrix))),
        "pixel_accuracy": rounded(pixel_accuracy(matrix)),
        "uncertainty": rounded(counts["uncertainty"][index]),
        "classes": [name for name, there in zip(names, seen, strict=True) if there],
    }
