# SPDX-License-Identifier: Apache-2.0
"""PSNR of the shipped upscalers on the Kodak stills, next to what OpenCV has. Prints one table.

The small picture is made of the 8-bit original by an antialiased bicubic (Keys, a = -1/2, as MATLAB's ``imresize``) and
rounded to 8 bits. Results are rounded to 8 bits, the border is shaved by the factor. Y is Rec. 601 luma.

    python benchmarks/quality/upscale.py [FOLDER] [--scales 2,3,4]
"""

import argparse
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from measures import upscale_figures
from sets.files import picture
from sets.stills import Still, resized
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import FloatImage, blank_plate
from understudy.roles.engine import LocalEngine

STILLS = Path(__file__).resolve().parents[3] / "shared" / "data" / "stills"


def methods(engine: LocalEngine, scale: int) -> dict[str, Callable[[FloatImage], FloatImage]]:
    def opencv(flag: int) -> Callable[[FloatImage], FloatImage]:
        return lambda small: cv2.resize(small, None, fx=scale, fy=scale, interpolation=flag)

    def pack(name: str, **options: str | int) -> Callable[[FloatImage], FloatImage]:
        def run(small: FloatImage) -> FloatImage:
            plate = blank_plate(small, ("R", "G", "B"), colorspace="ACEScg")
            params = UpscaleParams(scale=Fraction(scale), options=dict(options))
            request = RoleRequest(pack=PackPin(id=name), params=params, plates={"plate": plate})
            return engine.run(request).plates["plate"].pixels

        return run

    return {
        "OpenCV bicubic (a = -3/4)": opencv(cv2.INTER_CUBIC),
        "MATLAB-like bicubic": lambda small: resized(small, Fraction(scale)),
        "OpenCV Lanczos-4": opencv(cv2.INTER_LANCZOS4),
        "lanczos": pack("lanczos"),
        "lanczos, antiringing off": pack("lanczos", antiringing="off"),
        "bicubic-back-projection": pack("bicubic-back-projection"),
        "bicubic-back-projection, 2 passes": pack("bicubic-back-projection", passes=2),
        "bicubic-back-projection, 1 pass": pack("bicubic-back-projection", passes=1),
        "bicubic-back-projection, 0 passes": pack("bicubic-back-projection", passes=0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="PSNR of the shipped upscalers on the Kodak stills")
    parser.add_argument("folder", nargs="?", type=Path, default=STILLS)
    parser.add_argument("--scales", default="2,3,4")
    given = parser.parse_args()
    files = sorted(given.folder.glob("kodim*.png"))
    if not files:
        raise SystemExit(f"no kodim*.png in {given.folder}")
    scales = [int(scale) for scale in given.scales.split(",")]
    engine = LocalEngine(device="cpu")
    columns: dict[str, list[str]] = {}
    for scale in scales:
        scores: dict[str, list[tuple[float, float]]] = {}
        for file in files:
            small, truth = Still(file.stem, partial(picture, file)).pair(scale)
            for name, method in methods(engine, scale).items():
                figures = upscale_figures(method(small), truth, scale)
                scores.setdefault(name, []).append((figures["PSNR"], figures["PSNR-Y"]))
        for name, values in scores.items():
            rgb, luma = np.mean(values, axis=0)
            columns.setdefault(name, []).append(f"{rgb:.2f} / {luma:.2f}")
    print(f"PSNR in dB, RGB / Y, mean of {len(files)} stills")
    print("| method | " + " | ".join(f"x{scale}" for scale in scales) + " |")
    print("|---|" + "---|" * len(scales))
    for name, cells in columns.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
