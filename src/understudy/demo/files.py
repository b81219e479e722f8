# SPDX-License-Identifier: Apache-2.0
"""Renders the demo's shot and truths into its folder."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from fractions import Fraction
from pathlib import Path

from understudy.contracts.engine import Control
from understudy.contracts.plate import Plate
from understudy.demo.light import NIGHT
from understudy.demo.scope import Scope
from understudy.demo.shot import Shot, picture_plate, vector_plate
from understudy.frames.write import WriteOptions, write_plate

Tick = Callable[[int, int], None]


def plate_path(out: Path, frame: int) -> Path:
    """The shot's file of a frame."""
    return out / "shot" / f"plate.{frame:04d}.exr"


def truth_path(out: Path, kind: str, frame: int) -> Path:
    """A truth file: ``vectors``, half a frame ``between`` this one and the next, ``double`` the size, or ``relit``."""
    return out / "truth" / f"{kind}.{frame:04d}.exr"


def render_shot(out: Path, shot: Shot, scope: Scope, tick: Tick, control: Control) -> None:
    """Renders and writes everything.

    Args:
        out: The demo folder.
        shot: The shot.
        scope: How much of it.
        tick: Called with files done and files in all.
        control: Cancels between files.

    Raises:
        OutputError: A file can't be written.
        JobCancelledError: The caller cancelled.
    """
    for name in ("shot", "truth"):
        (out / name).mkdir(parents=True, exist_ok=True)
    moving = range(scope.motion[0], scope.motion[1] + 1)
    tasks: list[tuple[Callable[[Path, Shot, Fraction, int], None], int]] = [
        *((_double, frame) for frame in scope.upscale),  # the longest first
        *((_frame_with_vectors if frame in moving else _frame, frame) for frame in scope.frames),
        *((_between, frame) for frame in range(*scope.retime)),
        *((_relit, frame) for frame in scope.relit),
    ]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="shot") as pool:
        running = [pool.submit(write, out, shot, scope.scale, frame) for write, frame in tasks]
        try:
            for done, finished in enumerate(as_completed(running), 1):
                finished.result()
                tick(done, len(tasks))
                control.check()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _frame(out: Path, shot: Shot, scale: Fraction, frame: int) -> None:
    picture = shot.render(frame, scale=scale)
    _write(picture_plate(picture, frame, scale=scale), plate_path(out, frame))


def _frame_with_vectors(out: Path, shot: Shot, scale: Fraction, frame: int) -> None:
    picture = shot.render(frame, scale=scale)
    _write(picture_plate(picture, frame, scale=scale), plate_path(out, frame))
    _write(vector_plate(shot, picture, frame, scale=scale), truth_path(out, "vectors", frame))


def _double(out: Path, shot: Shot, scale: Fraction, frame: int) -> None:
    picture = shot.render(frame, scale=2 * scale)
    _write(picture_plate(picture, frame, scale=2 * scale, passes=False), truth_path(out, "double", frame))


def _between(out: Path, shot: Shot, scale: Fraction, frame: int) -> None:
    picture = shot.render(frame + 0.5, scale=scale)
    _write(picture_plate(picture, frame, scale=scale, passes=False), truth_path(out, "between", frame))


def _relit(out: Path, shot: Shot, scale: Fraction, frame: int) -> None:
    picture = shot.render(frame, scale=scale, rig=NIGHT)
    _write(picture_plate(picture, frame, scale=scale, passes=False), truth_path(out, "relit", frame))


def _write(plate: Plate, path: Path) -> None:
    write_plate(plate, path, WriteOptions(compression="zip"))
