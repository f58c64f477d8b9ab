"""What happens to memory that arrays leave behind."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

# What may lie free at the heap's end, and from which size on an array is a piece of memory of its own, in bytes; of the
# latter glibc allows no more.
FREE_END, OWN = 2**30, 32 * 2**20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Keeps what is freed for the arrays to come, in a process of our own.

    The maps of a network are made and dropped many times a second. On Linux, glibc gives back what lies free at the end
    of the heap, and the system fills every page with zeros when it is asked for anew: about a tenth of a map's time.
    Other systems' libraries are left as they are.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_THRESHOLD, OWN)
            library.mallopt(_M_TRIM_THRESHOLD, FREE_END)
