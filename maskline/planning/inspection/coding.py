"""The params that read a user's masks: classes, masks, values, colors and void, from what the sampled masks hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from maskline.contracts.annotations import BACKGROUND, is_background
from maskline.contracts.classes import VOID
from maskline.errors import InputError
from maskline.planning.choice import Choice
from maskline.planning.fingerprint import FoundClass
from maskline.planning.inspection.class_names import NamedClass, NamesFile
from maskline.planning.inspection.survey import Survey
from maskline.planning.wording import counted, joined, percent, plural, some

_MOST_CLASSES = 255
_LABELS_END = 16  # labels of few classes are below this
_VOC_BORDER = 0xE0E0C0  # around objects in VOC's color masks
_BYTE = range(256)


class Coding(NamedTuple):
    """How masks are read: params, the classes in label order, the void pixels of the sample, and warnings."""

    choices: list[Choice]
    classes: list[FoundClass]
    void_pixels: int
    warnings: list[str]


def _lacks_colors(names: NamesFile | None) -> bool:
    return names is None or any(each.color is None for each in names.classes)


class _Class(NamedTuple):
    """A class and its mask values."""

    name: str
    values: list[int]


class _Plan(NamedTuple):
    """Classes, void values, why they are so, and what to look at."""

    classes: list[_Class]
    void: list[int]
    reason: str
    void_reason: str
    warnings: list[str]


def propose_coding(found: Survey, names: NamesFile | None, is_whole: bool, folder: Path) -> Coding:
    """Return the params that read masks.

    Args:
        found: in the sampled masks.
        names: of the classes, if a file gives them.
        is_whole: whether the sample is the whole data set.
        folder: of the masks, for messages.

    Raises:
        InputError: the masks hold one value alone, or more than can be classes.
    """
    if len(found.pixels) == 1:
        value = found.shown(next(iter(found.pixels)))
        raise InputError(
            f"{folder}: all sampled masks hold the value {value} alone, so there is nothing to learn; check that these "
            "are the masks, and that the labels were exported."
        )
    if found.is_numbered:
        plan = _of_objects(found, names, is_whole)
    elif found.main is not None:
        plan = _of_smoothed(found, names)
    elif found.masks == "color" and not (found.is_gray and _lacks_colors(names)):
        plan = _of_colors(found, names)
    else:
        plan = _of_values(found, names, is_whole)
    if not 2 <= len(plan.classes) <= _MOST_CLASSES:
        raise InputError(
            f"{folder}: the sampled masks hold {plural(len(found.pixels), 'value')}, of which "
            f"{len(plan.classes)} would be classes, but 2 to {_MOST_CLASSES} are possible; check that these are the "
            f"masks of classes. Found: {some(list(map(found.shown, sorted(found.pixels))), 8)}"
        )
    classes = [
        FoundClass(
            each.name,
            _shown(found, each.values),
            sum(found.pixels[value] for value in each.values),
            max((found.images[value] for value in each.values), default=0),
        )
        for each in plan.classes
    ]
    void_pixels = sum(found.pixels[value] for value in plan.void)
    return Coding(_choices(found, plan, names), classes, void_pixels, [*plan.warnings, *_of_files(found)])


def _shown(found: Survey, values: Sequence[int]) -> str:
    if len(values) > 2:
        return f"{found.shown(values[0])} to {found.shown(values[-1])}"
    return " and ".join(map(found.shown, values))


def _choices(found: Survey, plan: _Plan, names: NamesFile | None) -> list[Choice]:
    kinds = counted(found.kinds)
    values: Any = [each.values[0] if len(each.values) == 1 else each.values for each in plan.classes]
    choices = [Choice("dataset.classes", [each.name for each in plan.classes], plan.reason)]
    if found.masks == "index":
        palette = ", whose index is the label" if "palette" in found.kinds else ""
        choices.append(Choice("dataset.masks", "index", f"the sampled masks have one channel: {kinds}{palette}"))
        is_default = values == list(range(len(values)))
        reason = (
            "the values are 0, 1, 2 ..." if is_default else f"the values of {joined(c.name for c in plan.classes[:4])}"
        )
        choices.append(Choice("dataset.values", None if is_default else values, reason))
        colors = _drawing_colors(found, plan, names)
        choices.append(
            Choice(
                "dataset.colors",
                colors,
                "as the masks or their names file have them, to draw classes" if colors else "PASCAL VOC's palette",
            )
        )
        void: list[Any] = list(plan.void)
    else:
        choices.append(Choice("dataset.masks", "color", f"the sampled masks have several channels: {kinds}"))
        choices.append(Choice("dataset.values", None, "only index masks have values"))
        colors = [found.shown(each.values[0]) for each in plan.classes]
        choices.append(Choice("dataset.colors", colors, "the colors of the classes in the masks"))
        void = [found.shown(value) for value in plan.void]
    choices.append(Choice("dataset.void", void, plan.void_reason))
    lacking = [each.name for each in plan.classes if not any(found.pixels[value] for value in each.values)]
    if lacking:
        reason = f"no sampled mask shows {some(lacking)}"
        choices.append(Choice("dataset.unseen", "allow", reason))
    return choices


def _drawing_colors(found: Survey, plan: _Plan, names: NamesFile | None) -> list[str] | None:
    """Return a color for each class of index masks, from their palette or the names file, if all differ."""
    of_names = {each.name: each.color for each in names.classes} if names else {}
    colors = [of_names.get(each.name) for each in plan.classes]
    if None in colors:
        colors = [found.palette.get(each.values[0]) for each in plan.classes]
    if None in colors or len(set(colors)) < len(colors):
        return None
    return [f"#{color:06x}" for color in colors if color is not None]


def _of_files(found: Survey) -> list[str]:
    warnings = []
    if len({kind for kind in found.kinds if "palette" in kind or "gray" in kind}) > 1 and found.masks == "index":
        warnings.append(
            f"masks are of several kinds ({joined(found.kinds)}); check that a palette's index and a gray value mean "
            "the same class"
        )
    return warnings


# Masks of labels.


def _of_values(found: Survey, names: NamesFile | None, is_whole: bool) -> _Plan:
    """Return the classes of index masks, or of color masks with gray levels alone."""
    scale = 1 if found.masks == "index" else 0x010101
    values = sorted(value // scale for value in found.pixels)
    entries = names.classes if names else []
    by_palette = _by_palette(found, entries)
    if by_palette is not None and names is not None:
        return _by_file(found, by_palette, names, 1, "a palette color")
    if entries and all(each.value is not None for each in entries) and names is not None:
        return _by_file(
            found, {each.value: each for each in entries if each.value is not None}, names, scale, "a value"
        )
    void, void_reason = _void_by_custom(values, [each for each in entries if not each.is_void])
    kept = [value for value in values if value not in void]
    aligned = _aligned(entries, kept) if names else None
    if aligned is not None and names is not None:
        named_void = [value for value, each in aligned.items() if each.is_void]
        plan = _by_file(found, aligned, names, scale, "a value")
        extra = [value * scale for value in void]
        reason = plan.void_reason if named_void else void_reason
        return plan._replace(void=sorted({*plan.void, *extra}), void_reason=reason)
    warnings = []
    if names:
        warnings.append(
            f"{names.path} has {plural(len(entries), 'name')}, which do not fit the values "
            f"{some(list(map(str, kept)), 8)}; correct dataset.classes, which has names made from the values"
        )
    if not is_whole and found.masks == "index":
        kept = _without_gaps(kept)
    return _made(kept, [value * scale for value in void], void_reason, scale, warnings, found)


def _void_by_custom(values: Sequence[int], entries: Sequence[NamedClass]) -> tuple[list[int], str]:
    """Return 255 if the other values look like labels, and the reason."""
    others = [value for value in values if value != VOID]
    if values == [0, VOID]:
        return [], f"0 and {VOID} are two classes"
    if VOID not in values:
        return [], f"no sampled mask has {VOID}, which is void by custom"
    is_named = len(entries) > VOID or any(each.value == VOID for each in entries)
    if len(others) >= 2 and max(others) <= max(_LABELS_END, 3 * len(others)) and not is_named:
        return [VOID], f"{VOID} is void by custom, and the other values are labels up to {max(others)}"
    return [], f"{VOID} is a class, because the other values ({some(list(map(str, others)))}) are no row of labels"


def _by_palette(found: Survey, entries: Sequence[NamedClass]) -> dict[int, NamedClass] | None:
    """Return the class of each value by its color in the masks' palette, or its gray, if all have one."""
    colors = {each.color: each for each in entries if each.color is not None}
    is_row = sorted(found.pixels) == list(range(len(found.pixels)))
    gray = {} if is_row or found.masks == "color" else {value: value * 0x010101 for value in found.pixels}
    shown = found.palette or gray
    if not shown or not colors or not all(shown.get(value) in colors for value in found.pixels):
        return None
    return {value: colors[shown[value]] for value in found.pixels}


