"""The memory that this process may still take."""

import resource
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PROCESS = Path("/proc/self")


def free_memory() -> int | None:
    """Return how many bytes this process may still take, or None where the system does not say, as on macOS.

    The least of what the machine has, swap included, what the process's control groups allow (Linux, both versions),
    and what its address space allows (`ulimit -v`).
    """
    return min((*_of_machine(), *_of_groups(), *_of_address_space()), default=None)


def _of_machine() -> Iterator[int]:
    info = _fields(_PROCESS.parent / "meminfo")
    if "MemAvailable:" in info:
        yield 1024 * (info["MemAvailable:"] + info.get("SwapFree:", 0))


def _of_address_space() -> Iterator[int]:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _text(_PROCESS / "statm").split()
    if limit != resource.RLIM_INFINITY and used:
        yield max(0, limit - int(used[0]) * resource.getpagesize())


def _of_groups() -> Iterator[int]:
    """Yield what each control group around the process leaves; a group's files are in the folder of its name."""
    for line in _text(_PROCESS / "cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        if not controllers:
            root, limit, usage, cache = _CGROUPS, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root = _CGROUPS / "memory"
            limit, usage, cache = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        group = root / name.strip("/")
        for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(root))):
            most, used = _text(folder / limit).strip(), _text(folder / usage).strip()
            if most.isdecimal() and used.isdecimal():
                yield max(0, int(most) - int(used) + _fields(folder / "memory.stat").get(cache, 0))


def _fields(path: Path) -> dict[str, int]:
    """Return the lines 'name number' of a file."""
    lines = (line.split() for line in _text(path).splitlines())
    return {parts[0]: int(parts[1]) for parts in lines if len(parts) > 1 and parts[1].isdecimal()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
