# SPDX-License-Identifier: Apache-2.0
"""Text as scripts of Nuke have it: they are read as Tcl."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

_SPECIAL = '\\"[]${}'


def word(text: str) -> str:
    """One word, in quotes; nothing in it is a command or a variable when the script is read."""
    for character in _SPECIAL:
        text = text.replace(character, "\\" + character)
    return '"' + text.replace("\n", "\\n") + '"'


def literal(text: str) -> str:
    """A knob's value that stays as it is: string and file knobs run Tcl in what they hold."""
    for character in "\\[]$":
        text = text.replace(character, "\\" + character)
    return text


def curve(keys: Sequence[tuple[int, Fraction]]) -> str:
    """A knob's animation: straight pieces between keys of (frame, value)."""
    return "{{curve " + " ".join(f"L x{frame} {number(value)}" for frame, value in keys) + "}}"


def number(value: Fraction) -> str:
    """A whole number without a point, others to the last bit of a double."""
    return str(value.numerator) if value.denominator == 1 else repr(float(value))


def timewarp(keys: Sequence[tuple[int, Fraction]], label: str) -> str:
    """A script with a TimeWarp that shows what a retime shows; paste it, or read it into a script.

    Args:
        keys: Output frame and source frame.
        label: For people.
    """
    return f"""\
set cut_paste_input [stack 0]
push $cut_paste_input
TimeWarp {{
 lookup {curve(keys)}
 name UnderstudyTimeWarp
 label {word(literal(label))}
}}
"""
