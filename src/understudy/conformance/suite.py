# SPDX-License-Identifier: Apache-2.0
"""Runs every check that fits a pack's role. The project's own tests run this same suite on the packs that ship."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from understudy.conformance import common_checks, interpolate_checks, manifest_checks, motion_checks, pixel_checks
from understudy.conformance.report import CheckFailedError, CheckResult, CheckSkippedError, ConformanceReport
from understudy.conformance.subject import Subject
from understudy.contracts.engine import Engine
from understudy.contracts.errors import ManifestError, PackError, UnderstudyError
from understudy.contracts.manifest import Role
from understudy.packs import Pack, open_pack
from understudy.roles.engine import LocalEngine

EngineFactory = Callable[[Path], Engine]
"""Makes an engine that finds the pack of a folder before all others."""

Check = Callable[[Subject], str]

_Subject = TypeVar("_Subject", Pack, Subject)

_MANIFEST = "pack.toml is there, and every field is right."
_PIXEL: tuple[tuple[str, Check], ...] = (
    ("tiles", pixel_checks.tiles),
    ("radius", pixel_checks.radius),
    ("highlights", pixel_checks.highlights),
    ("negatives", pixel_checks.negatives),
    ("constant", pixel_checks.constant),
    ("scales", pixel_checks.scales),
    ("bounded", pixel_checks.bounded),
)
_MOTION: tuple[tuple[str, Check], ...] = (
    ("no-motion", motion_checks.no_motion),
    ("directions", motion_checks.directions),
    ("trust", motion_checks.trust),
)
_INTERPOLATE: tuple[tuple[str, Check], ...] = (
    ("static-plate", interpolate_checks.static_plate),
    ("weights", interpolate_checks.weights),
    ("directions", interpolate_checks.directions),
)
_COMMON: tuple[tuple[str, Check], ...] = (
    ("odd-sizes", common_checks.odd_sizes),
    ("finite", common_checks.finite),
    ("deterministic", common_checks.deterministic),
    ("batches", common_checks.batches),
    ("precision", common_checks.precision),
    ("options", common_checks.options),
    ("confidence", manifest_checks.confidence),
    ("draft", manifest_checks.draft),
)
_OF_ROLE = {Role.UPSCALE: _PIXEL, Role.RELIGHT: _PIXEL, Role.MOTION: _MOTION, Role.INTERPOLATE: _INTERPOLATE}


def local_engine(folder: Path) -> Engine:
    """An engine in this process, on the device it chooses."""
    return LocalEngine(extra_packs=(folder,))


def check_pack(folder: Path, *, engine: EngineFactory = local_engine) -> ConformanceReport:
    """Checks one pack folder, from its manifest to its pixels.

    Checks that need a working pack are left out, not failed, when an earlier one shows that it does not work.

    Args:
        folder: The pack's folder.
        engine: Makes the engine that plays the pack.
    """
    try:
        pack = open_pack(folder)
    except ManifestError as error:
        failed = CheckResult("manifest", _MANIFEST, "failed", str(error), "correct pack.toml")
        return ConformanceReport(str(folder), None, (failed,))
    results = [CheckResult("manifest", _MANIFEST, "passed", str(pack.pin))]
    papers: tuple[tuple[str, Callable[[Pack], str]], ...] = (
        ("hashes", manifest_checks.hashes),
        ("card", manifest_checks.card),
        ("rights", manifest_checks.rights),
        ("record", manifest_checks.record),
    )
    results += [_run(name, check, pack) for name, check in papers]
    if results[1].status == "passed":
        results += _played(pack, engine)
    return ConformanceReport(str(folder), pack.pin, tuple(results))


def _played(pack: Pack, make_engine: EngineFactory) -> list[CheckResult]:
    """The checks that run the pack."""
    engine = make_engine(pack.folder)
    try:
        subject = Subject(pack, engine)
        results = [_run("loads", common_checks.loads, subject)]
        if results[0].status == "passed":
            results += [_run(name, check, subject) for name, check in (*_OF_ROLE[pack.role], *_COMMON)]
        return results
    finally:
        engine.close()


def _run(name: str, check: Callable[[_Subject], str], subject: _Subject) -> CheckResult:
    promise = (check.__doc__ or name).strip().splitlines()[0]
    try:
        return CheckResult(name, promise, "passed", check(subject))
    except CheckSkippedError as reason:
        return CheckResult(name, promise, "skipped", str(reason))
    except CheckFailedError as failed:
        return CheckResult(name, promise, "failed", failed.found, failed.fix)
    except UnderstudyError as error:
        where = f"{error.where}: " if error.where else ""
        fix = "correct the pack's code" if isinstance(error, PackError) else "report it if the pack is not to blame"
        return CheckResult(name, promise, "failed", f"{where}{error.problem}", error.fix or fix)
