# SPDX-License-Identifier: Apache-2.0
"""Frame pairs with true motion: Middlebury, MPI Sintel, KITTI 2015, and the exact pairs of ``flow_exact``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from measures import Image, Mask
from sets.files import need_folder, need_size, need_some, picture
from understudy.frames.flow_files import FlowField, read_flow

MIDDLEBURY = "other-data/NAME/frame10.png and frame11.png, other-gt-flow/NAME/flow10.flo"
SINTEL = "training/PASS/SCENE/frame_0001.png, training/flow/SCENE/frame_0001.flo"
KITTI = "training/image_2/000000_10.png and 000000_11.png, training/flow_occ/000000_10.png"
EXACT = "NAME/frame0.png, frame1.png and flow0_1.flo"


@dataclass(frozen=True, slots=True)
class Truth:
    """Two frames and how the first moves.

    Attributes:
        a: Codes 0-255, ``(h, w, 3)``.
        b: The next frame.
        flow: ``(h, w, 2)``, from a to b, pixels, v down.
        known: ``(h, w)``: the flow is known there.
        visible: ``(h, w)``: b shows the point too, as far as the set says.
    """

    a: Image
    b: Image
    flow: Image
    known: Mask
    visible: Mask


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair, not yet read.

    Attributes:
        name: Of the scene and frame.
        load: Reads it.
    """

    name: str
    load: Callable[[], Truth]


def middlebury(folder: Path) -> list[Pair]:
    """The scenes with public truth; ``other-color-allframes`` serves as ``other-data``, and so does one scene alone."""
    folder = need_folder(folder, MIDDLEBURY)
    truths = sorted(folder.glob("other-gt-flow/*/flow10.flo")) or sorted(folder.glob("*/flow10.flo"))
    truths = truths or sorted(folder.glob("flow10.flo"))
    return [_middlebury(folder, path) for path in need_some(truths, folder, MIDDLEBURY)]


def _middlebury(folder: Path, flow: Path) -> Pair:
    scene = flow.parent.name
    places = [folder / name / scene for name in ("other-data", "other-color-allframes", "other-color-twoframes")]
    frames = next((place for place in places if (place / "frame10.png").is_file()), flow.parent)

    def load() -> Truth:
        return _truth(frames / "frame10.png", frames / "frame11.png", flow, read_flow(flow))

    return Pair(scene, load)


def sintel(folder: Path, render: str = "final") -> list[Pair]:
    """The training scenes.

    Args:
        folder: The set's, or its ``training``.
        render: ``clean`` or ``final``.
    """
    folder = need_folder(folder, SINTEL)
    root = folder / "training" if (folder / "training").is_dir() else folder
    flows = need_some(sorted((root / "flow").glob("*/frame_*.flo")), folder, SINTEL)
    return [_sintel(root, render, flow) for flow in flows]


def _sintel(root: Path, render: str, flow: Path) -> Pair:
    scene, number = flow.parent.name, int(flow.stem.removeprefix("frame_"))
    frames = root / render / scene

    def load() -> Truth:
        truth = _truth(
            frames / f"frame_{number:04d}.png", frames / f"frame_{number + 1:04d}.png", flow, read_flow(flow)
        )
        covered = root / "occlusions" / scene / f"{flow.stem}.png"
        invalid = root / "invalid" / scene / f"{flow.stem}.png"
        known, visible = truth.known, truth.visible
        if covered.is_file():
            visible = visible & (_mask(covered, truth.a) == 0)
        if invalid.is_file():
            known = known & (_mask(invalid, truth.a) == 0)
        return Truth(truth.a, truth.b, truth.flow, known, visible)

    return Pair(f"{scene} {number}", load)


def kitti(folder: Path) -> list[Pair]:
    """The 200 training pairs; ``flow_noc`` says what stays visible."""
    folder = need_folder(folder, KITTI)
    root = folder / "training" if (folder / "training").is_dir() else folder
    flows = need_some(sorted((root / "flow_occ").glob("*_10.png")), folder, KITTI)
    return [_kitti(root, flow) for flow in flows]


def _kitti(root: Path, flow: Path) -> Pair:
    number = flow.stem.removesuffix("_10")

    def load() -> Truth:
        images = root / "image_2"
        truth = _truth(images / f"{number}_10.png", images / f"{number}_11.png", flow, read_flow(flow))
        seen = root / "flow_noc" / flow.name
        visible = read_flow(seen).known if seen.is_file() else truth.visible
        return Truth(truth.a, truth.b, truth.flow, truth.known, visible)

    return Pair(number, load)


def exact(folder: Path) -> list[Pair]:
    """Pairs whose second frame was warped from the first by a known law."""
    folder = need_folder(folder, EXACT)
    flows = need_some(sorted(folder.glob("*/flow0_1.flo")), folder, EXACT)

    def pair(flow: Path) -> Pair:
        def load() -> Truth:
            truth = _truth(flow.with_name("frame0.png"), flow.with_name("frame1.png"), flow, read_flow(flow))
            covered = flow.with_name("occluded0.png")
            visible = truth.visible
            if covered.is_file():
                visible = visible & (_mask(covered, truth.a) == 0)
            return Truth(truth.a, truth.b, truth.flow, truth.known, visible)

        return Pair(flow.parent.name, load)

    return [pair(flow) for flow in flows]


def _truth(a: Path, b: Path, path: Path, flow: FlowField) -> Truth:
    """Both frames; visible is what lands inside the second one."""
    first = picture(a)
    second = need_size(picture(b), first, b)
    need_size(flow.vectors, first, path)
    return Truth(first, second, flow.vectors, flow.known, lands_inside(flow.vectors))


def lands_inside(flow: Image) -> Mask:
    """Where a vector ends inside the picture."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width]
    to_x, to_y = x + flow[..., 0], y + flow[..., 1]
    return (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)


def _mask(path: Path, like: Image) -> npt.NDArray[np.float32]:
    return need_size(picture(path), like, path)[..., 0]


def readers() -> Iterator[tuple[str, Callable[[Path], list[Pair]]]]:
    """Every set of pairs by its name on the command line."""
    yield "middlebury-flow", middlebury
    yield "sintel-clean", lambda folder: sintel(folder, "clean")
    yield "sintel-final", sintel
    yield "kitti", kitti
    yield "flow-exact", exact
