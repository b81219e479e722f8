# SPDX-License-Identifier: Apache-2.0
"""Relighting held to truth: real pictures under held-out lights, normals from shading, skies against brute force.

Run: python benchmarks/quality/relight.py [--data ../shared/data] [--pictures FOLDER]
"""

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from understudy.contracts.jobs import PackPin, RelightParams, RoleRequest
from understudy.contracts.lights import LightRig
from understudy.contracts.plate import FloatImage, Plate, blank_plate
from understudy.roles.engine import LocalEngine
from understudy.roles.relight import fit_normals
from understudy.roles.relight.environment import average, grid_directions, solid_angles
from understudy.roles.relight.lights import Lighting
from understudy.roles.relight.shading import Planes, Surface, normalized

LIT = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--pictures", type=Path, help="write what was predicted beside what was seen")
    args = parser.parse_args()
    images, directions, strengths = cat(args.data / "relight_psbox_cat")
    mask = np.mean(images, axis=0)[..., 0] > LIT
    held_out(images, directions, strengths, mask, args.pictures)
    shading(images, directions, strengths, mask)
    plates(images, directions, strengths, mask)
    sky(args.data / "hdri" / "venice_sunset_1k.hdr")


def cat(folder: Path) -> tuple[list[FloatImage], np.ndarray, np.ndarray]:
    images = []
    for number in range(1, 13):
        gray = cv2.imread(str(folder / f"Image_{number:02d}.png"), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise SystemExit(f"{folder} is missing: give --data")
        images.append(np.repeat(gray[..., None].astype(np.float32) / 255, 3, axis=2))
    strengths = np.loadtxt(folder / "light_strength_derived.txt") * np.pi
    return images, np.loadtxt(folder / "light_directions.txt").T, strengths


def db(error: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean(np.square(error, dtype=np.float64))))


def held_out(
    images: list[FloatImage], directions: np.ndarray, strengths: np.ndarray, mask: np.ndarray, pictures: Path | None
) -> None:
    print("A held-out light, predicted from normals and albedo of the other eleven (Lambert), lit pixels")
    scores = []
    for held in range(12):
        others = [i for i in range(12) if i != held]
        normal, albedo = fit_normals([images[i] for i in others], directions[others], strengths[others])
        light = {"type": "directional", "direction": tuple(directions[held]), "intensity": float(strengths[held])}
        x, y, z = (np.ascontiguousarray(normal[..., c].ravel()) for c in range(3))
        shade = Lighting(LightRig.model_validate({"lights": [light]}), {}).matte((x, y, z), None)[0]
        guess = albedo * shade.reshape(mask.shape)[..., None]
        scores.append(db((guess - images[held])[mask]))
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
            both = np.concatenate([images[held], guess], axis=1)
            cv2.imwrite(str(pictures / f"cat_{held + 1:02d}.png"), np.clip(both**0.4545 * 255, 0, 255).astype(np.uint8))
    print("  " + " ".join(f"{score:.1f}" for score in scores))
    print(f"  mean {np.mean(scores):.2f} dB, min {min(scores):.2f} dB (wanted: 27)\n")


def shading(images: list[FloatImage], directions: np.ndarray, strengths: np.ndarray, mask: np.ndarray) -> None:
    truth, _ = fit_normals(images, directions, strengths)
    seen = mask & (truth[..., 2] > 0.1)
    flat = np.degrees(np.arccos(np.clip(truth[seen][:, 2], -1, 1)))
    errors, halves = [], []
    for image in images:
        out = ratio(image, [], ("normal", "confidence"))
        normal = out.take(["normal.X", "normal.Y", "normal.Z"])
        error = np.degrees(np.arccos(np.clip((normal * truth).sum(axis=-1)[seen], -1, 1)))
        confidence = out.take(["confidence.Y"])[..., 0][seen]
        errors.append(error.mean())
        cuts = np.quantile(confidence, [0, 0.25, 0.5, 0.75, 1])
        halves.append([error[(confidence >= a) & (confidence <= b)].mean() for a, b in pairwise(cuts)])
    quarters = " ".join(f"{value:.1f}" for value in np.mean(halves, axis=0))
    print("Normals from one picture of the cat (shape-from-shading), mean angular error against twelve lights")
    print(f"  flat {flat.mean():.1f}, estimated {np.mean(errors):.1f} ({min(errors):.1f} to {max(errors):.1f}) degrees")
    print(f"  by quarter of confidence, least sure first: {quarters} degrees\n")


