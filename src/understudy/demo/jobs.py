# SPDX-License-Identifier: Apache-2.0
"""The jobs of the demo: graph documents that anyone can render again with ``understudy render``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from understudy.contracts.errors import OutputError
from understudy.demo.light import DAY, NIGHT
from understudy.demo.scope import Scope

_BEAUTY = ["R", "G", "B", "A", "id.X"]


@dataclass(frozen=True, slots=True)
class Job:
    """One graph to render.

    Attributes:
        name: Name of the document and of the folder it writes to.
        nodes: Its nodes.
        frames: Output frames; empty renders all.
        title: What it does, for a person who waits.
        weight: Its share of the demo's time, about a second.
        draft: It renders a draft of the document of that name.
    """

    name: str
    nodes: dict[str, dict[str, Any]]
    frames: str
    title: str
    weight: int
    draft: bool = False

    @property
    def key(self) -> str:
        """What tells it from other jobs."""
        return f"{self.name}.draft" if self.draft else self.name

    @property
    def command(self) -> str:
        """What to type in the demo folder to render it again."""
        return f"understudy render graphs/{self.name}.yaml" + (" --draft" if self.draft else "")


def make_jobs(scope: Scope) -> tuple[Job, ...]:
    """Every job, in the order they are rendered: finals, then drafts of what the report shows."""
    finals = _finals(scope)
    frames = {"motion": scope.shown, "retime": (), "upscale": (scope.middle,), "relight": scope.relit}
    drafts = (
        replace(job, frames=",".join(map(str, frames[job.name])), title=f"{job.title}, draft", weight=3, draft=True)
        for job in finals
        if job.name in frames
    )
    return (*finals, *drafts)


def _finals(scope: Scope) -> tuple[Job, ...]:
    first, middle = scope.frames[0], str(scope.middle)
    low, high = (first + 2 * (source - first) for source in scope.retime)
    lists = ((",".join(str(frame) for frame in frames)) for frames in (scope.upscale, scope.relight, scope.relit))
    upscale, relight, relit = lists
    return (
        Job("motion", _motion("motion", "dis-good"), "-".join(map(str, scope.motion)), "motion vectors", 25),
        Job("motion-draft", _motion("motion-draft", "dis-draft"), middle, "motion vectors, draft pack", 2),
        Job("motion-best", _motion("motion-best", "dis-best"), middle, "motion vectors, best pack", 3),
        Job(
            "retime",
            {
                "plate": _read(),
                "vectors": {"type": "motion", "input": "plate", "pack": "dis-good"},
                "slow": {
                    "type": "interpolate",
                    "input": "plate",
                    "vectors": "vectors",
                    "pack": "flow-projection",
                    "speed": "1/2",
                },
                "out": {"type": "write", "input": "slow", "file": "../retime/retime.%04d.exr"},
            },
            f"{low}-{high}",
            "retime to half speed",
            12,
        ),
        Job("upscale", _upscale("upscale", "lanczos"), upscale, "upscale to twice the size", 8),
        Job(
            "upscale-back-projection",
            _upscale("upscale-back-projection", "bicubic-back-projection"),
            middle,
            "upscale, back-projection pack",
            3,
        ),
        Job(
            "relight",
            {
                "plate": _read(),
                "light": {
                    "type": "relight",
                    "input": "plate",
                    "method": "ratio",
                    "lights": "night.lights.json",
                    "present": "day.lights.json",
                    "limit_stops": 6,
                    "passes": ["ratio"],
                },
                "out": {"type": "write", "input": "light", "file": "../relight/relit.%04d.exr"},
            },
            relight,
            "relight",
            12,
        ),
        Job(
            "relight-passes",
            {
                "plate": _read(),
                "light": {"type": "relight", "input": "plate", "method": "aov", "lights": "night.lights.json"},
                "out": {"type": "write", "input": "light", "file": "../relight-passes/relit.%04d.exr"},
            },
            relit,
            "relight, from the passes alone",
            4,
        ),
    )


def write_jobs(jobs: tuple[Job, ...], folder: Path) -> dict[str, Path]:
    """Writes the documents and the lights they name.

    Args:
        jobs: The jobs.
        folder: Where the documents go; their paths are relative to it.

    Returns:
        Paths by job name.

    Raises:
        OutputError: The folder can't be written to.
    """
    paths: dict[str, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rig in (("day", DAY), ("night", NIGHT)):
            text = rig.model_dump_json(by_alias=True, indent=2) + "\n"
            (folder / f"{name}.lights.json").write_text(text, encoding="utf-8")
        for job in (job for job in jobs if not job.draft):
            document: dict[str, Any] = {"schema": "understudy.graph/1"}
            if job.frames:
                document["frames"] = job.frames
            document["nodes"] = job.nodes
            paths[job.name] = folder / f"{job.name}.yaml"
            paths[job.name].write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=str(folder)) from None
    return paths


def _read(channels: list[str] | None = None) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "read", "file": "../shot/plate.%04d.exr"}
    return node | ({"channels": channels} if channels else {})


def _motion(folder: str, pack: str) -> dict[str, dict[str, Any]]:
    return {
        "plate": _read(_BEAUTY),
        "vectors": {"type": "motion", "input": "plate", "pack": pack},
        "blur": {
            "type": "vector_blur",
            "input": "plate",
            "vectors": "vectors",
            "shutter": {"angle": 180, "samples": 12},
        },
        "out": {"type": "write", "input": "vectors", "file": f"../{folder}/vectors.%04d.exr"},
        "blurred": {"type": "write", "input": "blur", "file": f"../{folder}/blur.%04d.exr"},
    }


def _upscale(folder: str, pack: str) -> dict[str, dict[str, Any]]:
    return {
        "plate": _read(),
        "larger": {"type": "upscale", "input": "plate", "pack": pack, "scale": 2},
        "out": {"type": "write", "input": "larger", "file": f"../{folder}/double.%04d.exr"},
    }
