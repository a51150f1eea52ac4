"""What plan says about a data set: a line for each topic, and warnings on what would come up later."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from maskline.planning.fingerprint import Finding, FoundClass
from maskline.planning.inspection.examples import Listing
from maskline.planning.inspection.measuring import DARK, Measured, Problem
from maskline.planning.inspection.survey import Survey
from maskline.planning.wording import counted, joined, percent, plural, short, some

_MOST_VALUES = 8  # that a line shows
_RARE = 0.01  # share of a class that is worth a warning


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
    return Finding("channels", f"{counted(counts)}{note}"), dict(counts)


def value_finding(found: Survey) -> Finding:
    """Return a line on the values or colors of masks: the most frequent first, with their pixels."""
    shown = sorted(found.pixels, key=lambda value: (-found.pixels[value], value))[:_MOST_VALUES]
    parts = [f"{found.shown(value)} ({short(found.pixels[value])})" for value in shown]
    others = len(found.pixels) - len(shown)
    more = f" and {plural(others, 'other')}" if others else ""
    word = "value" if found.masks == "index" else "color"
    return Finding(
        "mask values", f"{counted(found.kinds)}; {plural(len(found.pixels), word)} (pixels): {', '.join(parts)}{more}"
    )


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


def dark_warnings(kinds: Mapping[str, int]) -> list[str]:
    """Return a warning on 16-bit images of which preprocess keeps little; see `channel_finding` for their kinds."""
    dark = sum(count for kind, count in kinds.items() if kind.endswith(DARK))
    if not dark:
        return []
    return [
        f"{plural(dark, 'image')} of 16 bits {'uses' if dark == 1 else 'use'} less than a quarter of the range and "
        "will be dark, because preprocess keeps the high 8 bits; stretch the values to 16 bits, or save 8 bits"
    ]


def overlap_warnings(measured: Sequence[Measured]) -> list[str]:
    """Return a warning on annotations of two classes that claim the same pixels."""
    images = sum(each.overlap > 0 for each in measured)
    if not images:
        return []
    total = sum(each.size[0] * each.size[1] for each in measured)
    share = percent(sum(each.overlap for each in measured), total)
    return [
        f"annotations of two classes overlap in {plural(images, 'image')} ({share} of the pixels); dataset.overlap "
        "says which is on top: the last (the default) or the smallest"
    ]


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
