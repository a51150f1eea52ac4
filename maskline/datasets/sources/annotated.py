"""Images with annotations in COCO's, YOLO's, LabelMe's, CVAT's and Label Studio's formats, drawn as masks."""

from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from maskline.contracts.annotations import BACKGROUND, AnnotationCounts
from maskline.contracts.classes import VOID
from maskline.datasets.features import segmentation_info
from maskline.datasets.formats import coco, cvat, label_studio, labelme, yolo
from maskline.datasets.formats.annotations import (
    AnnotatedImage,
    Annotations,
    class_order,
    draw_on,
    labels_by_name,
    unused_names,
)
from maskline.datasets.formats.classes import ClassTable, index_table, palette_color
from maskline.datasets.formats.reading import IMAGE_SUFFIXES, visible_files
from maskline.errors import InputError
from maskline.files.artifacts import stored_png
from maskline.params.source import SourceParams, is_class_name

_MOST_CLASSES = 255


class AnnotatedBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A builder that draws a mask for each annotated image of the folder `tree`, one at a time.

    Pixels without annotation are the class background, which is first, or void where dataset.classes leaves it out.
    If dataset.classes is None and no pixel is background, there is no such class.
    Without splits of the format's own, all images are train, and a test split is held out of them later.
    """

    VERSION = tfds.core.Version("1.0.0")
    read: Callable[[Path], Annotations]

    def __init__(self, *, tree: Path, dataset: SourceParams, **kwargs: Any) -> None:
        self._tree, self._dataset = tree, dataset
        self._counts: Counter[str] = Counter()
        self._classes: list[str] = []
        self._left_out = self._background_pixels = 0
        super().__init__(**kwargs)

    def table(self) -> ClassTable:
        """Return the classes of the prepared data set.

        Raises:
            InputError: there is one class alone.
        """
        first = int(self._dataset.classes is None and not self._background_pixels)
        names = self._classes[first:]
        if len(names) == 1:
            raise InputError(
                f"{self._tree} has the class {names[0]!r} alone, which covers every pixel; annotate a second class, or "
                "leave pixels without annotation."
            )
        colors = self._dataset.colors or [palette_color(i) for i in range(len(names))]
        return index_table(dict(zip(names, map(str.lower, colors), strict=True)), first, void=(VOID,))

    def counts(self) -> AnnotationCounts:
        """Return what was drawn, and what was not."""
        return AnnotationCounts(**self._counts)

    def left_out(self) -> int:
        """Return the number of images in the folder that the annotations do not name."""
        return self._left_out

    def _info(self) -> tfds.core.DatasetInfo:
        return segmentation_info(self, "Annotated images of a folder.", "", "", "")

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        del dl_manager
        data = type(self).read(self._tree)
        self._classes = _checked(class_order(data, self._dataset.classes), data.file)
        for image in (image for images in data.splits.values() for image in images):
            _check_name(image)
        used = {image.path for images in data.splits.values() for image in images}
        self._left_out = sum(path not in used for path in visible_files(data.folder, IMAGE_SUFFIXES))
        self._background_pixels = 0
        self._counts = data.skipped + Counter(unused_classes=len(unused_names(data) - set(self._classes)))
        labels = labels_by_name(data.names, self._classes)
        return {split: self._generate_examples(images, labels) for split, images in data.splits.items()}

    def _generate_examples(
        self, images: list[AnnotatedImage], labels: dict[str, int]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, image in enumerate(images):
            yield (
                index,
                {
                    "image": str(image.path),
                    "segmentation_mask": BytesIO(stored_png(self._mask(image, labels))),
                    "file_name": image.name,
                },
            )

    def _mask(self, image: AnnotatedImage, labels: dict[str, int]) -> Any:
        rest = labels.get(BACKGROUND, VOID)
        drawn = draw_on(image, labels, rest, self._dataset.overlap)
        self._background_pixels += int((drawn.mask == rest).sum())
        other = sum(region.name is not None and region.name not in labels for region in image.regions)
        found = {"drawn": drawn.drawn, "without_area": drawn.empty, "other_class": other}
        self._counts.update({**found, "overlap_pixels": drawn.overlap, "images_without": not image.regions})
        return drawn.mask


# TFDS has a data set of this name.
class Coco(AnnotatedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """COCO's instances."""

    read = staticmethod(coco.read)


class Yolo(AnnotatedBuilder):
    """YOLO segmentation."""

    read = staticmethod(yolo.read)


class Labelme(AnnotatedBuilder):
    """LabelMe's files."""

    read = staticmethod(labelme.read)


class Cvat(AnnotatedBuilder):
    """CVAT for images 1.1."""

    read = staticmethod(cvat.read)


class LabelStudio(AnnotatedBuilder):
    """Label Studio's JSON."""

    read = staticmethod(label_studio.read)


def _check_name(image: AnnotatedImage) -> None:
    if not image.name.isprintable():  # half of a surrogate pair is a byte that is not UTF-8
        raise InputError(f"{image.where}: {image.name!a} is not printable UTF-8; rename the image.")


def _checked(classes: list[str], file: Path) -> list[str]:
    """Raise InputError if a class cannot have its name, or there are too many."""
    seen: dict[str, str] = {}
    for name in classes:
        if not is_class_name(name):
            raise InputError(
                f"{file} has the class {name!a}, but a name must not be empty or have control characters, quotes, "
                "<, > or &; rename it there."
            )
        if seen.setdefault(name.lower(), name) != name:
            raise InputError(f"{file} has the classes {seen[name.lower()]!r} and {name!r}; give them one name.")
    if len(classes) > _MOST_CLASSES:
        raise InputError(
            f"{file} has {len(classes)} classes, but {_MOST_CLASSES} are possible; list some in dataset.classes."
        )
    return classes