def _aligned(entries: Sequence[NamedClass], values: Sequence[int]) -> dict[int, NamedClass] | None:
    """Return the class of each value by the order of names, or None if they do not fit."""
    labeled = [each for each in entries if not each.is_void]
    with_background = [NamedClass(BACKGROUND), *labeled]
    has_background = any(is_background(each.name) for each in labeled)
    if len(values) == len(labeled):
        is_row = list(values) == list(range(len(values)))
        if not is_row or len(labeled) == len(entries):
            return dict(zip(values, labeled, strict=True))
    if len(values) == len(entries):
        return dict(zip(values, entries, strict=True))
    if len(values) == len(with_background) and values[0] == 0 and not has_background:
        return dict(zip(values, with_background, strict=True))
    if max(values) < len(entries):
        return dict(enumerate(entries))
    if max(values) < len(with_background) and not has_background:
        return dict(enumerate(with_background))
    return None


def _by_file(found: Survey, classes: dict[int, NamedClass], names: NamesFile, scale: int, how: str) -> _Plan:
    """Return the classes that a file names by their values; values without a name get one, with a warning."""
    void = sorted(value * scale for value, each in classes.items() if each.is_void)
    order = list(classes.items()) if found.masks == "color" else sorted(classes.items())  # colors have no order
    named = [_Class(each.name, [value * scale]) for value, each in order if not each.is_void]
    unnamed = sorted(value for value in found.pixels if value // scale not in classes)
    warnings = []
    void_reason = (
        f"{names.path.name} names {joined(each.name for each in classes.values() if each.is_void)}"
        if void
        else "no class is named void"
    )
    if VOID * scale in unnamed and found.masks == "index":
        unnamed.remove(VOID * scale)
        void = [*void, VOID * scale]
        void_reason = f"{VOID} is void by custom, and {names.path.name} does not name it"
    if unnamed:
        shown = list(map(found.shown, unnamed))
        pixels = percent(sum(found.pixels[value] for value in unnamed), found.pixels.total())
        warnings.append(
            f"{names.path} does not name the {'value' if len(unnamed) == 1 else 'values'} {some(shown, 8)} "
            f"({pixels} of the pixels); name them in dataset.classes, or move them to dataset.void"
        )
        taken = {each.name.lower() for each in named}
        named += [_Class(_free(f"class_{found.shown(value).lstrip('#')}", taken), [value]) for value in unnamed]
    return _Plan(named, void, f"from {names.path.name}, which gives each class {how} or a place", void_reason, warnings)


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)


