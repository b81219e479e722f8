# SPDX-License-Identifier: Apache-2.0
"""Runs packs on the samples of a set, through the engine as users do, and measures what comes back.

How pictures go in. Motion, interpolation and relighting get linear light (sRGB decoded; DiLiGenT is linear already), as
in production. A classical upscaler on plate values gets the file's codes as papers do; a network gets linear light,
so that its encoding, or the curve inside it, shows it display-like codes again. The table says which.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from measures import (
    Array,
    Image,
    angles,
    display_codes,
    fitted_psnr,
    interpolation_figures,
    linear_light,
    motion_figures,
    upscale_figures,
)
from sets.lit import Lit, LitScene
from sets.pairs import Pair, Truth
from sets.stills import Still, resized
from sets.triplets import Between
from understudy.contracts.engine import Engine
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.jobs import (
    InterpolateParams,
    MotionParams,
    PackPin,
    RelightParams,
    RoleParams,
    RoleRequest,
    UpscaleParams,
)
from understudy.contracts.lights import LightRig
from understudy.contracts.plate import Plate, blank_plate
from understudy_training.calibration import error_auroc, expected_calibration_error, sparsification

LIGHT = "lin_rec709_scene"
CODES = "Raw"
_RGB = ("R", "G", "B")
_EVERY = 7
_ALL_PAIRS = 12
_WITHIN_PX = 1.0


@dataclass(slots=True)
class Row:
    """One contestant.

    Attributes:
        name: Of the pack, or of what it is compared with.
        pack: The pack with its digest; empty for a baseline.
        note: How pictures went in, or which motion pack played.
        samples: Figures of each sample, by the sample's name.
        figures: Their means, and what is measured over all samples at once.
        problem: Why there are no figures.
    """

    name: str
    pack: str = ""
    note: str = ""
    samples: dict[str, dict[str, float]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    problem: str = ""

    def add(self, sample: str, figures: Mapping[str, float]) -> None:
        """Takes the figures of a sample."""
        self.samples[sample] = dict(figures)

    def close(self) -> None:
        """Means over the samples; a figure that a sample does not have is left out of them."""
        columns: dict[str, list[float]] = defaultdict(list)
        for figures in self.samples.values():
            for name, value in figures.items():
                if not math.isnan(value):
                    columns[name].append(value)
        self.figures |= {name: float(np.mean(values)) for name, values in columns.items()}


@dataclass(frozen=True, slots=True)
class Contestant:
    """A pack that plays.

    Attributes:
        pin: Id, version, digest.
        manifest: As JSON types.
    """

    pin: PackPin
    manifest: Mapping[str, Any]

    @property
    def on_codes(self) -> bool:
        """It filters plate values, whatever they mean: a classical one, as a network learned what they mean."""
        contract, training = self.manifest["contract"], self.manifest["training"]
        return contract["encoding"] == "plate" and contract["domain"] is None and training["basis"] == "none"


class Judge:
    """Puts samples through an engine.

    Args:
        engine: Plays the packs.
        tile: Tile side for upscalers, input pixels; 0 lets the engine choose.
    """

    def __init__(self, engine: Engine, *, tile: int = 0) -> None:
        self._engine = engine
        self._tile = tile

    def stills(self, packs: Sequence[Contestant], samples: Iterable[Still], scale: int) -> Iterator[Row]:
        """Enlargements, after what OpenCV and MATLAB make of the same small pictures."""
        interpolations = {"OpenCV bicubic": cv2.INTER_CUBIC, "OpenCV Lanczos": cv2.INTER_LANCZOS4}
        bases = {name: Row(name, note="codes") for name in ("MATLAB-like bicubic", *interpolations)}
        rows = [Row(str(p.pin.id), str(p.pin), "codes" if p.on_codes else "light") for p in packs]
        for sample in samples:
            small, truth = sample.pair(scale)
            bases["MATLAB-like bicubic"].add(
                sample.name, upscale_figures(resized(small, Fraction(scale)), truth, scale)
            )
            for name, flag in interpolations.items():
                big = cv2.resize(small, None, fx=scale, fy=scale, interpolation=flag)
                bases[name].add(sample.name, upscale_figures(big, truth, scale))
            for row, pack in zip(rows, packs, strict=True):
                with _told(row):
                    row.add(sample.name, upscale_figures(self._enlarged(pack, small, scale), truth, scale))
        yield from _closed([*bases.values(), *rows])

    def pairs(self, packs: Sequence[Contestant], samples: Iterable[Pair]) -> Iterator[Row]:
        """Vectors from the first frame to the second, and what their confidence is worth."""
        still = Row("no motion")
        rows = [Row(p.pin.id, str(p.pin)) for p in packs]
        seen: dict[str, list[tuple[Array, Array]]] = defaultdict(list)
        for sample in samples:
            truth = sample.load()
            still.add(sample.name, _motion(np.zeros_like(truth.flow), truth))
            for row, pack in zip(rows, packs, strict=True):
                with _told(row):
                    flow, confidence = self._vectors(pack, truth.a, truth.b)
                    row.add(sample.name, _motion(flow, truth))
                    error = np.linalg.norm(flow - truth.flow, axis=2)[truth.known]
                    seen[row.name].append((confidence[truth.known][::_EVERY], error[::_EVERY]))
        for row in _closed([still, *rows]):
            if row.name in seen:
                confidence, error = (np.concatenate(parts) for parts in zip(*seen[row.name], strict=True))
                row.figures |= confidence_figures(confidence, error)
            yield row

    def between(self, packs: Sequence[Contestant], motions: Sequence[str], samples: Iterable[Between]) -> Iterator[Row]:
        """Frames between two, after the mean of both."""
        blend = Row("frame blend")
        played = [(pack, motion) for pack in packs for motion in motions]
        rows = [Row(f"{p.pin.id} + {motion}", str(p.pin), motion) for p, motion in played]
        for sample in samples:
            a, b, truths = sample.load()
            times = [time for time, _ in sample.truths]
            mixed = [a + (b - a) * np.float32(time) for time in times]
            blend.add(sample.name, _means(interpolation_figures(*each) for each in zip(mixed, truths, strict=True)))
            for row, (pack, motion) in zip(rows, played, strict=True):
                with _told(row):
                    made = self._frames(pack, motion, a, b, times)
                    row.add(sample.name, _means(interpolation_figures(*e) for e in zip(made, truths, strict=True)))
        yield from _closed([blend, *rows])

    def lit(self, packs: Sequence[Contestant], samples: Iterable[Lit]) -> Iterator[Row]:
        """Normals from one picture, and the picture under another of the known lights."""
        copy, known = Row("copy, flat normals"), Row("known normals")
        rows = [Row(p.pin.id, str(p.pin)) for p in packs]
        for sample in samples:
            scene = sample.load()
            flat = np.broadcast_to(np.array([0, 0, 1], np.float32), scene.normals.shape)
            pairs = _light_pairs(len(scene.images))
            scores = [fitted_psnr(scene.images[i], scene.images[j], scene.mask) for i, j in pairs]
            angle = float(angles(flat, scene.normals, scene.mask).mean())
            copy.add(sample.name, {"MAE": angle, "si-PSNR": float(np.mean(scores))})
            for row, pack in zip(rows, packs, strict=True):
                with _told(row):
                    row.add(sample.name, self._relit(pack, scene, pairs))
            if packs:
                with _told(known):
                    known.add(sample.name, self._relit(packs[0], scene, pairs, normals=scene.normals))
        yield from _closed([copy, *rows, *([known] if known.samples else [])])

    def _run(self, pack: PackPin, params: RoleParams, plates: Mapping[str, Plate]) -> Mapping[str, Plate]:
        return self._engine.run(RoleRequest(pack=pack, params=params, plates=plates)).plates

    def _enlarged(self, pack: Contestant, small: Image, scale: int) -> Array:
        params = UpscaleParams(scale=Fraction(scale), tile=self._tile)
        if pack.on_codes:
            plate = blank_plate(small / np.float32(255), _RGB, colorspace=CODES)
            return self._run(pack.pin, params, {"plate": plate})["plate"].pixels * 255
        plate = blank_plate(linear_light(small), _RGB, colorspace=LIGHT)
        return display_codes(self._run(pack.pin, params, {"plate": plate})["plate"].pixels)

    def _vectors(self, pack: Contestant, a: Image, b: Image) -> tuple[Array, Array]:
        """Vectors ``(h, w, 2)``, v down, and confidence ``(h, w)``."""
        out = self._run(pack.pin, MotionParams(), _frames(a, b))["a"]
        vectors = out.take(("forward.u", "forward.v")) * np.array([1, -1], np.float32)
        return vectors, out.take(("confidence.Y",))[..., 0]

    def _frames(self, pack: Contestant, motion: str, a: Image, b: Image, times: Sequence[Fraction]) -> list[Array]:
        params = InterpolateParams(outputs=tuple((time,) for time in times), motion_pack=motion)
        out = self._run(pack.pin, params, _frames(a, b))
        return [display_codes(out[str(n)].take(_RGB)) for n in range(len(times))]

    def _relit(
        self, pack: Contestant, scene: LitScene, pairs: Sequence[tuple[int, int]], *, normals: Image | None = None
    ) -> dict[str, float]:
        scores, errors = [], []
        for i, j in pairs:
            plates = {"plate": blank_plate(scene.images[i], _RGB, colorspace=LIGHT)}
            if normals is not None:
                plates["normal"] = blank_plate(normals, ("X", "Y", "Z"), colorspace="Raw")
            params = RelightParams(method="ratio", lights=_rig(scene, j), present=_rig(scene, i), passes=("normal",))
            out = self._run(pack.pin, params, plates)["plate"]
            scores.append(fitted_psnr(out.take(_RGB), scene.images[j], scene.mask))
            found = out.take(("normal.X", "normal.Y", "normal.Z"))
            errors.append(float(angles(found, scene.normals, scene.mask).mean()))
        return {"MAE": float(np.mean(errors)), "si-PSNR": float(np.mean(scores))}


@contextmanager
def _told(row: Row) -> Iterator[None]:
    """Turns our errors into a row's problem."""
    try:
        yield
    except UnderstudyError as error:
        row.problem = str(error)


