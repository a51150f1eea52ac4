"""What is in a folder, or in a source of a name, and the params of section dataset that read it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from maskline.datasets.catalogue import SOURCES
from maskline.datasets.formats.classes import ClassTable
from maskline.datasets.prepare import tfds_dirs
from maskline.datasets.prepared import find_prepared
from maskline.errors import InputError
from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Finding, Fingerprint, FoundClass
from maskline.planning.inspection import describe
from maskline.planning.inspection.class_names import NamesFile, find_names
from maskline.planning.inspection.coding import Coding, propose_coding
from maskline.planning.inspection.examples import Example, Listing
from maskline.planning.inspection.groups import find_groups
from maskline.planning.inspection.layouts import find_layout, find_prepared_copy
from maskline.planning.inspection.leaks import find_duplicates, find_leaks
from maskline.planning.inspection.listing import list_examples
from maskline.planning.inspection.measuring import MOST, Measured, Problem, measure, sample
from maskline.planning.inspection.no_layout import nothing_fits
from maskline.planning.inspection.prepared import Features, find_features, list_prepared, list_shapes
from maskline.planning.inspection.survey import Survey, survey
from maskline.planning.wording import joined, plural, some

_MOST_DRAWN = 48  # images of a sample that the project draws, which takes longer than decoding
_MOST_COMPARED = 600_000_000  # pixels of the images that are compared across splits


class _Place(NamedTuple):
    """Where a data set is: its folder, None where it needs none; its source params; its listing; and its layout."""

    path: Path | None
    choices: list[Choice]
    listing: Listing
    layout: str
    names_in: tuple[Path, ...] = ()


def inspect(path: str) -> Fingerprint:
    """Look at a folder, or at a source by its name, without writing anything.

    All files are listed. Pixels are read of at most 300 images, spread evenly.

    Args:
        path: a folder, or the name of a source that needs none, such as 'shapes', or that TFDS has prepared.

    Raises:
        InputError: nothing is there, no source reads it, or none of its images can be used.
        OSError: the system does not let it read a folder.
    """
    place = _of_folder(Path(path)) if Path(path).is_dir() else _of_name(path)
    listing = place.listing
    if not listing.examples:
        raise InputError(f"{path} has no image with a mask; add masks, or name another folder.")
    sampled = sample(listing.examples, _MOST_DRAWN if place.path is None and not listing.other_files else MOST)
    results = measure(sampled)
    measured = [each for each in results if isinstance(each, Measured)]
    problems = [each for each in results if isinstance(each, Problem)]
    if not measured:
        raise InputError(f"{path}: no sampled image can be used. The first: {problems[0].sentence}")
    found = survey(measured)
    names, name_warnings = find_names(place.names_in)
    is_whole = len(measured) == len(listing.examples)
    coding = _coding(listing, found, names, is_whole, Path(path))
    sizes, smallest, median, largest = describe.size_finding(measured)
    channels, kinds = describe.channel_finding(measured)
    group, group_finding, groups = _groups(listing)
    hashes = {example: each.hash for example, each in zip(sampled, results, strict=True) if isinstance(each, Measured)}
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
        describe.sample_finding(listing, len(results)),
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
        decode_seconds=sum(each.seconds for each in measured) / len(measured),
    )


def _of_folder(folder: Path) -> _Place:
    if (copy := find_prepared_copy(folder)) is not None:
        name, found = copy
        choices = _source(name, str(folder), f"{found} is a prepared copy of it")
        features = Features() if name in SOURCES else find_features(found)
        if name not in SOURCES:
            evidence = f"the image features of {name}"
            choices.append(Choice("dataset.image_feature", features.image, evidence))
            choices.append(Choice("dataset.mask_feature", features.mask, evidence))
        return _Place(folder, choices, list_prepared(name, found, features), f"a prepared TFDS data set, {name}")
    layout = find_layout(folder)
    if layout is None:
        raise InputError(nothing_fits(folder))
    choices = _source(layout.source, str(layout.path), layout.evidence)
    text = f"{layout.source}, because {layout.evidence}"
    if layout.path != folder:
        text += f"; found in the only such folder inside, {layout.path.name}/"
    if layout.others:
        text += f"; {joined(layout.others)} would fit too, but {'come' if len(layout.others) > 1 else 'comes'} later"
    names_in = (layout.tree, layout.tree / "masks") if layout.source == "folder" else ()
    return _Place(folder, choices, list_examples(layout), text, names_in)


def _of_name(name: str) -> _Place:
    if name == "shapes":
        choices = _source(name, "none", "the project draws it")
        return _Place(None, choices, list_shapes(), "shapes, which the project draws")
    entry = SOURCES.get(name)
    if entry is None:
        if Path(name).exists():
            raise InputError(f"{name} is a file; name the folder that holds it.")
        known = joined([source for source, each in SOURCES.items() if each.published or source == "shapes"], "or")
        raise InputError(f"{name!r} is neither a folder nor a data set with a name ({known}); correct it.")
    for place in tfds_dirs() if entry.published else []:
        if (found := find_prepared(place, name, entry.version)) is not None:
            choices = _source(name, "none", f"{found} is a prepared copy of it, which download finds")
            return _Place(
                None, choices, list_prepared(name, found, Features()), f"a prepared TFDS data set, {name}, in {found}"
            )
    raise InputError(
        f"{name} is not on this machine: give the folder that holds {entry.layout}"
        f"{', or set TFDS_DATA_DIR to the folder of a prepared copy' if entry.published else ''}."
    )


def _source(name: str, path: str, evidence: str) -> list[Choice]:
    reason = "nothing on disk is needed" if path == "none" else "the folder that you named"
    return [Choice("dataset.name", name, evidence), Choice("dataset.path", path, reason)]


# Classes.


def _coding(listing: Listing, found: Survey, names: NamesFile | None, is_whole: bool, folder: Path) -> Coding:
    if listing.table is not None:
        return _of_table(listing.table, found)
    if listing.names is not None:
        return _of_annotations(listing.names, found)
    return propose_coding(found, names, is_whole, folder)


def _of_table(table: ClassTable, found: Survey) -> Coding:
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


def _of_annotations(names: Sequence[str], found: Survey) -> Coding:
    """Return the classes of annotations; background is none of them if no pixel of the sample shows it."""
    classes = [
        FoundClass(name, "", found.pixels[label], found.images[label])
        for label, name in enumerate(names)
        if label or found.pixels[0]
    ]
    void = found.pixels[255]
    choice = Choice(
        "dataset.classes", None, f"the file's own, {plural(len(classes), 'class').replace('classs', 'classes')}"
    )
    return Coding([choice, *_unseen(classes)], classes, void, [])


def _unseen(classes: Sequence[FoundClass]) -> list[Choice]:
    lacking = [each.name for each in classes if not each.pixels]
    return [Choice("dataset.unseen", "allow", f"no sampled mask shows {some(lacking)}")] if lacking else []


# Groups and leaks.


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
    return sum(path.stat().st_size for path in files)
