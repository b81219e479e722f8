# SPDX-License-Identifier: Apache-2.0
"""Interpolated middle frames against true ones, next to blending and to the raw library calls.

Run: ``python benchmarks/quality/interpolation.py [--data ../shared/data] [--sequences] [--drawn 24]``. PSNR over RGB of
8-bit sRGB. The exact triplets have a middle frame warped in linear light; of the sequences every other frame is left
out and made again; ``--drawn`` scenes are those of ``training/``, from seeds that no training uses, and show what a
confidence is worth too.
"""

import argparse
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

import measures
from measures import Image, display_codes, eight_bit, linear_light
from motion import COLORSPACE, FLOW_EXACT, PACKS
from sets.files import picture
from understudy.color.policy import policy
from understudy.color.shaper import HybridCurve
from understudy.contracts.jobs import InterpolateParams, PackPin, RoleRequest
from understudy.contracts.plate import Plate, blank_plate
from understudy.frames.read import read_plate
from understudy.roles.engine import LocalEngine

Maker = Callable[[Plate, Plate], Plate]

WAYS = ("flow-projection", "refined-projection")
_DRAWN_SEED = 90_001
_GOOD = 0.02


def display(light: Image) -> Image:
    """8-bit sRGB codes, rounded, as float."""
    return eight_bit(display_codes(light))


def psnr(picture: Plate, truth: Plate) -> float:
    """Over the union of both windows; outside its window a plate is black."""
    window = picture.data_window.union(truth.data_window)
    whole = []
    for plate in (picture, truth):
        layer = np.zeros((window.height, window.width, 3), np.float32)
        top, left = plate.data_window.y - window.y, plate.data_window.x - window.x
        layer[top : top + plate.height, left : left + plate.width] = plate.take(["R", "G", "B"])
        whole.append(display(layer))
    return measures.psnr(whole[0], whole[1])


def blend(engine: LocalEngine) -> Maker:
    """The identity pack: a dissolve."""
    return ours(engine, "identity-motion", "identity-interpolate")


