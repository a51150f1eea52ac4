"""A check of HDF5 files from outside: plain numbers, all of them inside the file, and not many times its size."""

from pathlib import Path
from typing import TYPE_CHECKING

from maskline.errors import InputError

if TYPE_CHECKING:  # its import takes a while
    import h5py

_EXPANSION = 20  # of a file's size to that of its numbers: weights hardly compress


def check_hdf5(path: Path) -> None:
    """Check every link and data set of a file, without reading the data.

    Raises:
        InputError: the file is not whole, refers to another place or file, holds something else than numbers, or
            its numbers would take many times the file's size.
    """
    import h5py

    size = path.stat().st_size
    try:
        with h5py.File(path, "r") as file:
            problem = _problem(file, size)
    except PermissionError:
        raise
    except Exception:  # h5py raises whatever the library meets
        raise InputError(f"{path} is not a complete HDF5 file; remove it and get the weights again.") from None
    if problem:
        raise InputError(f"{path} cannot be used: {problem}; get the weights from another source.")


def _problem(file: "h5py.File", size: int) -> str:
    """Return what is wrong with a file of `size` bytes, or an empty text."""
    import h5py

    waiting, seen, total = [file["/"]], set(), 0
    while waiting:
        group = waiting.pop()
        for name in group:
            place = f"{group.name}/{name}".replace("//", "/")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                return f"{place} is a link to another place"
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append(item)
                continue
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "biuf":
                return f"{place} does not hold numbers"
            if item.external or item.is_virtual:
                return f"the values of {place} are in another file"
            total += item.size * item.dtype.itemsize
            if total > _EXPANSION * size:
                return f"its numbers would take {total:,} bytes or more, but the file has {size:,}"
    return ""
