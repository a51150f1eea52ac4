"""The built-in data set: textured, overlapping shapes among clutter, drawn with the same bytes on every machine."""

from collections.abc import Iterator
from io import BytesIO

import tensorflow_datasets as tfds

from maskline.datasets.features import segmentation_info
from maskline.datasets.formats.classes import index_table
from maskline.datasets.sources import drawing
from maskline.files.artifacts import stored_png

SPLITS = {"train": 320, "validation": 64, "test": 96}
COLORS = ("#2b2d42", "#e63946", "#ffc857", "#43aa5b", "#2ec4c6", "#4361ee", "#d65db1")
TABLE = index_table(dict(zip(drawing.CLASSES, COLORS, strict=True)), void=(drawing.VOID,))


class Shapes(tfds.core.GeneratorBasedBuilder):
    """480 RGB pictures of 128 x 128 pixels with index masks: background, six shapes, 255 around every outline."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return segmentation_info(self, "Textured, overlapping shapes among clutter.", "", "Apache-2.0", "")

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        del dl_manager
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict]]:
        for index in range(SPLITS[split]):
            image, labels = drawing.draw(list(SPLITS).index(split), index)
            yield (
                index,
                {
                    "image": BytesIO(stored_png(image)),
                    "segmentation_mask": BytesIO(stored_png(labels)),
                    "file_name": f"{split}_{index:04d}.png",
                },
            )
