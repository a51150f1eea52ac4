"""Folders that a user's folder shows by links: DVC does not look behind them."""

import os
import sys
from pathlib import Path


def report_links(folder: Path) -> None:
    """Name the first link to a folder inside a user's folder, because DVC does not see changes behind it."""
    links = linked_folders(folder)
    if not links:
        return
    more = f" and {len(links) - 1} more" if len(links) > 1 else ""
    print(
        f"{links[0]}{more} is a link to a folder, and `dvc status` does not see changes behind it; "
        "after such a change run `dvc repro --force download`, or put the files themselves there.",
        file=sys.stderr,
    )


def linked_folders(folder: Path) -> list[Path]:
    """Return the links to folders inside a folder, at any depth; `folder` itself may be a link."""
    return [
        Path(parent) / name
        for parent, names, _ in os.walk(folder)
        for name in sorted(names)
        if os.path.islink(os.path.join(parent, name))
    ]