def _closed(rows: Sequence[Row]) -> Iterator[Row]:
    for row in rows:
        if row.problem:
            row.samples.clear()  # a mean over some of the samples could be compared with nothing
        row.close()
        yield row


def confidence_figures(confidence: Array, error: Array) -> dict[str, float]:
    """``AUROC``, ``AUSE``, ``ECE`` and ``less-fifth`` of a motion pack's confidence; error in pixels."""
    curve = sparsification(confidence, error)
    fifth = float(np.interp(0.2, curve.dropped, curve.by_confidence))
    return {
        "AUROC": error_auroc(confidence, error, _WITHIN_PX),
        "AUSE": curve.ause,
        "ECE": expected_calibration_error(confidence, error, _WITHIN_PX),
        "less-fifth": fifth * float(error.mean()),
    }


def _motion(flow: Array, truth: Truth) -> dict[str, float]:
    error = np.linalg.norm(flow - truth.flow, axis=2)
    return motion_figures(error, truth.flow, truth.known, truth.visible)


def _frames(a: Image, b: Image) -> dict[str, Plate]:
    return {
        name: blank_plate(linear_light(codes), _RGB, colorspace=LIGHT, frame=number)
        for number, (name, codes) in enumerate((("a", a), ("b", b)))
    }


def _means(figures: Iterable[Mapping[str, float]]) -> dict[str, float]:
    every = list(figures)
    return {name: float(np.mean([each[name] for each in every])) for name in every[0]}


def _rig(scene: LitScene, at: int) -> LightRig:
    direction = tuple(float(axis) for axis in scene.directions[at])
    lights = [{"type": "directional", "direction": direction, "intensity": float(scene.strengths[at])}]
    return LightRig.model_validate({"lights": lights})


def _light_pairs(count: int) -> list[tuple[int, int]]:
    """All pairs of few lights; of many, each light to the one half way round."""
    if count <= _ALL_PAIRS:
        return [(i, j) for i in range(count) for j in range(count) if i != j]
    return [(i, (i + count // 2) % count) for i in range(count)]
