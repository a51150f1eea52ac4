"""The groups of images that a user's pattern or CSV gives, and whole groups held out of train."""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from maskline.datasets.regular import read_small
from maskline.errors import InputError

COLUMNS = ("filename", "group")


class Grouping:
    """The group of each image by its file name, from the value of dataset.group."""

    def __init__(self, value: str, find: Callable[[str], str | None], listed: Collection[str] = ()) -> None:
        self._value, self._find, self._listed = value, find, listed
        self._named: set[str] = set()

    def of(self, names: Sequence[str]) -> list[str]:
        """Return the group of each file name.

        Raises:
            InputError: a name has no group.
        """
        groups = [self._find(name) or "" for name in names]
        lacking = [name for name, group in zip(names, groups, strict=True) if not group]
        if lacking:
            remedy = "add them to the file" if self._listed else "correct the pattern, or name a .csv"
            raise InputError(
                f"dataset.group gives {len(lacking)} of {len(names)} images no group, first {lacking[0]!r}; {remedy}. "
                f"Received: {self._value!r}"
            )
        self._named.update(names)
        return groups

    def unused(self) -> int:
        """Return the number of entries of the CSV that named no image."""
        return len(set(self._listed) - self._named)


def read_grouping(value: str, folder: Path | None) -> Grouping:
    """Return the groups that dataset.group gives: those of a CSV, or those that a regular expression finds.

    A regular expression can say where a group begins and ends in a name, which a glob cannot.

    Args:
        value: of dataset.group.
        folder: dataset.path, which must hold a CSV, so that DVC sees when it changes; a relative path starts there.

    Raises:
        InputError: the CSV is missing, outside the folder, not a regular file, not UTF-8, lacks a column, or has a row
            without a name or a group, or a name twice.
    """
    if value.lower().endswith(".csv"):
        table = _table(_csv(value, folder))
        return Grouping(value, table.get, table)
    pattern = re.compile(value)
    return Grouping(value, lambda name: match[1] if (match := pattern.search(name)) else None)


def held_out_groups(groups: Sequence[str], seed: int, fraction: float, left: int) -> list[bool]:
    """Return whether each image is held out: whole groups in the order of a hash, while they come nearer to a fraction.

    Args:
        groups: of each image, in order.
        seed: of the hash.
        fraction: share of the images to hold out.
        left: least number of groups that are not held out.

    Raises:
        InputError: there are too few groups, or the smallest holds most of the images.
    """
    sizes = Counter(groups)
    if len(sizes) <= left:
        raise InputError(_too_few(sizes, f"at least {left + 1} are needed"))
    wanted = max(1, round(fraction * len(groups)))
    held: set[str] = set()
    total = 0
    order = sorted(sizes, key=lambda group: _hash(seed, group))
    for group in order:
        if sizes[group] < 2 * (wanted - total) and len(sizes) - len(held) > left:
            held.add(group)
            total += sizes[group]
    if not held:
        smallest = min(order, key=sizes.__getitem__)
        if 2 * sizes[smallest] > len(groups):
            raise InputError(_too_few(sizes, f"the smallest holds {sizes[smallest]} of {len(groups)} images"))
        held.add(smallest)
    return [group in held for group in groups]


def _too_few(sizes: Counter[str], reason: str) -> str:
    number = f"{len(sizes)} group{'s' * (len(sizes) != 1)}"
    return (
        f"dataset.group makes {number} of the train images, too few to hold out a split ({reason}); "
        "use smaller groups, add images, or give the data set lists of its splits."
    )


def _hash(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}/{group}".encode()).digest()


def _csv(value: str, folder: Path | None) -> Path:
    if folder is None:
        raise InputError(
            "dataset.group must be a pattern where dataset.path is none; set a pattern, or set dataset.path to the "
            f"folder that holds the CSV. Received: {value!r}"
        )
    path = folder / value
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path} must lie in dataset.path, so that DVC sees when it changes; copy it there.")
    return path


def _table(path: Path) -> dict[str, str]:
    try:
        text = read_small(path).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"dataset.group must name an existing CSV. Received: {str(path)!r}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8.") from None
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV ({error}); save it with commas between its columns.") from None
    if lacking := [column for column in COLUMNS if not rows or column not in rows[0]]:
        received = text.splitlines()[0][:80] if text else ""
        raise InputError(
            f"{path} must have a first line with the columns {' and '.join(COLUMNS)}, separated by commas, and rows "
            f"under it; it lacks {lacking[0]}. Received: {received!r}"
        )
    table: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        name, group = (row[column] for column in COLUMNS)
        if not name or not group:
            raise InputError(f"{path} has no {'group' if name else 'filename'} in row {number}; add it.")
        if name in table:
            raise InputError(f"{path} names {name!r} a second time in row {number}; remove one of the two.")
        table[name] = group
    return table
