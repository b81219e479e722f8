# SPDX-License-Identifier: Apache-2.0
"""Relighting held to truth: real pictures under held-out lights, normals from shading, skies against brute force.

Run: python benchmarks/quality/relight.py [--data ../shared/data] [--packs ID ...] [--pictures FOLDER]
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
from understudy_training.calibration import calibration_figures

LIT = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--pictures", type=Path, help="write what was predicted beside what was seen")
    parser.add_argument("--packs", nargs="+", default=["shape-from-shading", "shaded-solids"], help="packs of normals")
    args = parser.parse_args()
    images, directions, strengths = cat(args.data / "relight_psbox_cat")
    mask = np.mean(images, axis=0)[..., 0] > LIT
    held_out(images, directions, strengths, mask, args.pictures)
    shading(images, directions, strengths, mask, args.packs)
    plates(images, directions, strengths, mask, args.packs)
    room(args.data / "relight_multillum_kitchen", args.packs)
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


def shading(
    images: list[FloatImage], directions: np.ndarray, strengths: np.ndarray, mask: np.ndarray, packs: list[str]
) -> None:
    truth, _ = fit_normals(images, directions, strengths)
    seen = mask & (truth[..., 2] > 0.1)
    flat = np.degrees(np.arccos(np.clip(truth[seen][:, 2], -1, 1)))
    print("Normals from one picture of the cat, mean angular error against twelve lights, degrees")
    print(f"  facing the camera: {flat.mean():.1f}")
    for pack in packs:
        errors, quarters, promised, held = [], [], [], []
        for image in images:
            out = ratio(image, [], ("normal", "confidence"), pack=pack)
            normal = out.take(["normal.X", "normal.Y", "normal.Z"])
            error = np.degrees(np.arccos(np.clip((normal * truth).sum(axis=-1)[seen], -1, 1)))
            confidence = out.take(["confidence.Y"])[..., 0][seen]
            errors.append(error.mean())
            cuts = np.quantile(confidence, [0, 0.25, 0.5, 0.75, 1])
            quarters.append([error[(confidence >= a) & (confidence <= b)].mean() for a, b in pairwise(cuts)])
            promised.append(confidence)
            held.append(error)
        said, were = np.concatenate(promised), np.concatenate(held)
        figures = calibration_figures(said, were, (25.0, 45.0))
        print(f"  {pack}: {np.mean(errors):.1f} ({min(errors):.1f} to {max(errors):.1f})")
        print(
            "    by quarter of confidence, least sure first: " + " ".join(f"{q:.1f}" for q in np.mean(quarters, axis=0))
        )
        print("    " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    print()


def plates(
    images: list[FloatImage], directions: np.ndarray, strengths: np.ndarray, mask: np.ndarray, packs: list[str]
) -> None:
    print("The cat relit from light i to light j by the ratio, all 132 pairs, lit pixels, after one gain per pair")
    truth, _ = fit_normals(images, directions, strengths)
    scores: dict[str, list[float]] = {name: [] for name in ("copy", *packs, "known normals")}
    for i in range(12):
        # A pack looks at the picture once; what it says then serves for each new light.
        normals = {pack: ratio(images[i], [], ("normal", "confidence"), pack=pack) for pack in packs}
        for j in range(12):
            if i == j:
                continue
            old, new = ([light(directions[k], strengths[k])] for k in (i, j))
            args: dict[str, Any] = {"present": LightRig.model_validate({"lights": old})}
            guesses = {"copy": images[i], "known normals": rgb(ratio(images[i], new, normal=truth, **args))}
            for pack, out in normals.items():
                given: dict[str, Any] = {
                    "normal": out.take(["normal.X", "normal.Y", "normal.Z"]),
                    "sure": out.take(["confidence.Y"]),
                }
                guesses[pack] = rgb(ratio(images[i], new, **given, **args))
            for name, guess in guesses.items():
                scores[name].append(gained(guess[mask], images[j][mask]))
    for name, values in scores.items():
        print(f"  {name:20} mean {np.mean(values):.2f} dB, min {min(values):.2f} dB")
    print()


def room(folder: Path, packs: list[str]) -> None:
    print(
        "A kitchen, 93x62 pixels under 25 flashes: from flash i to the light fitted to flash j, after one gain per pair"
    )
    pictures: list[FloatImage] = []
    for number in range(25):
        picture = cv2.imread(str(folder / f"dir_{number}_mip6.jpg"))
        if picture is None:
            raise SystemExit(f"{folder} is missing: give --data")
        light = (np.ascontiguousarray(picture[..., ::-1], np.float32) / 255) ** 2.2
        pictures.append(light.astype(np.float32))
    scores: dict[str, list[float]] = {name: [] for name in ("copy", *packs)}
    for i in range(0, 25, 3):
        for j in range(1, 25, 3):
            if i == j:
                continue
            scores["copy"].append(gained(pictures[i], pictures[j]))
            for pack in packs:
                guess = rgb(ratio(pictures[i], [], pack=pack, reference=pictures[j]))
                scores[pack].append(gained(guess, pictures[j]))
    for name, values in scores.items():
        print(f"  {name:20} mean {np.mean(values):.2f} dB, min {min(values):.2f} dB")
    print()


def gained(a: FloatImage, b: FloatImage) -> float:
    """PSNR in dB after the gain that fits best."""
    return db(a * (a * b).sum() / (a * a).sum() - b)


def light(direction: np.ndarray, strength: float) -> dict[str, Any]:
    return {"type": "directional", "direction": tuple(direction), "intensity": float(strength)}


def ratio(
    image: FloatImage,
    lights: list[dict[str, Any]],
    passes: tuple[Any, ...] = (),
    *,
    pack: str = "shape-from-shading",
    normal: FloatImage | None = None,
    sure: FloatImage | None = None,
    reference: FloatImage | None = None,
    **params: Any,
) -> Plate:
    plates = {"plate": blank_plate(image, ("R", "G", "B"), colorspace="ACEScg")}
    if normal is not None:
        plates["normal"] = blank_plate(normal, ("X", "Y", "Z"), colorspace="Raw")
    if sure is not None:
        plates["confidence"] = blank_plate(sure, ("Y",), colorspace="Raw")
    if reference is not None:
        plates["reference"] = blank_plate(reference, ("R", "G", "B"), colorspace="ACEScg")
    rig = LightRig.model_validate({"lights": lights})
    settings = RelightParams(method="ratio", lights=rig, passes=passes, **params)
    return ENGINE.run(RoleRequest(pack=PackPin(id=pack), params=settings, plates=plates)).plates["plate"]


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
    # A rig holds so many lights and no more; light adds up.
    rigs = [beams[first : first + 4096] for first in range(0, len(beams), 4096)]
    brute = [Lighting(LightRig.model_validate({"lights": some}), {}) for some in rigs]
    fast = Lighting(LightRig.model_validate({"lights": [{"type": "environment", "file": "f"}]}), {"f": fine})
    (x, y, z), (_, _, one) = ball(20)
    for place, side in (("sun behind the ball", one), ("sun behind the camera", -one)):
        for roughness, metallic in ((0.5, 0.0), (0.3, 1.0), (0.5, 1.0), (0.8, 1.0)):
            results = []
            for lightings in ([fast], brute):
                surface = Surface((x * side, y, z * side), (0 * one, 0 * one, side), roughness * one, metallic * one)
                for lighting in lightings:
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
