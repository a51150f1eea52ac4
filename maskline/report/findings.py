"""Notable problems of the data, as sentences."""

from collections.abc import Sequence

from maskline.contracts.annotations import is_background
from maskline.contracts.audit import Audit
from maskline.contracts.classes import ROLES, Role

MUCH_DRIFT = 0.1
MUCH_VOID = 0.2
FEW_IMAGES = 10
MUCH_OUTSIDE = 0.2  # of padding, or cut off
MUCH_LEAKAGE = 0.05
_SCORED = {  # a class that train lacks, by whether test lacks it too
    True: ", and means leave it out unless it is predicted",
    False: ", and means count it, because test shows it",
}


def findings(audit: Audit, names: list[str]) -> list[str]:
    """Return one sentence for each problem that matters for the figures."""
    return [
        *_unseen(audit, names),
        *_few(audit),
        *_duplicates(audit),
        *_leakage(audit),
        *_groups(audit),
        *_drift(audit),
        *_void(audit),
        *_fit(audit),
        *_dark(audit),
        *_left_out(audit),
        *_annotations(audit, names),
    ]


def _unseen(audit: Audit, names: list[str]) -> list[str]:
    means: dict[Role, str] = {
        "train": "the model cannot have learned it",
        "validation": "the best epoch was chosen without it",
        "test": "it is not measured",
    }
    sentences = []
    for name in names:
        lacking = [split for split in ROLES if not audit.images_with_class[split][name]]
        if lacking:
            scored = _SCORED["test" in lacking] if "train" in lacking else ""
            sentences.append(f"Class {name} is never seen in {_listed(lacking)}: {means[lacking[0]]}{scored}.")
    return sentences


def _few(audit: Audit) -> list[str]:
    means: dict[Role, str] = {
        "validation": "Only {} chose the epoch: another image more or less may choose another.",
        "test": "All figures are of only {}: others may give quite different ones.",
    }
    return [
        meaning.format(f"{count} {split} image{'s' * (count != 1)}")
        for split, meaning in means.items()
        if (count := audit.images[split]) < FEW_IMAGES
    ]


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def _duplicates(audit: Audit) -> list[str]:
    exact, near = audit.duplicates.exact, audit.duplicates.near
    if not exact + near:
        return []
    least = "at least " if audit.duplicates.near_is_least else ""
    return [
        f"Some images are in two splits (pairs: {exact} exact, {least}{near} near), which makes the figures too high."
    ]


def _leakage(audit: Audit) -> list[str]:
    remedy = "set dataset.group" if audit.groups is None else "make the groups of dataset.group larger"
    return [
        f"{100 * near.share:.0f}\u202f% of the images of {split} have a near neighbor in train, which makes figures "
        f"too high; {remedy}, or correct your split lists, so that images of one video, patient or place stay in one "
        "split."
        for split, near in audit.leakage.items()
        if near.share >= MUCH_LEAKAGE
    ]


def _groups(audit: Audit) -> list[str]:
    if audit.groups is None:
        return []
    sentences = []
    if audit.groups.cut:
        group, splits = audit.groups.cut_groups[0]
        number = f"{audit.groups.cut:,} group{'s' * (audit.groups.cut > 1)} of dataset.group"
        sentences.append(f"The source's split lists cut {number}; {group}, for example, is in {_listed(splits)}.")
    if audit.groups.unused:
        rows, name = ("row", "names") if audit.groups.unused == 1 else ("rows", "name")
        sentences.append(f"{audit.groups.unused:,} {rows} of the CSV in dataset.group {name} no image of the data.")
    return sentences


def _drift(audit: Audit) -> list[str]:
    return [
        f"Class shares of {split} are unlike train's: {100 * drift:.0f}\u202f% of its pixels would have to change."
        for split, drift in audit.class_drift.items()
        if drift > MUCH_DRIFT
    ]


def _void(audit: Audit) -> list[str]:
    return [
        f"{100 * share:.0f}\u202f% of the pixels of {split} are void and count for nothing."
        for split, share in audit.void_share.items()
        if share > MUCH_VOID
    ]


def _dark(audit: Audit) -> list[str]:
    dark = audit.converted.get("dark_sixteen_bit", 0)
    if not dark:
        return []
    return [
        f"{dark:,} of {audit.converted['sixteen_bit']:,} 16-bit images use less than a quarter of their range and "
        "became dark, because the high 8 bits are kept: stretch their values to 16 bits, or save them with 8."
    ]


def _fit(audit: Audit) -> list[str]:
    padding = [
        f"{100 * share:.0f}\u202f% of the pixels of {split} are padding, which keeps the images' shapes and counts for "
        "nothing."
        for split, share in audit.padding_share.items()
        if share > MUCH_OUTSIDE
    ]
    return padding + [
        f"preprocess.fit crop cuts off {100 * share:.0f}\u202f% of the area of {split}'s images."
        for split, share in audit.cropped_share.items()
        if share > MUCH_OUTSIDE
    ]


def _left_out(audit: Audit) -> list[str]:
    sentences = []
    if audit.left_out_by_lists:
        images, are = ("image", "is") if audit.left_out_by_lists == 1 else ("images", "are")
        sentences.append(
            f"{audit.left_out_by_lists:,} {images} of the source {are} in no split list and {are} left out."
        )
    if audit.left_out_by_folds:
        images, are = ("image", "is") if audit.left_out_by_folds == 1 else ("images", "are")
        sentences.append(
            f"{audit.left_out_by_folds:,} {images} of the source's test split {are} left out; dataset.folds divides "
            "the others."
        )
    counts = {split: count for split, count in audit.left_out_by_limit.items() if count}
    if counts:
        parts = ", ".join(f"{count:,} of {split}" for split, count in counts.items())
        sentences.append(f"dataset.limit left images out: {parts}.")
    return sentences


def _annotations(audit: Audit, names: list[str]) -> list[str]:
    counts = audit.annotations
    if counts is None:
        return []
    left_out = (
        (counts.without_area, "annotation has no area and is", "annotations have no area and are"),
        (
            counts.other_kind,
            "annotation is a point, a line or another without an area and is",
            "annotations are points, lines or others without an area and are",
        ),
        (
            counts.other_class,
            "annotation is of a class that dataset.classes leaves out and is",
            "annotations are of classes that dataset.classes leaves out and are",
        ),
        (
            counts.repeated,
            "annotation is by a further annotator and is",
            "annotations are by a further annotator and are",
        ),
    )
    sentences = [f"{count:,} {one if count == 1 else many} not drawn." for count, one, many in left_out if count]
    if counts.overlap_pixels:
        overlap = f"{counts.overlap_pixels:,} pixel{'s' * (counts.overlap_pixels != 1)}"
        sentences.append(f"Annotations of two classes overlap in {overlap}; dataset.overlap says which is on top.")
    if counts.images_without:
        labels = "background" if any(map(is_background, names)) else "void and count for nothing"
        have = "image has no annotation and is" if counts.images_without == 1 else "images have no annotation and are"
        sentences.append(f"{counts.images_without:,} {have} all {labels}.")
    return sentences
