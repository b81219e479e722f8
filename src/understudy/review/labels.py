# SPDX-License-Identifier: Apache-2.0
"""What is written over review pictures: whose they are, which frame, and what must not be overlooked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The words.

    Attributes:
        name: Name of the product.
        version: Its version, such as ``v003``; empty where there is none yet.
        badge: The worst badge of its packs: ``green``, ``amber``, ``red``; empty where none was computed.
        mark: ``DRAFT``, ``TEMPORARY`` or both; empty for final material.
        color: How the pictures came to the screen.
        facts: Lines for the slate: a word and what it says.
    """

    name: str
    version: str = ""
    badge: str = ""
    mark: str = ""
    color: str = ""
    facts: tuple[tuple[str, str], ...] = ()
