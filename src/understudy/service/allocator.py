# SPDX-License-Identifier: Apache-2.0
"""How this process keeps memory between frames.

glibc gives a block of a frame's size back to the kernel when it is freed, and the kernel clears every page of the next
one: some 18 ms for a 4K float frame, more than copying it takes. Told to keep such blocks, and to keep them in one
arena that all threads use, it hands them out again at once. The price: up to 2 GiB of freed memory stays with the
process.

See mallopt(3). Other C libraries have no such function or ignore it.
"""

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_SETTINGS = (
    (_M_ARENA_MAX, 1),  # the arenas of other threads hold no block over 64 MB, and do not share what is free
    (_M_MMAP_MAX, 0),
    (_M_TRIM_THRESHOLD, 2**31 - 1),
    (_M_TOP_PAD, 64 << 20),
)
_state = "default"


def keep_memory() -> None:
    """Has glibc keep large blocks, as far as it can be told. Call it early: what was allocated stays where it is."""
    global _state
    if platform.libc_ver()[0] != "glibc":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
        told = [mallopt(name, value) for name, value in _SETTINGS]
    except (OSError, AttributeError):
        return
    if all(told):
        _state = "keeps large blocks"


def allocator() -> str:
    """What became of `keep_memory`: ``default``, or ``keeps large blocks``."""
    return _state
