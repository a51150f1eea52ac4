"""What plan tells about a data set: a line for each topic, and warnings on what would come up later."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from maskline.planning.fingerprint import Finding, FoundClass
from maskline.planning.inspection.examples import Listing
from maskline.planning.inspection.measuring import Measured, Problem
from maskline.planning.inspection.survey import Survey
from maskline.planning.inspection.wording import joined, percent, plural, some

_MOST_VALUES = 12  # that a line shows
_RARE = 0.01  # share of a class that is worth a warning
_FEW = 20  # images of a validation split that choose an epoch by chance
_VALIDATION, _TEST = 0.1, 0.2  # held out where the data set has no such split, as params.yaml does


def split_finding(listing: Listing) -> Finding:
    """Return the number of images by split."""
    counts = {split: len(found) for split, found in listing.splits.items()}
    text = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    lacking = [split for split in ("validation", "test") if split not in counts]
    held = f"; {joined(lacking)} {'is' if len(lacking) == 1 else 'are'} held out of train" if lacking else ""
    left = f"; {plural(listing.left_out, 'image')} in no split" if listing.left_out else ""
    return Finding("images", f"{plural(sum(counts.values()), 'image')}: {text}{held}{left}")


def size_finding(measured: Sequence[Measured]) -> tuple[Finding, tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return a line on the sizes, and the smallest, the median and the largest, by area."""
    sizes = sorted((each.size for each in measured), key=lambda size: (size[0] * size[1], size))
    heights, widths = zip(*sizes, strict=True)
    smallest, largest = sizes[0], sizes[-1]
    median = (round(float(np.median(heights))), round(float(np.median(widths))))
    if smallest == largest and len(set(sizes)) == 1:
        text = f"all {_size(median)} pixels"
    else:
        text = f"from {_size(smallest)} to {_size(largest)} pixels, median {_size(median)}"
    return Finding("sizes", f"{text} (height x width)"), smallest, median, largest


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def channel_finding(measured: Sequence[Measured]) -> tuple[Finding, dict[str, int]]:
    """Return a line on the kinds of images, and their counts."""
    counts = Counter(each.kind for each in measured)
    turned = sum(each.is_turned for each in measured)
    note = f"; {plural(turned, 'image')} turned by EXIF" if turned else ""
    return Finding("channels", f"{joined(f'{n:,} {kind}' for kind, n in counts.most_common())}{note}"), dict(counts)


def value_finding(found: Survey) -> Finding:
    """Return a line on the values or colors of masks: the most frequent, with pixels and images."""
    total = found.pixels.total()
    shown = sorted(value for value, _ in found.pixels.most_common(_MOST_VALUES))
    parts = [
        f"{found.shown(value)} ({found.pixels[value]:,} pixels, {percent(found.pixels[value], total)}, in "
        f"{plural(found.images[value], 'image')})"
        for value in shown
    ]
    others = len(found.pixels) - len(shown)
    more = f" and {plural(others, 'other')}" if others else ""
    word = "value" if found.masks == "index" else "color"
    kinds = joined(f"{n:,} {kind}" for kind, n in found.kinds.most_common())
    return Finding("mask values", f"{kinds}; {plural(len(found.pixels), word)}: {', '.join(parts)}{more}")


def class_finding(classes: Sequence[FoundClass], void_pixels: int) -> Finding:
    """Return a line on the share of each class."""
    total = sum(each.pixels for each in classes)
    ordered = sorted(classes, key=lambda each: -each.pixels)
    shown = [f"{each.name} {percent(each.pixels, total)}" for each in ordered[:_MOST_VALUES]]
    others = len(ordered) - len(shown)
    more = f" and {plural(others, 'other')}" if others else ""
    void = f"; void {percent(void_pixels, total + void_pixels)} of all pixels" if void_pixels else ""
    return Finding("classes", f"{len(classes)}: {', '.join(shown)}{more}{void}")


def class_warnings(classes: Sequence[FoundClass]) -> list[str]:
    """Return warnings on classes that the sample hardly shows."""
    total = max(sum(each.pixels for each in classes), 1)
    lacking = [each.name for each in classes if not each.pixels]
    rare = [f"{each.name} {percent(each.pixels, total)}" for each in classes if 0 < each.pixels < _RARE * total]
    warnings = []
    if lacking:
        warnings.append(f"no sampled mask shows {some(lacking, 8)}")
    if rare:
        warnings.append(f"classes are imbalanced: {some(rare, 6)} of the pixels")
    return warnings


def sample_finding(listing: Listing, measured: int) -> Finding:
    """Return a line on what was looked at."""
    total = len(listing.examples)
    if measured == total:
        return Finding("sample", f"all {plural(total, 'image')}")
    return Finding(
        "sample", f"{measured:,} of {plural(total, 'image')}, spread evenly; sizes, values and shares are theirs"
    )


def problem_warnings(problems: Sequence[Problem]) -> list[str]:
    """Return a warning that names examples that cannot be used, and why the first cannot."""
    if not problems:
        return []
    names = some([problem.name for problem in problems])
    return [f"{plural(len(problems), 'sampled image')} cannot be used ({names}): {problems[0].sentence.rstrip('.')}"]


def few_warnings(listing: Listing) -> list[str]:
    """Return a warning if the images that choose the epoch are few."""
    train = len(listing.splits.get("train", []))
    test = len(listing.splits["test"]) if "test" in listing.splits else max(1, round(_TEST * train))
    train -= 0 if "test" in listing.splits else test
    given = "validation" in listing.splits
    validation = len(listing.splits["validation"]) if given else max(1, round(_VALIDATION * train))
    if validation >= _FEW:
        return []
    return [
        f"{plural(validation, 'image')} of validation would choose the epoch, and {plural(test, 'image')} of test "
        "would give the figures, both by chance; folds (dataset.folds) validate on all images in turn"
    ]
