"""How this process's memory allocator treats what TensorFlow frees on a CPU."""

import ctypes

# Parameters of mallopt, in <malloc.h>
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_NEVER = -1


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next buffers; it is a no-op with another C library, as on macOS.

    By default, glibc maps buffers above 32 MiB anew each time and unmaps them when they are freed. Linux then clears
    their pages again, which takes longer than most operations on them. The process's peak memory stays about the same.
    Call it before TensorFlow's first operation, because its threads would otherwise get arenas of their own.

    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_MMAP_THRESHOLD, 2**31 - 1)
        mallopt(_TRIM_THRESHOLD, _NEVER)
        mallopt(_ARENA_MAX, 1)
