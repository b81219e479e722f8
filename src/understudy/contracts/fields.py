# SPDX-License-Identifier: Apache-2.0
"""How messages name a field of a document."""

from collections.abc import Iterable


def field_path(location: Iterable[int | str]) -> str:
    """A place as a person writes it: ``("lights", 2, "direction")`` is ``lights[2].direction``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
