# SPDX-License-Identifier: Apache-2.0
"""How soon a request is wanted."""

from enum import StrEnum


class Priority(StrEnum):
    """Classes of requests, most urgent first."""

    INTERACTIVE = "interactive"
    """Somebody waits at a screen."""
    NORMAL = "normal"
    BATCH = "batch"
    """A farm's."""
