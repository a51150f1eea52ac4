"""The rows of suspects.csv and suspect_images.csv."""

from collections.abc import Mapping, Sequence

from maskline.contracts.audit import HeldOut
from maskline.contracts.fit import Size
from maskline.contracts.model_info import Preprocessing
from maskline.contracts.suspects import SuspectImage, SuspectRegion
from maskline.evaluation.suspects.boxes import original_box
from maskline.evaluation.suspects.collection import Found
from maskline.evaluation.suspects.ranking import FoundImage, Names


def region_rows(
    regions: Sequence[Found],
    names: Names,
    sizes: Mapping[HeldOut, Mapping[str, Size]],
    made: Preprocessing | None,
    classes: Sequence[str],
) -> list[SuspectRegion]:
    """Return one row per region.

    Args:
        sizes: of the original images, by split and name.
        made: how the images that hold the regions were made of the originals; None: they are the originals.
        classes: names.
    """
    rows = []
    for rank, region in enumerate(regions, 1):
        name = names[region.split][region.position]
        size = sizes[region.split][name]
        rows.append(
            SuspectRegion(
                rank=rank,
                split=region.split,
                filename=name,
                score=region.score,
                **original_box(region, size, made)._asdict(),
                image_width=size[1],
                image_height=size[0],
                label=classes[region.label],
                predicted=classes[region.predicted],
                pixels=region.pixels,
                confidence=region.confidence,
            )
        )
    return rows


def image_rows(images: Sequence[FoundImage], names: Names) -> list[SuspectImage]:
    """Return one row per image."""
    return [
        SuspectImage(
            rank=rank,
            split=image.split,
            filename=names[image.split][image.position],
            score=image.score,
            regions=image.number,
        )
        for rank, image in enumerate(images, 1)
    ]
