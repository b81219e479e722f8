# SPDX-License-Identifier: Apache-2.0
"""Packs on a public data set that you have, in one table: ``python benchmarks/quality SET FOLDER [--pack ID ...]``.

Every pack of the set's role plays, from wherever packs are looked for, unless ``--pack`` names some; ``--packs FOLDER``
looks in a folder of yours first. Nothing is downloaded. Use a set to report, not to tune.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from judge import Contestant, Judge, Row
from measures import CONVENTIONS
from sets import lit, pairs, stills, triplets
from understudy.contracts.errors import PackNotFoundError, UnderstudyError
from understudy.packs.pins import choose_pack, parse_pin
from understudy.roles.engine import LocalEngine

SCHEMA = "understudy.quality/1"
_MOTION = "dis-good"
_OF_ROLE: dict[str, dict[str, Callable[[Path], Sequence[Any]]]] = {
    "motion": dict(pairs.readers()),
    "interpolate": dict(triplets.readers()),
    "relight": dict(lit.readers()),
}
SETS = {"stills": "upscale", **{name: role for role, sets in _OF_ROLE.items() for name in sets}}
"""Every set and the role that it tests."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; an exit code."""
    options = _options(arguments)
    try:
        report = evaluate(options)
    except UnderstudyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if options.json:
        print(json.dumps(report))
    else:
        print_table(report)
    return 0


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """The report of a set: rows with their figures, and what each figure means.

    Raises:
        InputError: A file of the set is missing or damaged.
        PackError: A pack that was named is not there.
    """
    role = SETS[options.set]
    samples = (
        stills.stills(options.folder, options.scale)
        if role == "upscale"
        else _OF_ROLE[role][options.set](options.folder)
    )
    samples = thinned(samples, options.limit)
    engine = LocalEngine(device=options.device, extra_packs=tuple(options.packs))
    try:
        packs = contestants(engine, role, options.pack, options.scale)
        rows = list(_rows(Judge(engine, tile=options.tile), role, packs, samples, options))
    finally:
        engine.close()
    used = [name for name in CONVENTIONS if any(name in row.figures for row in rows)]
    return {
        "schema": SCHEMA,
        "set": options.set,
        "role": role,
        "scale": options.scale if role == "upscale" else None,
        "samples": len(samples),
        "conventions": {name: CONVENTIONS[name] for name in used},
        "rows": [
            {
                "name": row.name,
                "pack": row.pack,
                "note": row.note,
                "figures": row.figures,
                "samples": row.samples,
                "problem": row.problem,
            }
            for row in rows
        ],
    }


def _rows(
    judge: Judge, role: str, packs: Sequence[Contestant], samples: Sequence[Any], options: argparse.Namespace
) -> Iterable[Row]:
    if role == "upscale":
        return judge.stills(packs, samples, options.scale)
    if role == "motion":
        return judge.pairs(packs, samples)
    if role == "interpolate":
        return judge.between(packs, options.motion or [_MOTION], samples)
    return judge.lit(packs, samples)


def contestants(engine: LocalEngine, role: str, named: Sequence[str], scale: int) -> list[Contestant]:
    """The packs that play: those named, or all of the role but identity packs.

    Raises:
        PackNotFoundError: One that was named is not there, or is of another role.
    """
    infos = engine.info().packs
    if not named:
        fitting = [info for info in infos if info.role == role and not info.pin.id.startswith("identity-")]
        offered = [info for info in fitting if _offers(info.manifest, scale)] if role == "upscale" else fitting
        return [Contestant(info.pin, info.manifest) for info in offered]
    chosen = [choose_pack(infos, parse_pin(text)) for text in named]
    for info in chosen:
        if info.role != role:
            raise PackNotFoundError(f"plays {info.role}, and this set tests {role}", where=info.pin.id)
    return [Contestant(info.pin, info.manifest) for info in chosen]


def _offers(manifest: dict[str, Any], scale: int) -> bool:
    scales = manifest["contract"]["scales"]
    return not scales or scale in scales


def thinned(samples: Sequence[Any], limit: int) -> Sequence[Any]:
    """At most so many samples, evenly from all; 0 takes all."""
    if not limit or len(samples) <= limit:
        return samples
    return [samples[n * len(samples) // limit] for n in range(limit)]


def print_table(report: dict[str, Any]) -> None:
    """A table in Markdown, and the conventions below it."""
    names = list(report["conventions"])
    factor = f", x{report['scale']}" if report["scale"] else ""
    print(f"{report['set']}{factor}: means of {report['samples']} samples\n")
    print(f"| {report['role']} | in | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    for row in report["rows"]:
        cells = [f"{row['figures'][name]:.4g}" if name in row["figures"] else "-" for name in names]
        print(f"| {row['name']} | {row['note'] or '-'} | " + " | ".join(cells) + " |")
    print()
    for name, meaning in report["conventions"].items():
        print(f"- {name}: {meaning}")
    for row in report["rows"]:
        if row["problem"]:
            print(f"- {row['name']} failed: {row['problem']}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/quality", description=__doc__)
    parser.add_argument("set", choices=sorted(SETS), metavar="SET", help=", ".join(sorted(SETS)))
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="your copy of the set")
    parser.add_argument("--pack", action="append", default=[], metavar="ID", help="may be repeated")
    parser.add_argument("--packs", action="append", default=[], type=Path, metavar="FOLDER", help="where yours are")
    parser.add_argument("--motion", action="append", default=[], metavar="ID", help=f"{_MOTION} when left out")
    parser.add_argument("--scale", type=int, default=2, choices=(2, 3, 4, 8), help="for stills")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="so many samples, evenly from all")
    parser.add_argument("--tile", type=int, default=0, help="tile side for upscalers, input pixels")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N, openvino or auto")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser.parse_args(arguments)
