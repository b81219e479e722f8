# SPDX-License-Identifier: Apache-2.0
"""Renders the demo's shot and truths into its folder."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from understudy.contracts.engine import Control
from understudy.contracts.plate import Plate
from understudy.demo.jobs import RELIGHT_TRUTHS, RETIME_SOURCE, UPSCALE_FRAMES
from understudy.demo.light import NIGHT
from understudy.demo.shot import FRAMES, Shot, picture_plate, vector_plate
from understudy.frames.write import WriteOptions, write_plate

Tick = Callable[[int, int], None]


def plate_path(out: Path, frame: int) -> Path:
    """The shot's file of a frame."""
    return out / "shot" / f"plate.{frame:04d}.exr"


def truth_path(out: Path, kind: str, frame: int) -> Path:
    """A truth file: ``vectors``, half a frame ``between`` this one and the next, ``double`` the size, or ``relit``."""
    return out / "truth" / f"{kind}.{frame:04d}.exr"


def render_shot(out: Path, shot: Shot, tick: Tick, control: Control) -> None:
    """Renders and writes everything.

    Args:
        out: The demo folder.
        shot: The shot.
        tick: Called with files done and files in all.
        control: Cancels between files.

    Raises:
        OutputError: A file can't be written.
        JobCancelledError: The caller cancelled.
    """
    for name in ("shot", "truth"):
        (out / name).mkdir(parents=True, exist_ok=True)
    tasks: list[tuple[Callable[[Path, Shot, int], None], int]] = [
        *((_double, frame) for frame in UPSCALE_FRAMES),  # the longest first
        *((_frame, frame) for frame in FRAMES),
        *((_between, frame) for frame in range(*RETIME_SOURCE)),
        *((_relit, frame) for frame in RELIGHT_TRUTHS),
    ]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="shot") as pool:
        running = [pool.submit(write, out, shot, frame) for write, frame in tasks]
        try:
            for done, finished in enumerate(as_completed(running), 1):
                finished.result()
                tick(done, len(tasks))
                control.check()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _frame(out: Path, shot: Shot, frame: int) -> None:
    picture = shot.render(frame)
    _write(picture_plate(picture, frame), plate_path(out, frame))
    _write(vector_plate(shot, picture, frame), truth_path(out, "vectors", frame))


def _double(out: Path, shot: Shot, frame: int) -> None:
    _write(picture_plate(shot.render(frame, scale=2), frame, scale=2, passes=False), truth_path(out, "double", frame))


def _between(out: Path, shot: Shot, frame: int) -> None:
    _write(picture_plate(shot.render(frame + 0.5), frame, passes=False), truth_path(out, "between", frame))


def _relit(out: Path, shot: Shot, frame: int) -> None:
    _write(picture_plate(shot.render(frame, rig=NIGHT), frame, passes=False), truth_path(out, "relit", frame))


def _write(plate: Plate, path: Path) -> None:
    write_plate(plate, path, WriteOptions(compression="zip"))