def _without_gaps(values: Sequence[int]) -> list[int]:
    """Return values with those between them that a sample may lack, if they are a row of labels with few gaps."""
    row = list(range(min(values), max(values) + 1))
    return row if min(values) <= 1 and len(row) <= min(2 * len(values), _MOST_CLASSES) else list(values)


def _made(
    values: Sequence[int], void: list[int], void_reason: str, scale: int, warnings: list[str], found: Survey
) -> _Plan:
    """Return classes with names that are made from their values."""
    names = made_names(values)
    shown = joined(
        f"{name} for {found.shown(value * scale)}" for name, value in list(zip(names, values, strict=True))[:4]
    )
    more = " ..." if len(values) > 4 else ""
    remedy = "add a classes.txt to your folder and plan again, or correct the names in dataset.classes"
    warnings = [*warnings, f"no file names the classes; {remedy}: {shown}{more}"]
    classes = [_Class(name, [value * scale]) for name, value in zip(names, values, strict=True)]
    return _Plan(classes, void, "made from the values, because no file names the classes", void_reason, warnings)


def made_names(values: Sequence[int]) -> list[str]:
    """Return background for 0 and class_<value> for others; of two classes, the second is foreground."""
    if len(values) == 2 and values[0] == 0:
        return [BACKGROUND, "foreground"]
    return [BACKGROUND if value == 0 else f"class_{value}" for value in values]


