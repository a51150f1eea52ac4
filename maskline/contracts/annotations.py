"""What became of a source's annotations, in source.json and audit.json, and the name of the class without any."""

from maskline.contracts.numbers import Count
from maskline.files.records import Record

BACKGROUND = "background"
_BACKGROUNDS = (BACKGROUND, "_background_")  # in any case; the second is LabelMe's


def is_background(name: str) -> bool:
    """Return whether a class is that of pixels without annotation."""
    return name.lower() in _BACKGROUNDS


class AnnotationCounts(Record):
    """What was drawn of a source's annotations, and what was not.

    Attributes:
        drawn: annotations with pixels.
        without_area: annotations without a pixel: fewer than three points, outside their image, or empty.
        other_kind: annotations of kinds that have no area, such as points and lines.
        other_class: annotations of classes that dataset.classes leaves out.
        repeated: annotations by a further annotator of the same image.
        unused_classes: classes of the file that no annotation has.
        images_without: images without any annotation.
        overlap_pixels: pixels that annotations of two classes claim.
    """

    drawn: Count = 0
    without_area: Count = 0
    other_kind: Count = 0
    other_class: Count = 0
    repeated: Count = 0
    unused_classes: Count = 0
    images_without: Count = 0
    overlap_pixels: Count = 0

    @property
    def not_drawn(self) -> int:
        """The annotations that have no pixel in the masks."""
        return self.without_area + self.other_kind + self.other_class + self.repeated
