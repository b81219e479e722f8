# SPDX-License-Identifier: Apache-2.0
"""How much quicker a draft is than the final, and whether it lies where the final does: ``python benchmarks/draft.py``.

The demo's shot (1056x636 with overscan) goes through all four roles in one graph, each with its default pack: vectors
and motion blur along them, a retime to half speed, an upscale to twice the size, a relight. Files are read and written.
Finals and drafts take turns, so that other programs on the machine slow both; what counts is the median of the pairs'
ratios. The shift is the largest of all pictures, by phase correlation on the display. Each role is also rendered alone.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from understudy.color.config import ColorConfig
from understudy.contracts.plate import FloatImage
from understudy.demo.alignment import displacement
from understudy.demo.files import plate_path
from understudy.demo.light import DAY, NIGHT
from understudy.demo.measure import RGB, Judge
from understudy.demo.shot import COLORSPACE, Shot, picture_plate
from understudy.frames.read import read_plate
from understudy.frames.write import WriteOptions, write_plate
from understudy.graph.document import Graph
from understudy.graph.draft import output_file
from understudy.graph.parsing import parse_graph
from understudy.graph.render import render_graph
from understudy.roles.engine import LocalEngine

FIRST = 1010
WANTED_TIMES, WANTED_SHIFT = 5.0, 1.0
_BEAUTY = ["R", "G", "B", "A", "id.X"]
_WRITES = {"motion": ("vectors", "blur"), "interpolate": ("slow",), "upscale": ("larger",), "relight": ("light",)}


def main() -> int:
    """Prints the table; 1 when the whole graph's draft is too slow or lies elsewhere."""
    options = _options()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="understudy-draft-"))
    try:
        _write_plates(folder, options.plates)
        engine = LocalEngine(device="cpu")
        color = ColorConfig.load()
        each = [] if options.whole else [(role,) for role in _WRITES]
        cases = [_told(_case(folder, roles, options, engine, color)) for roles in (tuple(_WRITES), *each)]
        engine.close()
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        Path(options.json).write_text(
            json.dumps({"schema": "understudy.bench-draft/1", "cases": cases}, indent=2) + "\n"
        )
    whole = cases[0]
    return int(whole["times"] < WANTED_TIMES or max(case["shift"] for case in cases) >= WANTED_SHIFT)


def _told(case: dict[str, Any]) -> dict[str, Any]:
    print(
        f"{case['roles']:<12} final {case['final_s']:.2f} s, draft {case['draft_s']:.2f} s a picture:"
        f" {case['times']:.1f} times quicker (pairs: {case['least']:.1f} to {case['most']:.1f}),"
        f" {case['cpu_times']:.1f} by processor time; shifted by {case['shift']:.2f} px at most",
        flush=True,
    )
    return case


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=3, help="finals and drafts that take turns")
    parser.add_argument("--plates", type=int, default=3, help="frames of the shot")
    parser.add_argument("--scale", default="1/2", help="of the drafts")
    parser.add_argument("--channels", choices=["all", "beauty"], default="beauty", help="of the plates that roles take")
    parser.add_argument("--whole", action="store_true", help="the graph of all roles alone")
    parser.add_argument("--folder", help="keep plates and results here; plates that are there are taken")
    parser.add_argument("--json", help="a file for the figures")
    return parser.parse_args()


def _write_plates(folder: Path, count: int) -> None:
    (folder / "shot").mkdir(parents=True, exist_ok=True)
    shot = Shot()
    for frame in range(FIRST, FIRST + count):
        if not plate_path(folder, frame).exists():
            picture = picture_plate(shot.render(frame), frame)
            write_plate(picture, plate_path(folder, frame), WriteOptions(compression="zip"))


