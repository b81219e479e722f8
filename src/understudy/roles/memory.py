# SPDX-License-Identifier: Apache-2.0
"""Refuses work that can't fit in memory before the machine is brought to its knees."""

import os
from pathlib import Path

from understudy.contracts.errors import MemoryBudgetError
from understudy.contracts.plate import Window


def available_bytes() -> int:
    """Memory that can be had without swapping: the kernel's estimate where it gives one, else all there is."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


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
