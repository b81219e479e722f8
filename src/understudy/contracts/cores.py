# SPDX-License-Identifier: Apache-2.0
"""How many processor cores this process may use, which is fewer than there are in many containers."""

import os


def available_cores() -> int:
    """At least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
