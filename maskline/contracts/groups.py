"""groups.json: which images belong together, such as those of a video, a patient or a place."""

from pathlib import Path

from maskline.contracts.classes import Role
from maskline.contracts.folders import RAW
from maskline.contracts.numbers import Count
from maskline.files.records import Record, read_record, write_record

PATH = RAW / "groups.json"


class Groups(Record):
    """The group of every image of a prepared data set.

    Attributes:
        names: of the groups, sorted.
        splits: the index of each image's group in `names`, by split and in the order of its examples.
        unused: entries of the user's CSV that name no image of the data set.
    """

    names: list[str]
    splits: dict[Role, list[Count]]
    unused: Count

    def of(self, role: Role) -> list[str]:
        """Return the group of each example of a split, in order."""
        return [self.names[index] for index in self.splits[role]]


def write_groups(raw: Path, groups: dict[Role, list[str]], unused: int) -> None:
    """Write `groups.json` into `raw`, next to the data set, from each example's group by split."""
    names = sorted({name for of_split in groups.values() for name in of_split})
    index = {name: number for number, name in enumerate(names)}
    splits = {role: [index[name] for name in of_split] for role, of_split in groups.items()}
    write_record(raw / PATH.name, Groups(names=names, splits=splits, unused=unused))


def read_groups(raw: Path) -> Groups | None:
    """Read `groups.json` from `raw`; None: dataset.group is null, so that there is no such file.

    Raises:
        ArtifactError: the file is damaged.
    """
    path = Path(raw) / PATH.name
    return read_record(path, Groups) if path.exists() else None
