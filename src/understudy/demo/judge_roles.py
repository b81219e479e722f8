# SPDX-License-Identifier: Apache-2.0
"""Judges each role of the demo on the frames it wrote."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from understudy.color.config import ColorConfig
from understudy.contracts.engine import EngineInfo
from understudy.contracts.errors import QualityGateError
from understudy.contracts.plate import FloatImage, Plate
from understudy.demo.files import plate_path, truth_path
from understudy.demo.measure import (
    RGB,
    Judge,
    Probe,
    foreign_ids,
    identical_bits,
    ids_of,
    probe,
    probe_ratio,
    score_motion,
)
from understudy.demo.results import Check, Rendered, RoleResult, Table
from understudy.demo.scope import Scope
from understudy.demo.shot import COLORSPACE
from understudy.frames.header import read_header
from understudy.frames.read import read_plate

_BEAUTY = (*RGB, "A", "id.X")
_RATIO = ("ratio.R", "ratio.G", "ratio.B")


def judge_roles(
    out: Path, rendered: Mapping[str, Rendered], scope: Scope, info: EngineInfo, color: ColorConfig
) -> tuple[RoleResult, ...]:
    """All four roles.

    Args:
        out: The demo folder.
        rendered: What each job told, by job name.
        scope: How much was rendered.
        info: What the engine says of its packs.
        color: The OCIO config.

    Raises:
        InputError: A frame that was written can't be read back.
    """
    judge = Judge(color, COLORSPACE)
    context = _Context(out, rendered, scope, info, judge)
    return (_motion(context), _interpolate(context), _upscale(context), _relight(context))


class _Context:
    def __init__(
        self, out: Path, rendered: Mapping[str, Rendered], scope: Scope, info: EngineInfo, judge: Judge
    ) -> None:
        self.out, self.rendered, self.scope, self.judge = out, rendered, scope, judge
        self._manifests = {(pack.pin.id, pack.pin.version): pack.manifest for pack in info.packs}

    def beauty(self, frame: int) -> Plate:
        return read_plate(plate_path(self.out, frame), frame=frame, colorspace=COLORSPACE, channels=_BEAUTY)

    def read(self, file: str | Path, frame: int, channels: tuple[str, ...] | None = _BEAUTY) -> Plate:
        return read_plate(file, frame=frame, colorspace=COLORSPACE, channels=channels)

    def truth(self, kind: str, frame: int, channels: tuple[str, ...] | None = RGB) -> Plate:
        return self.read(truth_path(self.out, kind, frame), frame, channels)

    def files(self, job: str, node: str = "out") -> dict[int, Mapping[str, Any]]:
        return {event["frame"]: event for event in self.rendered[job].frames if event["node"] == node}

    def packs(self, job: str) -> tuple[Mapping[str, str], ...]:
        return tuple(self._pack(event) for event in self.rendered[job].packs.values())

    def _pack(self, event: Mapping[str, Any]) -> Mapping[str, str]:
        manifest = self._manifests[event["id"], event["version"]]
        contract, license_, training = manifest["contract"], manifest["license"], manifest["training"]
        return {
            "id": event["id"],
            "version": event["version"],
            "sha256": event["sha256"],
            "title": event["title"],
            "description": manifest["description"],
            "license": license_["concluded"],
            "training": training["basis"],
            "badge": event["badge"],
            "badge_reasons": "; ".join(event["badge_reasons"]),
            "encoding": contract["encoding"],
        }

    def chain(self, job: str) -> tuple[str, ...]:
        decided = next(iter(self.rendered[job].color.values()))
        encodings = {
            "plate": "the plate’s own values",
            "scene_linear": "scene-linear ACEScg",
            "acescct": "ACEScct (log)",
        }
        encodings["display_log"] = "display-like below white, log above"
        seen = ", ".join(dict.fromkeys(f"{encodings[pack['encoding']]}" for pack in self.packs(job)))
        return (
            f"in: {decided['colorspace']} (told by the file: {decided['rule']})",
            f"the model sees: {seen}",
            f"out: {decided['colorspace']}",
        )

    def result(self, role: str, job: str, **parts: Any) -> RoleResult:
        heard = self.rendered[job]
        return RoleResult(
            role=role,
            packs=self.packs(job),
            frames=len(self.files(job)),
            seconds=heard.seconds,
            color=self.chain(job),
            command=f"understudy render graphs/{job}.yaml",
            record=self._record(job),
            **parts,
        )

    def _record(self, job: str) -> str:
        """The record that a frame names, relative to the report."""
        frame = Path(next(iter(self.files(job).values()))["file"])
        name = str(read_header(frame).metadata["understudy:record"])
        return frame.resolve().with_name(name).relative_to(self.out.resolve()).as_posix()


def _motion(context: _Context) -> RoleResult:
    def pairs(job: str) -> list[tuple[Plate, Plate]]:
        files = context.files(job)
        return [
            (context.read(event["file"], frame, None), context.truth("vectors", frame, None))
            for frame, event in files.items()
        ]

    rows, headline = [], ""
    for job in ("motion-draft", "motion", "motion-best"):
        frames = context.files(job)
        score = score_motion(pairs(job))
        (pack,) = context.packs(job)
        rows.append(
            (
                pack["id"],
                f"{score.visible:.2f} px",
                f"{score.mean:.2f} px",
                f"{100 * score.within:.1f} %",
                "–" if score.auroc is None else f"{score.auroc:.3f}",
                f"{len(frames)}",
            )
        )
        if job == "motion":
            headline = f"mean error {score.visible:.2f} px where the target stays visible"
    blurred = context.files("motion", "blurred")
    before = [context.beauty(frame) for frame in context.scope.shown]
    after = [context.read(blurred[frame]["file"], frame) for frame in context.scope.shown]
    checks = (*_survival(before, after), _ids(before, after))
    return context.result(
        "motion",
        "motion",
        probe=probe(before, after),
        headline=headline,
        table=Table(
            columns=("pack", "error, visible", "error, all", "within 1 px", "doubt finds errors", "frames"),
            rows=tuple(rows),
            ours=1,
            note="Mean distance between found and true vectors, both directions, over the data window. “Visible” "
            "leaves out pixels whose target is hidden or out of frame. “Doubt finds errors” is the area under the "
            "ROC curve for errors over one pixel: 1 is perfect, 0.5 is chance.",
        ),
        checks=checks,
    )


def _interpolate(context: _Context) -> RoleResult:
    files = context.files("retime")
    scores: dict[str, list[tuple[float, float]]] = {"ours": [], "blend": [], "nearest": []}
    before: dict[int, Plate] = {}
    made: list[Plate] = []
    held, identical = 0, 0
    for frame, event in files.items():
        report = event["report"]
        if report["origin"] == "source":
            held += 1
            source = report["source_frame"]
            whole = context.read(plate_path(context.out, source), source, None)
            identical += identical_bits(whole, context.read(event["file"], frame, whole.channels), whole.channels)
            continue
        first = int(Fraction(report["times"][0]))
        for source in (first, first + 1):
            before.setdefault(source, context.beauty(source))
        result = context.read(event["file"], frame)
        made.append(result)
        truth = context.truth("between", first).take(RGB)
        a, b = before[first].take(RGB), before[first + 1].take(RGB)
        scores["ours"].append(context.judge.compare(result.take(RGB), truth))
        scores["blend"].append(context.judge.compare(np.float32(0.5) * (a + b), truth))
        scores["nearest"].append(context.judge.compare(a, truth))
    if not made:
        raise QualityGateError("the retime made no frame between two source frames", where="demo")
    sources = list(before.values())
    rows = tuple(
        (name, *(f"{np.mean([score[i] for score in scores[key]]):.1f} dB" for i in (0, 1)))
        for key, name in (("ours", "flow-projection"), ("blend", "frame blending"), ("nearest", "repeating the frame"))
    )
    gain = np.mean([ours[0] - blend[0] for ours, blend in zip(scores["ours"], scores["blend"], strict=True)])
    checks = (
        Check(label="Source frames come back bit for bit", holds=identical == held, detail=f"{identical} of {held}"),
        *_survival(sources, made),
        _ids(sources, made),
    )
    return context.result(
        "interpolate",
        "retime",
        probe=probe(sources, made),
        headline=f"{gain:+.1f} dB over frame blending",
        table=Table(
            columns=("method", "on the display", "in log"),
            rows=rows,
            ours=0,
            note=f"Peak signal-to-noise ratio against the true pictures at the half frames, mean of {len(made)}. "
            "Higher is better; 3 dB is half the error energy.",
        ),
        checks=checks,
    )


def _upscale(context: _Context) -> RoleResult:
    scores: dict[str, list[tuple[float, float]]] = {}
    before, after = [], []
    for frame in context.scope.upscale:
        plate = context.beauty(frame)
        before.append(plate)
        truth = context.truth("double", frame).take(RGB)
        size = (truth.shape[1], truth.shape[0])
        color = plate.take(RGB)
        for name, how in (("bicubic (OpenCV)", cv2.INTER_CUBIC), ("bilinear (OpenCV)", cv2.INTER_LINEAR)):
            scores.setdefault(name, []).append(context.judge.compare(_resize(color, size, how), truth))
        for job in ("upscale", "upscale-back-projection"):
            event = context.files(job).get(frame)
            if event is not None:
                result = context.read(event["file"], frame)
                if job == "upscale":
                    after.append(result)
                scores.setdefault(context.packs(job)[0]["id"], []).append(
                    context.judge.compare(result.take(RGB), truth)
                )
    ours = context.packs("upscale")[0]["id"]
    order = sorted(scores, key=lambda name: -scores[name][0][0])
    rows = tuple((name, *(f"{scores[name][0][i]:.1f} dB" for i in (0, 1))) for name in order)
    gain = scores[ours][0][0] - scores["bicubic (OpenCV)"][0][0]
    return context.result(
        "upscale",
        "upscale",
        probe=probe(before, after),
        headline=f"{gain:+.1f} dB over bicubic",
        table=Table(
            columns=("method", "on the display", "in log"),
            rows=rows,
            ours=order.index(ours),
            note="Peak signal-to-noise ratio against the same scene rendered at twice the size, "
            f"frame {context.scope.middle}.",
        ),
        checks=(*_survival(before, after, scale=2), _ids(before, after)),
    )


def _resize(color: FloatImage, size: tuple[int, int], how: int) -> FloatImage:
    return np.asarray(cv2.resize(color, size, interpolation=how), dtype=np.float32)


def _relight(context: _Context) -> RoleResult:
    files, passes = context.files("relight"), context.files("relight-passes")
    scores: dict[str, list[tuple[float, float, float]]] = {"ours": [], "passes": [], "nothing": []}
    before, after = [], []
    for frame in context.scope.relit:
        truth = context.truth("relit", frame).take(RGB)
        whole = context.read(plate_path(context.out, frame), frame, (*_BEAUTY, "normal.X", "normal.Y", "normal.Z"))
        lit = np.asarray(np.any(whole.take(("normal.X", "normal.Y", "normal.Z")) != 0, axis=-1))
        plate, result = context.beauty(frame), context.read(files[frame]["file"], frame, (*_BEAUTY, *_RATIO))
        before.append(plate)
        after.append(result)
        for name, picture in (
            ("ours", result),
            ("passes", context.read(passes[frame]["file"], frame)),
            ("nothing", plate),
        ):
            color = picture.take(RGB)
            whole_frame, lit_only = context.judge.compare(color, truth), context.judge.compare(color, truth, lit)
            scores[name].append((whole_frame[0], *lit_only))
    names = {
        "ours": "plate × new ÷ present light",
        "passes": "shaded from the passes alone",
        "nothing": "the plate, not relit",
    }
    rows = tuple(
        (names[name], *(f"{np.mean([score[i] for score in found]):.1f} dB" for i in (0, 1, 2)))
        for name, found in scores.items()
    )
    gain = np.mean([ours[0] - nothing[0] for ours, nothing in zip(scores["ours"], scores["nothing"], strict=True)])
    return context.result(
        "relight",
        "relight",
        probe=probe_ratio(before, after),
        headline=f"{gain:+.1f} dB nearer to a true render",
        table=Table(
            columns=("picture", "on the display", "lit surfaces", "lit, in log"),
            rows=rows,
            ours=0,
            note=f"Peak signal-to-noise ratio against the scene rendered under the new lights by a renderer of its own "
            f"(Lambert and GGX, no shadows), mean of {len(context.scope.relit)} frames. Shading from the passes alone "
            "leaves the sky black, for it has no passes.",
        ),
        checks=(
            *_survival(before, after),
            Check(
                label="IDs are untouched",
                holds=all(identical_bits(a, b, ("id.X",)) for a, b in zip(before, after, strict=True)),
                detail=f"{len(before)} frames bit for bit",
            ),
        ),
    )


def _survival(before: list[Plate], after: list[Plate], scale: int = 1) -> tuple[Check, ...]:
    measured: Probe = probe(before, after)
    window, expected = after[0].data_window, before[0].data_window.scaled(Fraction(scale))
    display = before[0].display_window.scaled(Fraction(scale))
    alpha_in, alpha_out = (_range(plates, "A") for plates in (before, after))
    return (
        Check(
            label="Negative colors survive",
            holds=measured.negatives,
            detail=f"in min {measured.min_in:.3f} → out min {measured.min_out:.3f}",
        ),
        Check(
            label="Overscan and windows survive",
            holds=all(p.data_window == expected and p.display_window == display for p in after),
            detail=f"data {window}, display {after[0].display_window}",
        ),
        Check(
            label="Alpha survives",
            holds=alpha_out[0] <= alpha_in[0] + 1e-3 and abs(alpha_out[1] - alpha_in[1]) < 1e-3,
            detail=f"{alpha_in[0]:.2f}–{alpha_in[1]:.2f} → {alpha_out[0]:.2f}–{alpha_out[1]:.2f}",
        ),
    )


def _range(plates: list[Plate], channel: str) -> tuple[float, float]:
    values = [plate.take((channel,)) for plate in plates]
    return min(float(v.min()) for v in values), max(float(v.max()) for v in values)


def _ids(before: list[Plate], after: list[Plate]) -> Check:
    known = {number for plate in before for number in ids_of(plate)}
    strange = sum(foreign_ids(plate, known) for plate in after)
    return Check(
        label="IDs are never blended",
        holds=strange == 0,
        detail=f"{len(known)} IDs in; {strange} px with any other",
    )
