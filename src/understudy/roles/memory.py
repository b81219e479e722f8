# SPDX-License-Identifier: Apache-2.0
"""Refuses work that can't fit in memory before the machine is brought to its knees."""

import ctypes
import os
from pathlib import Path

from understudy.contracts.errors import MemoryBudgetError
from understudy.contracts.plate import Window


def total_bytes() -> int:
    """Memory that this process may ever have: the machine's, or a container's limit where that is less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _number("/sys/fs/cgroup/memory.max")
    return machine if limit is None else min(machine, limit)


def resident_bytes() -> int:
    """Memory that this process holds now (RSS); 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def give_back() -> None:
    """Returns freed memory to the system, which the allocator would keep for later; only where it is glibc's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def available_bytes() -> int:
    """Memory that can be had without swapping: the kernel's estimate, and no more than a container's limit leaves."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = _number("/proc/meminfo", "MemAvailable:")
    machine = total if free is None else free * 1024
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    return machine if limit is None or used is None else max(0, min(machine, limit - used))


def _number(path: str, label: str = "") -> int | None:
    """The number after a label in one of the kernel's text files; None where there is none, or no limit."""
    try:
        words = Path(path).read_text(encoding="ascii").split()
        return int(words[words.index(label) + 1] if label else words[0])
    except (OSError, ValueError, IndexError):
        return None


def require_memory(window: Window, channels: int, what: str) -> None:
    """Makes sure that a float32 picture can be held.

    Args:
        window: Its size.
        channels: Its channels.
        what: What it is, for the message.

    Raises:
        MemoryBudgetError: It needs more memory than there is to be had.
    """
    need, have = window.width * window.height * channels * 4, available_bytes()
    if need > have:
        raise MemoryBudgetError(
            f"{what} of {window.width}x{window.height} with {channels} channels needs {need / 2**30:.1f} GiB,"
            f" and {have / 2**30:.1f} GiB are free",
            fix="read fewer channels, or use a smaller scale",
        )
