import platform
import subprocess
import sys

import pytest

from maskline.engine.allocator import keep_freed_memory

# Fills and frees 64 MiB again and again; prints how often Linux cleared a page for it after the first time.
FAULTS = """
import ctypes, resource
from maskline.engine.allocator import keep_freed_memory

keep_freed_memory() if {kept} else None
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def fill():
    buffer = libc.malloc(1 << 26)
    ctypes.memset(buffer, 1, 1 << 26)
    libc.free(buffer)

fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(kept):
    """Return the page faults of a process of its own, because an allocator's settings cannot be taken back."""
    ended = subprocess.run([sys.executable, "-c", FAULTS.format(kept=kept)], check=True, capture_output=True, text=True)
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_glibc_keeps_what_is_freed():
    assert faults(kept=True) < 100 < faults(kept=False)


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    keep_freed_memory()