# Masks of colors.


def _of_colors(found: Survey, names: NamesFile | None) -> _Plan:
    colored = [each for each in names.classes if each.color is not None] if names else []
    if names and colored:
        return _by_file(found, {each.color: each for each in colored if each.color is not None}, names, 1, "a color")
    colors = sorted(found.pixels)
    void = [_VOC_BORDER] if _VOC_BORDER in colors and 0 in colors and len(colors) > 2 else []
    reason = "it is the border around objects in VOC's color masks" if void else "no color is void by custom"
    colors = [color for color in colors if color not in void]
    if len(colors) == 2 and colors[0] == 0:
        made = [BACKGROUND, "foreground"]
    else:
        made = [BACKGROUND if color == 0 else f"class_{place}" for place, color in enumerate(colors)]
    why = f"{names.path} gives no colors, so its names fit no color" if names else "no file names the classes"
    shown = joined(f"{name} for {found.shown(color)}" for name, color in list(zip(made, colors, strict=True))[:4])
    warning = f"{why}; correct the names in dataset.classes: {shown}{' ...' if len(colors) > 4 else ''}"
    classes = [_Class(name, [color]) for name, color in zip(made, colors, strict=True)]
    return _Plan(classes, void, "made from the order of the colors", reason, [warning])


# Masks that are no labels yet.


def _of_smoothed(found: Survey, names: NamesFile | None) -> _Plan:
    """Return the classes of smoothed masks: a threshold splits two gray levels; others must be saved again."""
    main = found.main or []
    shown = [found.shown(value) for value in main]
    share = percent(sum(found.pixels[value] for value in main), found.pixels.total())
    warning = (
        f"masks look smoothed or compressed with loss: they hold {len(found.pixels):,} values, of which "
        f"{some(shown, 8)} cover {share}; save them without smoothing, as PNG"
    )
    entries = [each.name for each in names.classes if not each.is_void] if names else []
    if found.masks == "index" and len(main) == 2 and max(found.pixels) < len(_BYTE):
        middle = (main[0] + main[1] + 1) // 2
        classes = entries if len(entries) == 2 else [BACKGROUND, entries[0] if len(entries) == 1 else "foreground"]
        parts = [list(_BYTE[:middle]), list(_BYTE[middle:])]
        made = [_Class(name, part) for name, part in zip(classes, parts, strict=True)]
        reason = f"values below {middle} and from {middle} on, the middle of {shown[0]} and {shown[1]}"
        return _Plan(
            made,
            [],
            reason,
            "both classes take all values",
            [f"{warning}; until then a threshold of {middle} splits them"],
        )
    plan = (
        _made(main, [], "", 1, [], found)
        if found.masks == "index"
        else _of_colors(
            found._replace(pixels=type(found.pixels)({value: found.pixels[value] for value in main})), names
        )
    )
    refused = f"{warning}, because preprocess refuses the other values"
    return plan._replace(warnings=[refused, *plan.warnings], void_reason="smoothed values belong to no class")


def _of_objects(found: Survey, names: NamesFile | None, is_whole: bool) -> _Plan:
    """Return background and foreground of masks whose values number objects."""
    most = max(found.pixels)
    top = most if is_whole else min(2 * most, 65535)
    entries = [each.name for each in names.classes if not is_background(each.name)] if names else []
    name = entries[0] if len(entries) == 1 else "foreground"
    warning = (
        f"mask values look like numbers of objects: most images have 1, 2, 3 ... without a gap, up to {most}; all "
        f"are the class {name}, because this is semantic segmentation"
    )
    classes = [_Class(BACKGROUND, [0]), _Class(name, list(range(1, top + 1)))]
    return _Plan(classes, [], f"0, and the numbers of objects up to {top}", "no value is void by custom", [warning])
