"""Class tables: the names, colors and labels of a source's masks."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from maskline.contracts.source import ClassInfo
from maskline.errors import InputError
from maskline.params.source import SourceParams

OWN_CLASSES = ("classes", "colors", "masks", "values", "void", "image_feature", "mask_feature")
_DEFAULTS: tuple[object, ...] = (None, None, "index", None, [], "image", "segmentation_mask")


class ClassTable(NamedTuple):
    """The classes in order, and the mask values of each; see `contracts.source.Source`."""

    masks: Literal["index", "color"]
    classes: list[ClassInfo]
    labels: dict[str, int]
    void: list[str]


def index_table(names: dict[str, str], first: int = 0, void: tuple[int, ...] = ()) -> ClassTable:
    """Return the table of index masks with labels from `first` on; `names` maps each class in order to its color."""
    classes = [ClassInfo(name=name, color=color) for name, color in names.items()]
    labels = {str(first + i): i for i in range(len(classes))}
    return ClassTable("index", classes, labels, [str(value) for value in void])


def table_of(dataset: SourceParams) -> ClassTable:
    """Return the table that the params of section `dataset` describe.

    Raises:
        InputError: there are no classes, or a value is both void and a class.
    """
    if dataset.classes is None:
        raise InputError(f"dataset.classes must list the class names of {dataset.name} in label order. Received: null")
    colors = [color.lower() for color in dataset.colors or map(palette_color, range(len(dataset.classes)))]
    classes = [ClassInfo(name=name, color=color) for name, color in zip(dataset.classes, colors, strict=True)]
    values = colors if dataset.masks == "color" else dataset.values or range(len(classes))
    labels = {
        str(value): i for i, entry in enumerate(values) for value in (entry if isinstance(entry, list) else [entry])
    }
    void = [str(value).lower() for value in dataset.void]
    for value in void:
        if value in labels:
            name = classes[labels[value]].name
            raise InputError(
                f"dataset.void contains {value}, the label of class {name}; remove it there, or remove the class."
            )
    return ClassTable(dataset.masks, classes, labels, void)


def picked(table: ClassTable, names: Sequence[str] | None, source: str) -> ClassTable:
    """Return the table of some classes in the order of `names`, whose other values are void; None: the table itself.

    Args:
        table: of all classes.
        names: of the classes to keep.
        source: the name of the data set, for messages.

    Raises:
        InputError: a name is not one of a class.
    """
    if names is None:
        return table
    own = [c.name for c in table.classes]
    if unknown := [name for name in names if name not in own]:
        raise InputError(
            f"dataset.classes names what is not a class of {source} ({', '.join(own)}); correct it, or set "
            f"dataset.classes to null to use all of them. Received: {', '.join(map(repr, unknown))}"
        )
    kept = {value: names.index(own[label]) for value, label in table.labels.items() if own[label] in names}
    others = [value for value in table.labels if value not in kept]
    return ClassTable(table.masks, [table.classes[own.index(name)] for name in names], kept, [*table.void, *others])


def refuse_own_classes(dataset: SourceParams, chosen: tuple[str, ...] = ()) -> None:
    """Raise InputError if params describe classes or features that the named source defines itself.

    Args:
        dataset: the params.
        chosen: keys that the source leaves to the params.
    """
    for key, default in zip(OWN_CLASSES, _DEFAULTS, strict=True):
        value = getattr(dataset, key)
        if value != default and key not in chosen:
            raise InputError(
                f"dataset.{key} is only for folder and other TFDS data sets, because {dataset.name} defines its own; "
                f"set it to {'null' if default is None else default}. Received: {value!r}"
            )


def palette_color(index: int) -> str:
    """Return '#rrggbb' of PASCAL VOC's palette: the index's bits go in turn to red, green and blue, highest first."""
    channels = [sum((index >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3)]
    return "#{:02x}{:02x}{:02x}".format(*channels)