def medium_bilinear(a: Plate, b: Plate) -> Plate:
    """OpenCV's medium DIS on 8-bit gray, both ways, and a bilinear backward warp of linear light."""
    gray = [np.uint8(np.rint(display(plate.pixels) @ np.array([0.2126, 0.7152, 0.0722]))) for plate in (a, b)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    forward, backward = dis.calc(*gray, None), dis.calc(*gray[::-1], None)
    y, x = np.mgrid[: a.height, : a.width].astype(np.float32)
    sides = [
        cv2.remap(
            plate.pixels, x + flow[..., 0] / 2, y + flow[..., 1] / 2, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
        )
        for plate, flow in ((a, backward), (b, forward))
    ]
    return a.with_pixels(np.asarray((sides[0] + sides[1]) / 2, np.float32))


def ours(engine: LocalEngine, motion: str, pack: str = "flow-projection") -> Maker:
    """The two roles."""

    def make(a: Plate, b: Plate) -> Plate:
        params = InterpolateParams(outputs=((Fraction(1, 2),),), motion_pack=motion)
        return engine.run(RoleRequest(pack=PackPin(id=pack), params=params, plates={"a": a, "b": b})).plates["0"]

    return make


def triplets(data: Path, *, sequences: bool) -> dict[str, list[tuple[Plate, Plate, Plate]]]:
    """Sets of (a, middle, b)."""
    found: dict[str, list[tuple[Plate, Plate, Plate]]] = {}
    for name in FLOW_EXACT:
        folder = data / "flow_exact" / name
        if folder.is_dir():
            a, middle, b = (_picture(folder / f"{file}.png") for file in ("frame0", "frame0i1", "frame1"))
            found[name] = [(a, middle, b)]
    if sequences:
        room = [_picture(path) for path in sorted((data / "seq_bedroom").glob("*.jpg"))]
        found["bedroom"] = [(room[n], room[n + 1], room[n + 2]) for n in range(0, len(room) - 2, 4)]
        ball = [
            read_plate(path, frame=n, colorspace=COLORSPACE, channels=["R", "G", "B", "A"])
            for n, path in enumerate(sorted((data / "exr_seq_beachball").glob("*.exr")))
        ]
        found["beachball"] = [(ball[n], ball[n + 1], ball[n + 2]) for n in range(len(ball) - 2)]
    return {name: made for name, made in found.items() if made}


def drawn(count: int, side: int = 256) -> list[tuple[Plate, Plate, Plate]]:
    """Scenes of the generator with their true middle frame, with a little noise on what is given."""
    import torch

    from understudy_training.generators.layers import Look, draw_layers
    from understudy_training.generators.swatches import swatches

    rng = torch.Generator().manual_seed(_DRAWN_SEED)
    look, stock = Look(exposure=0.0, noise=0.0), swatches("cpu", 48, 256, shapes=60)
    found: list[tuple[Plate, Plate, Plate]] = []
    while len(found) < count:
        layers = draw_layers(
            rng,
            min(8, count - len(found)),
            side,
            side,
            "cpu",
            (0.0, 0.5, 1.0),
            motion=(0.5, 24.0),
            look=look,
            stock=stock,
        )
        noise = torch.randn(layers.frames[:, ::2].shape, generator=rng) * 0.004
        frames = layers.frames.clone()
        frames[:, ::2] += noise
        for scene in frames.clamp(0, 1).permute(0, 1, 3, 4, 2).numpy():
            light = np.where(scene <= 0.04045, scene / 12.92, ((scene + 0.055) / 1.055) ** 2.4).astype(np.float32)
            a, middle, b = (
                blank_plate(np.ascontiguousarray(one), ["R", "G", "B"], colorspace=COLORSPACE) for one in light
            )
            found.append((a, middle, b))
    return found


def doubts(engine: LocalEngine, scenes: list[tuple[Plate, Plate, Plate]], packs: tuple[str, ...]) -> None:
    """Prints how well each pack's confidence tells where the last one's picture is wrong by over 0.02 code values."""
    from understudy_training.calibration import calibration_figures, fit_table

    curve = HybridCurve.of(policy().display_log)
    errors: list[Image] = []
    seen: dict[str, list[Image]] = {pack: [] for pack in packs}
    for a, middle, b in scenes:
        for pack in packs:
            made = ours(engine, "dis-good", pack)(a, b)
            seen[pack].append(made.take(["confidence.Y"]).ravel())
            codes = [curve.encode(plate.take(["R", "G", "B"])) for plate in (made, middle)]
        errors.append(np.abs(codes[0] - codes[1]).mean(axis=2).ravel())
    half = len(scenes) // 2
    fit, judged = np.concatenate(errors[:half]), np.concatenate(errors[half:])
    for pack, found in seen.items():
        table = fit_table(np.concatenate(found[:half]), fit < _GOOD)
        raw = np.concatenate(found[half:])
        print(f"confidence of {pack}, as it is:  {_told(calibration_figures(raw, judged, (_GOOD, 2 * _GOOD)))}")
        print(f"  calibrated on other scenes:  {_told(calibration_figures(table(raw), judged, (_GOOD, 2 * _GOOD)))}")


def _told(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in figures.items())


def _picture(path: Path) -> Plate:
    return blank_plate(linear_light(picture(path)), ["R", "G", "B"], colorspace=COLORSPACE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sequences", action="store_true", help="the two real sequences too (minutes)")
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="scenes of the generator too (needs torch)")
    given = parser.parse_args()
    engine = LocalEngine(device="cpu")
    sets = triplets(given.data, sequences=given.sequences)
    if given.drawn:
        sets["drawn"] = drawn(given.drawn)
    makers = {"frame blend": blend(engine), "medium DIS, bilinear": medium_bilinear}
    makers |= {f"{pack} + {way}": ours(engine, pack, way) for way in WAYS for pack in PACKS}
    print(f"{'PSNR dB':28}" + "".join(f"{name:>11}" for name in sets))
    for label, make in makers.items():
        cells = []
        for name, made in sets.items():
            if make is medium_bilinear and name == "beachball":  # its windows differ, which the raw call can't take
                cells.append(f"{'-':>11}")
                continue
            cells.append(f"{np.mean([psnr(make(a, b), middle) for a, middle, b in made]):11.2f}")
        print(f"{label:28}" + "".join(cells), flush=True)
    if given.drawn:
        doubts(engine, sets["drawn"], WAYS)


if __name__ == "__main__":
    main()
