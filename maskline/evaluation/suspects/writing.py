"""Labels to check: the collection of a split, the tables, and the pictures of the first images."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from maskline.contracts.audit import HeldOut
from maskline.contracts.classes import ClassInfo
from maskline.contracts.fit import Size
from maskline.contracts.pictures import Kind, picture_path
from maskline.contracts.suspects import (
    FOLDER,
    IMAGES,
    PATH,
    REGIONS,
    Place,
    SuspectImage,
    SuspectPicture,
    SuspectRegion,
    Suspects,
)
from maskline.evaluation.pictures import paint
from maskline.evaluation.predicted_split import Batch, PredictedLabels, PredictedSplit
from maskline.evaluation.suspects.collection import Candidates, Collection, Found, candidates
from maskline.evaluation.suspects.ranking import FoundImage, ranked
from maskline.evaluation.suspects.tables import image_rows, region_rows
from maskline.files.records import write_record, write_table
from maskline.shards.read.originals import find_originals

Splits = Mapping[HeldOut, PredictedSplit]


def collect_batch(
    keep: Callable[[Candidates], None], role: HeldOut, classes: int, batch: Batch, predicted: PredictedLabels
) -> None:
    """Keep the candidates of each image of a batch, without its padding.

    Args:
        classes: number of classes.
    """
    for index, content, *maps in zip(
        batch.indices,
        batch.contents,
        batch.labels,
        predicted.labels,
        predicted.confidence,
        predicted.true_class,
        strict=True,
    ):
        labels, prediction, confidence, true_class = (values[content] for values in maps)
        keep(candidates(role, index, labels, prediction, confidence, true_class, classes))


def collect_split(
    keep: Callable[[Candidates], None], role: HeldOut, classes: int, split: PredictedSplit, batch_size: int
) -> None:
    """Predict every image of a split and keep its candidates."""
    with tqdm(total=len(split.reader), desc=f"checking labels of {role}", unit=" images", disable=None) as bar:
        for batch in split.batches(batch_size):
            collect_batch(keep, role, classes, batch, split.predict(batch))
            bar.update(len(batch.indices))


def write_suspects(
    folder: Path,
    metrics: Path,
    raw: Path,
    splits: Splits,
    collection: Collection,
    classes: Sequence[ClassInfo],
    samples: int,
) -> None:
    """Write the tables of regions and images to check, and the pictures of the first images.

    Args:
        folder: the folder in which suspects.json and the pictures are written.
        metrics: the folder of the tables.
        raw: the prepared data set, which has the sizes of the original images.
        splits: those whose images are in the collection.
        samples: number of images to draw.

    Raises:
        ArtifactError: `raw` lacks an image, or is damaged.
    """
    names = {role: split.reader.names for role, split in splits.items()}
    regions, images = ranked(collection.regions(), names)
    made = None if any(split.originals for split in splits.values()) else next(iter(splits.values())).made
    rows = region_rows(regions, names, _sizes(raw, splits, regions), made, [c.name for c in classes])
    write_table(metrics / REGIONS.name, rows, SuspectRegion)
    write_table(metrics / IMAGES.name, image_rows(images, names), SuspectImage)
    pictures = [_drawn(folder, number, splits, image, classes) for number, image in enumerate(images[:samples], 1)]
    write_record(folder / PATH.name, Suspects(images=collection.images, pictures=pictures))


def _sizes(raw: Path, splits: Splits, regions: Sequence[Found]) -> dict[HeldOut, dict[str, Size]]:
    """Return the sizes of the original images that hold the regions, by split and name."""
    sizes: dict[HeldOut, dict[str, Size]] = {}
    for role, split in splits.items():
        shown = sorted({split.reader.names[region.position] for region in regions if region.split == role})
        originals = find_originals(raw, role, shown) if shown else None
        sizes[role] = {name: originals.size(index) for index, name in enumerate(shown)} if originals else {}
    return sizes


def _drawn(
    folder: Path, number: int, splits: Splits, image: FoundImage, classes: Sequence[ClassInfo]
) -> SuspectPicture:
    """Save the pictures of an image, and return their description."""
    split, subfolder = splits[image.split], f"{FOLDER}/{number}"
    panels = _panels(split, image.position, [c.color for c in classes])
    (folder / subfolder).mkdir(parents=True)
    for kind, pixels in panels.items():
        Image.fromarray(pixels).save(folder / picture_path(subfolder, kind))
    return SuspectPicture(
        split=image.split,
        filename=split.reader.names[image.position],
        folder=subfolder,
        height=panels["image"].shape[0],
        width=panels["image"].shape[1],
        places=[_place(region, classes) for region in image.regions],
    )


def _panels(split: PredictedSplit, index: int, colors: Sequence[str]) -> dict[Kind, np.ndarray]:
    batch = split.example(index)
    predicted = split.predict(batch)
    (content,) = batch.contents
    return {
        "image": batch.images[0][content],
        "truth": paint(batch.labels[0][content], colors),
        "prediction": paint(predicted.labels[0][content], colors),
    }


def _place(region: Found, classes: Sequence[ClassInfo]) -> Place:
    return Place(
        x=region.x,
        y=region.y,
        width=region.width,
        height=region.height,
        label=classes[region.label].name,
        predicted=classes[region.predicted].name,
    )