def plates(images: list[FloatImage], directions: np.ndarray, strengths: np.ndarray, mask: np.ndarray) -> None:
    print("The cat relit from light i to light j by the ratio, all 132 pairs, lit pixels, after one gain per pair")
    truth, _ = fit_normals(images, directions, strengths)
    scores: dict[str, list[float]] = {"copy": [], "shape-from-shading": [], "known normals": []}
    for i in range(12):
        for j in range(12):
            if i == j:
                continue
            old, new = ([light(directions[k], strengths[k])] for k in (i, j))
            args: dict[str, Any] = {"present": LightRig.model_validate({"lights": old})}
            one = ratio(images[i], new, **args)
            known = ratio(images[i], new, normal=truth, **args)
            for name, guess in (("copy", images[i]), ("shape-from-shading", rgb(one)), ("known normals", rgb(known))):
                a, b = guess[mask], images[j][mask]
                scores[name].append(db(a * (a * b).sum() / (a * a).sum() - b))
    for name, values in scores.items():
        print(f"  {name:20} mean {np.mean(values):.2f} dB, min {min(values):.2f} dB")
    print()


def light(direction: np.ndarray, strength: float) -> dict[str, Any]:
    return {"type": "directional", "direction": tuple(direction), "intensity": float(strength)}


def ratio(
    image: FloatImage,
    lights: list[dict[str, Any]],
    passes: tuple[Any, ...] = (),
    normal: FloatImage | None = None,
    **params: Any,
) -> Plate:
    plates = {"plate": blank_plate(image, ("R", "G", "B"), colorspace="ACEScg")}
    if normal is not None:
        plates["normal"] = blank_plate(normal, ("X", "Y", "Z"), colorspace="Raw")
    rig = LightRig.model_validate({"lights": lights})
    settings = RelightParams(method="ratio", lights=rig, passes=passes, **params)
    return ENGINE.run(RoleRequest(pack=PackPin(id="shape-from-shading"), params=settings, plates=plates)).plates[
        "plate"
    ]


def rgb(plate: Plate) -> FloatImage:
    return plate.take(["R", "G", "B"])


def sky(path: Path) -> None:
    print("A ball under the sky of a photograph, against the sum over every texel of a 64-row sky, RMS over mean")
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SystemExit(f"{path} is missing: give --data")
    fine = average(np.ascontiguousarray(picture[..., ::-1], np.float32), 64).astype(np.float32)
    directions, angles = grid_directions(64), solid_angles(64)
    beams = [
        {"type": "directional", "direction": tuple(directions[y, x]), "color": tuple(fine[y, x] * angles[y])}
        for y in range(64)
        for x in range(128)
    ]
    brute = Lighting(LightRig.model_validate({"lights": beams}), {})
    fast = Lighting(LightRig.model_validate({"lights": [{"type": "environment", "file": "f"}]}), {"f": fine})
    (x, y, z), (_, _, one) = ball(20)
    for place, side in (("sun behind the ball", one), ("sun behind the camera", -one)):
        for roughness, metallic in ((0.5, 0.0), (0.3, 1.0), (0.5, 1.0), (0.8, 1.0)):
            results = []
            for lighting in (fast, brute):
                surface = Surface((x * side, y, z * side), (0 * one, 0 * one, side), roughness * one, metallic * one)
                lighting.shine(surface, None)
                results.append(np.add(*surface.outgoing((0.7 * one, 0.7 * one, 0.7 * one), one)))
            error = np.sqrt(((results[0] - results[1]) ** 2).mean()) / results[1].mean()
            gain = results[0].mean() / results[1].mean()
            print(f"  {place}, roughness {roughness}, metallic {metallic:.0f}: {100 * error:.1f} %, energy {gain:.3f}")


def ball(side: int) -> tuple[Planes, Planes]:
    y, x = np.mgrid[0:side, 0:side]
    x, y = (x + 0.5) / side * 2 - 1, 1 - (y + 0.5) / side * 2
    inside = x * x + y * y < 0.95
    x, y = x[inside].astype(np.float32), y[inside].astype(np.float32)
    zero = np.zeros_like(x)
    return normalized((x, y, np.sqrt(1 - x * x - y * y))), (zero, zero, zero + 1)


ENGINE = LocalEngine(device="cpu")

if __name__ == "__main__":
    main()
