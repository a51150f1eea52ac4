"""The classes that a source defines or that annotations name, as the sampled masks show them."""

from collections import Counter
from collections.abc import Sequence

from maskline.datasets.formats.classes import ClassTable
from maskline.planning.choice import Choice
from maskline.planning.fingerprint import FoundClass
from maskline.planning.inspection.coding import Coding
from maskline.planning.inspection.survey import Survey
from maskline.planning.wording import some


def of_table(table: ClassTable, found: Survey) -> Coding:
    """Return the classes that a source defines, as the sampled masks show them."""
    labels: Counter[int] = Counter()
    images: Counter[int] = Counter()
    unknown = []
    for value, pixels in found.pixels.items():
        shown = found.shown(value)
        if shown in table.labels:
            labels[table.labels[shown]] += pixels
            images[table.labels[shown]] = max(images[table.labels[shown]], found.images[value])
        elif shown not in table.void:
            unknown.append(shown)
    values: dict[int, list[str]] = {}
    for shown, label in table.labels.items():
        values.setdefault(label, []).append(shown)
    classes = [
        FoundClass(info.name, " and ".join(values[label]), labels[label], images[label])
        for label, info in enumerate(table.classes)
    ]
    void = sum(pixels for value, pixels in found.pixels.items() if found.shown(value) in table.void)
    warnings = []
    if unknown:
        warnings.append(
            f"masks have the {'value' if len(unknown) == 1 else 'values'} {some(sorted(unknown), 8)}, which this data "
            "set does not know; if the data are your own, name the folders images/ and masks/"
        )
    return Coding(_unseen(classes), classes, void, warnings)


def of_annotations(names: Sequence[str], found: Survey) -> Coding:
    """Return the classes of annotations; background is none of them if no pixel of the sample shows it."""
    classes = [
        FoundClass(name, "", found.pixels[label], found.images[label])
        for label, name in enumerate(names)
        if label or found.pixels[0]
    ]
    void = found.pixels[255]
    count = "1 class" if len(classes) == 1 else f"{len(classes)} classes"
    choice = Choice("dataset.classes", None, f"the file's own, {count}")
    return Coding([choice, *_unseen(classes)], classes, void, [])


def _unseen(classes: Sequence[FoundClass]) -> list[Choice]:
    lacking = [each.name for each in classes if not each.pixels]
    return [Choice("dataset.unseen", "allow", f"no sampled mask shows {some(lacking)}")] if lacking else []
