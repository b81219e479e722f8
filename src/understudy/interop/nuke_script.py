# SPDX-License-Identifier: Apache-2.0
"""Nuke scripts: the CatFileCreator that makes a ``.cat`` of a TorchScript file, the node that uses it; a retime.

Knob names as scripts in public have them; Foundry's guide: learn.foundry.com, "catfilecreationreferenceguide".
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

_CHANNELS = "rgba.red, rgba.green, rgba.blue"


def creator_script(path: Path, pin: str, scale: int) -> str:
    """The script's text.

    Args:
        path: The TorchScript file.
        pin: The pack it is, for the label.
        scale: Output pixels per input pixel.
    """
    script, cat = (_quoted(file.absolute().as_posix()) for file in (path, path.with_suffix(".cat")))
    label = _quoted(f"{pin}\\nscene-linear RGB in and out")
    creator = [
        "CatFileCreator {", " inputs 0", f" torchScriptFile {script}", f" catFile {cat}",
        f' channelsIn "{_CHANNELS}"', f' channelsOut "{_CHANNELS}"', f" modelId {_quoted(path.stem)}",
        f" outputScale {scale}", " name UnderstudyCatFileCreator", f" label {label}", "}",
    ]  # fmt: skip
    node = ["Inference {", " inputs 0", f" modelFile {cat}", " name UnderstudyInference", f" label {label}", "}"]
    return "\n".join([*creator, *node]) + "\n"


def timewarp_script(keys: Sequence[tuple[int, Fraction]], label: str) -> str:
    """A TimeWarp that shows what a retime shows; paste it, or open the script.

    Args:
        keys: Output frame and source frame, straight between them.
        label: For people.
    """
    points = " ".join(f"L x{frame} {_number(time)}" for frame, time in keys)
    lines = [
        "TimeWarp {",
        f" lookup {{{{curve {points}}}}}",
        " name UnderstudyTimeWarp",
        f" label {_quoted(label)}",
        "}",
    ]
    return "\n".join(["set cut_paste_input [stack 0]", "push $cut_paste_input", *lines]) + "\n"


def _number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else repr(float(value))


def _quoted(text: str) -> str:
    """A Tcl string; brackets and dollars are no commands in it."""
    for character in '"[]$':
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'
