"""How the memory allocator treats the buffers that this process frees."""

import ctypes

# Parameters of mallopt, in <malloc.h>
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_NEVER = -1


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next buffers; it is a no-op with another C library, as on macOS.

    By default, glibc returns large buffers to Linux when they are freed. Linux clears the pages of each new buffer,
    which takes longer than many operations on them. The process's peak memory stays about the same. Call this before
    TensorFlow's first operation, because its threads would otherwise get arenas of their own.

    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_MMAP_THRESHOLD, 2**31 - 1)
        mallopt(_TRIM_THRESHOLD, _NEVER)
        mallopt(_ARENA_MAX, 1)
