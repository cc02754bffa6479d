"""What this machine offers."""

from __future__ import annotations

import ctypes
import os
import sys

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # M_ARENA_MAX, M_MMAP_THRESHOLD of glibc's malloc.h


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def release_memory() -> None:
    """Hand freed memory back to the system, where the C library (glibc) would keep it."""
    _tell_allocator("malloc_trim", 0)


def share_memory() -> None:
    """Let all threads allocate from one heap: of one each, every one keeps what it has freed.

    For a whole process, and before it starts threads.
    """
    _tell_allocator("mallopt", _ARENA_MAX, 1)


def return_large_blocks() -> None:
    """Give freed blocks of 1 MiB and more back to the system at once, for a whole process.

    glibc would soon keep them in its heap, among small ones that outlive them.
    """
    _tell_allocator("mallopt", _MMAP_THRESHOLD, 1 << 18)


def _tell_allocator(function: str, *numbers: int) -> None:
    tell = getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
    if tell is not None:
        tell(*numbers)
