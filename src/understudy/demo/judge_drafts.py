# SPDX-License-Identifier: Apache-2.0
"""What a draft of each role costs and what it misses, against the final of the same frames."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from understudy.color.config import ColorConfig
from understudy.contracts.plate import FloatImage
from understudy.demo.alignment import displacement
from understudy.demo.geometry import HEIGHT, WIDTH
from understudy.demo.measure import RGB, Judge
from understudy.demo.results import DraftResult, Rendered
from understudy.demo.shot import COLORSPACE
from understudy.frames.read import read_plate

_ROLES = {"motion": "motion", "interpolate": "retime", "upscale": "upscale", "relight": "relight"}
_VECTORS = ("forward.u", "forward.v")


def judge_drafts(rendered: Mapping[str, Rendered], color: ColorConfig) -> tuple[DraftResult, ...]:
    """All four roles.

    Args:
        rendered: What each job told, by its key: that of a draft ends in ``.draft``.
        color: The OCIO config.

    Raises:
        InputError: A frame that was written can't be read back.
    """
    judge = Judge(color, COLORSPACE)
    return tuple(_judged(role, rendered[job], rendered[f"{job}.draft"], judge) for role, job in _ROLES.items())


def _judged(role: str, final: Rendered, draft: Rendered, judge: Judge) -> DraftResult:
    pictures = "blurred" if role == "motion" else "out"
    close, shifts = [], []
    finals = _files(final, pictures)
    drawn = _files(draft, pictures)
    for frame in _some(drawn):
        file = drawn[frame]
        a, b = (_read(each, RGB) for each in (finals[frame], file))
        close.append(judge.compare(b, a)[0])
        shifts.append(float(np.hypot(*displacement(*(judge.log(_middle(each)).mean(axis=-1) for each in (a, b))))))
    misses = f"{np.mean(close):.1f} dB"
    if role == "motion":
        vectors = _files(final, "out")
        errors = [
            np.hypot(*np.moveaxis(_read(file, _VECTORS) - _read(vectors[frame], _VECTORS), -1, 0)).mean()
            for frame, file in _files(draft, "out").items()
        ]
        misses = f"{np.mean(errors):.2f} px of vector"
    return DraftResult(
        role=role,
        frames=len(draft.frames),
        final_seconds=final.seconds / len(final.frames),
        draft_seconds=draft.seconds / len(draft.frames),
        misses=misses,
        shift=max(shifts),
    )


def _some(frames: Mapping[int, Any]) -> list[int]:
    """The first and the last frame: a display view is slow."""
    return sorted({min(frames), max(frames)})


def _files(rendered: Rendered, node: str) -> dict[int, Any]:
    return {event["frame"]: event["file"] for event in rendered.frames if event["node"] == node}


def _read(file: str, channels: tuple[str, ...]) -> FloatImage:
    return read_plate(file, frame=None, colorspace=COLORSPACE, channels=channels).take(channels)


def _middle(picture: FloatImage) -> FloatImage:
    """No more of a picture than the plate's size."""
    height, width = min(HEIGHT, picture.shape[0]), min(WIDTH, picture.shape[1])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])
