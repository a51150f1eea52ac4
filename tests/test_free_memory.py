"""What this process may still take: the least of the machine, the control groups around it and its address space."""

import pytest

from maskline.engine import memory

MIB = 1 << 20


@pytest.fixture
def system(tmp_path, monkeypatch):
    """An empty /proc and /sys/fs/cgroup; returns a function that writes a file below their common folder."""
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "proc/self")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory.resource, "getrlimit", lambda kind: (memory.resource.RLIM_INFINITY,) * 2)

    def write(name: str, text: object) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")

    return write


def test_a_system_that_says_nothing(system):
    assert memory.free_memory() is None


def test_the_machine_with_its_swap(system):
    system("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    3000 kB\nSwapFree: 500 kB\nHugePages_Total: 0")
    assert memory.free_memory() == 3500 * 1024


def test_control_groups_of_version_2_limit_what_is_below_them(system):
    system("proc/meminfo", "MemAvailable: 9000000 kB")
    system("proc/self/cgroup", "0::/outer/inner")
    system("cgroup/outer/inner/memory.max", "max")
    system("cgroup/outer/inner/memory.current", 10 * MIB)
    system("cgroup/outer/memory.max", 100 * MIB)
    system("cgroup/outer/memory.current", 70 * MIB)
    system("cgroup/outer/memory.stat", f"anon {9 * MIB}\ninactive_file {20 * MIB}")
    assert memory.free_memory() == 50 * MIB
    system("cgroup/outer/inner/memory.max", 12 * MIB)
    assert memory.free_memory() == 2 * MIB


def test_control_groups_of_version_1_also_where_a_container_hides_their_folder(system):
    system("proc/self/cgroup", "4:cpu,cpuacct:/docker/1\n3:memory:/docker/1")
    system("cgroup/memory/memory.limit_in_bytes", 100 * MIB)
    system("cgroup/memory/memory.usage_in_bytes", 170 * MIB)
    system("cgroup/memory/memory.stat", f"total_inactive_file {90 * MIB}")
    assert memory.free_memory() == 20 * MIB


def test_the_address_space(system, monkeypatch):
    system("proc/self/statm", "100 50 20")
    monkeypatch.setattr(memory.resource, "getrlimit", lambda kind: (MIB, memory.resource.RLIM_INFINITY))
    assert memory.free_memory() == MIB - 100 * memory.resource.getpagesize()


def test_this_system_has_memory():
    assert memory.free_memory() is None or memory.free_memory() > 0