def _graph(folder: Path, roles: tuple[str, ...], options: argparse.Namespace) -> Graph:
    read: dict[str, Any] = {"type": "read", "file": str(folder / "shot" / "plate.%04d.exr")}
    last = FIRST + options.plates - 1
    beauty = read | {"channels": _BEAUTY, "frames": f"{FIRST}-{last}"}
    passes = read | {"frames": f"{FIRST}-{last}"}
    nodes: dict[str, dict[str, Any]] = {
        "beauty": beauty,
        "plate": passes if options.channels == "all" else beauty,
        "passes": passes,
        "vectors": {"type": "motion", "input": "beauty"},
        "blur": {"type": "vector_blur", "input": "beauty", "vectors": "vectors", "shutter": {"samples": 12}},
        "slow": {"type": "interpolate", "input": "plate", "vectors": "vectors", "speed": "1/2"},
        "larger": {"type": "upscale", "input": "plate", "scale": 2},
        "light": {
            "type": "relight", "input": "plate", "method": "ratio", "limit_stops": 6,
            "normal": "passes", "position": "passes",
            "lights": NIGHT.model_dump(mode="json", by_alias=True),
            "present": DAY.model_dump(mode="json", by_alias=True),
        },
    }  # fmt: skip
    for name in (name for role in roles for name in _WRITES[role]):
        nodes[f"out_{name}"] = {"type": "write", "input": name, "file": str(folder / name / f"{name}.%04d.exr")}
    document = {"schema": "understudy.graph/1", "draft": {"scale": options.scale}, "record": False, "nodes": nodes}
    graph = parse_graph(document, source="benchmark")
    needed = {name for write in graph.writes() for name in _above(graph, write)}
    return graph.model_copy(update={"nodes": {name: node for name, node in graph.nodes.items() if name in needed}})


def _above(graph: Graph, name: str) -> set[str]:
    from understudy.graph.document import inputs_of

    return {name}.union(*(_above(graph, source) for source in inputs_of(graph.nodes[name]).values()))


def _case(
    folder: Path, roles: tuple[str, ...], options: argparse.Namespace, engine: LocalEngine, color: ColorConfig
) -> dict[str, Any]:
    graph = _graph(folder, roles, options)
    spent: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    pictures = 0
    for turn in range(options.pairs + 1):  # the first warms models and files up
        for draft in (True, False) if turn % 2 else (False, True):
            wall, processor = time.perf_counter(), time.process_time()
            pictures = render_graph(graph, engine, draft=draft, redo=True).frames
            if turn:
                spent[draft].append((time.perf_counter() - wall, time.process_time() - processor))
    ratios = [[final[i] / draft[i] for final, draft in zip(spent[False], spent[True], strict=True)] for i in (0, 1)]
    return {
        "roles": " + ".join(roles) if len(roles) == 1 else "all four",
        "scale": options.scale,
        "pictures": pictures,
        "final_s": median(wall for wall, _ in spent[False]) / pictures,
        "draft_s": median(wall for wall, _ in spent[True]) / pictures,
        "times": median(ratios[0]),
        "least": min(ratios[0]),
        "most": max(ratios[0]),
        "cpu_times": median(ratios[1]),
        "shift": _shift(graph, color),
    }


def _shift(graph: Graph, color: ColorConfig) -> float:
    """The largest shift of a draft's pictures against the final's, pixels; vectors show in what is blurred by them."""
    judge, found = Judge(color, COLORSPACE), [0.0]
    for name in (name for name, write in graph.writes().items() if write.input != "vectors"):
        final, draft = (Path(output_file(graph, name, draft=kind)) for kind in (False, True))
        for path in sorted(final.parent.glob(final.name.replace("%04d", "[0-9]*"))):
            beside = draft.parent / draft.name.replace("%04d", path.name.split(".")[-2])
            found.append(float(np.hypot(*displacement(*(_seen(each, judge) for each in (path, beside))))))
    return max(found)


def _seen(path: Path, judge: Judge) -> FloatImage:
    rgb = read_plate(path, frame=None, colorspace=COLORSPACE, channels=RGB).take(RGB)
    height, width = min(636, rgb.shape[0]), min(1056, rgb.shape[1])  # a display view is slow
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return judge.display(np.ascontiguousarray(rgb[top : top + height, left : left + width])).mean(axis=-1)


if __name__ == "__main__":
    sys.exit(main())
