"""What is in a folder, or in a source of a name, and the params of section dataset that read it."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from maskline.errors import InputError
from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Finding, Fingerprint
from maskline.planning.inspection import describe
from maskline.planning.inspection.class_names import NamesFile, find_names
from maskline.planning.inspection.coding import Coding, propose_coding
from maskline.planning.inspection.examples import Example, Listing
from maskline.planning.inspection.groups import find_groups
from maskline.planning.inspection.known_classes import of_annotations, of_table
from maskline.planning.inspection.leaks import find_duplicates, find_leaks
from maskline.planning.inspection.measuring import MOST, Measured, Problem, measure, sample
from maskline.planning.inspection.place import Place, find_place
from maskline.planning.inspection.survey import Survey, survey

_MOST_DRAWN = 48  # images of a sample that the project draws, which takes longer than decoding
_MOST_COMPARED = 600_000_000  # pixels of the images that are compared across splits


class _Looked(NamedTuple):
    """What a sample holds: its examples, those that cannot be used, and the difference hashes of the others."""

    measured: list[Measured]
    problems: list[Problem]
    hashes: dict[Example, bytes]


def inspect(path: str) -> Fingerprint:
    """Look at a folder, or at a source by its name, without writing anything.

    All files are listed. Pixels are read of at most 300 images, spread evenly.

    Args:
        path: a folder, or the name of a source that needs none, such as 'shapes', or that TFDS has prepared.

    Raises:
        InputError: nothing is there, no source reads it, or none of its images can be used.
        OSError: the system does not let it read a folder.
    """
    place = find_place(path)
    listing = place.listing
    measured, problems, hashes = _look(path, place)
    found = survey(measured)
    names, name_warnings = find_names(place.names_in)
    is_whole = len(measured) == len(listing.examples)
    coding = _coding(listing, found, names, is_whole, Path(path))
    sizes, smallest, median, largest = describe.size_finding(measured)
    channels, kinds = describe.channel_finding(measured)
    group, group_finding, groups = _groups(listing)
    leaks = _leaks(listing, measured, hashes)
    findings = [
        Finding("layout", "; ".join([place.layout, *listing.notes])),
        describe.split_finding(listing),
        sizes,
        channels,
        *([] if listing.names else [describe.value_finding(found)]),
        describe.class_finding(coding.classes, coding.void_pixels),
        *([Finding("class names", f"from {names.path}")] if names and listing.table is None else []),
        *group_finding,
        *([Finding("leaks", leaks)] if isinstance(leaks, str) else []),
        describe.sample_finding(listing, len(measured) + len(problems)),
    ]
    warnings = [
        *listing.warnings,
        *describe.problem_warnings(problems),
        *describe.dark_warnings(kinds),
        *describe.overlap_warnings(measured),
        *name_warnings,
        *coding.warnings,
        *describe.class_warnings(coding.classes),
        *([] if isinstance(leaks, str) else leaks),
        *find_duplicates(listing.splits),
    ]
    return Fingerprint(
        path=place.path,
        source=[*place.choices, *coding.choices, *group],
        findings=findings,
        warnings=warnings,
        images={split: len(examples) for split, examples in listing.splits.items()},
        classes=coding.classes,
        void_pixels=coding.void_pixels,
        sampled=len(measured),
        smallest=smallest,
        median=median,
        largest=largest,
        channels=kinds,
        stored_bytes=_stored_bytes(listing),
        groups=groups,
        raw_bytes=round(fmean(each.stored for each in measured) * len(listing.examples)),
        read_seconds=fmean(each.reading for each in measured),
        decode_seconds=fmean(each.decoding for each in measured),
    )


def _look(path: str, place: Place) -> _Looked:
    """Measure a sample.

    Raises:
        InputError: there are no examples, or none of the sample can be used.
    """
    examples, is_drawn = place.listing.examples, place.path is None and not place.listing.other_files
    if not examples:
        raise InputError(f"{path} has no image with a mask; add masks, or name another folder.")
    sampled = sample(examples, _MOST_DRAWN if is_drawn else MOST)
    results = list(zip(sampled, measure(sampled), strict=True))
    problems = [each for _, each in results if isinstance(each, Problem)]
    if len(problems) == len(results):
        raise InputError(f"{path}: no sampled image can be used. The first: {problems[0].sentence}")
    measured = {example: each for example, each in results if isinstance(each, Measured)}
    return _Looked(list(measured.values()), problems, {example: each.hash for example, each in measured.items()})


def _coding(listing: Listing, found: Survey, names: NamesFile | None, is_whole: bool, folder: Path) -> Coding:
    """Return how masks are read, by who defines the classes: the source, its annotations, or the masks themselves."""
    if listing.table is not None:
        return of_table(listing.table, found)
    if listing.names is not None:
        return of_annotations(listing.names, found)
    return propose_coding(found, names, is_whole, folder)


def _groups(listing: Listing) -> tuple[list[Choice], list[Finding], int | None]:
    """Return dataset.group where a split is held out and names and pictures give evidence for groups."""
    if {"validation", "test"} <= listing.splits.keys():
        return [], [], None
    train = listing.splits.get("train", [])
    groups = find_groups(train) if all(example.files for example in train) else None
    if groups is None:
        return [], [], None
    text = (
        f"{groups.number:,} groups by name, and neighbors in a group look alike (median distance {groups.within:.2f}, "
        f"between groups {groups.between:.2f})"
    )
    return [Choice("dataset.group", groups.pattern, text)], [Finding("groups", text)], groups.number


def _leaks(listing: Listing, measured: Sequence[Measured], hashes: dict[Example, bytes]) -> str | list[str]:
    """Return warnings on leaks between the data set's own splits, or a sentence on what was looked at."""
    if not listing.splits.keys() & {"validation", "test"}:
        return []
    if not listing.other_files and not any(example.files for example in listing.examples[:1]):
        return "none, because every image is drawn by itself"
    pixels = sum(each.size[0] * each.size[1] for each in measured) / len(measured)
    number = len(listing.examples)
    if number * pixels > _MOST_COMPARED:
        return f"not looked for among {number:,} images of this size; preprocess does"
    warnings = find_leaks(listing.splits, hashes)
    return (
        warnings or f"none found: few images of validation and test have a near neighbor in train ({number:,} compared)"
    )


def _stored_bytes(listing: Listing) -> int:
    files = {path for example in listing.examples for path in example.files} | set(listing.other_files)
    return sum(path.stat().st_size for path in files if path.is_file())
