"""The running processes of a session, to check that none is left behind."""

import time
from pathlib import Path


def living(leader: int) -> list[int]:
    """Return the processes of the session that `leader` started, without zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] not in "ZX" and int(fields[3]) == leader:
            found.append(int(stat.parent.name))
    return found


def none_left(leader: int, patience: float = 20.0) -> bool:
    """Return whether the session's last process ends within `patience` seconds."""
    deadline = time.monotonic() + patience
    while living(leader):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
