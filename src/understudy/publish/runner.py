# SPDX-License-Identifier: Apache-2.0
"""Runs a publish through pyblish, in a process of its own, and judges what became of it.

pyblish's own command ends with 0 when plug-ins fail, skips what has another target without a word, and keeps plug-ins
in a global registry. So a child process runs ``plugins/run_publish.py``, and this module asks: were all plug-ins
loaded, was there an instance, did an integrator run for each?
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from understudy.contracts.errors import QualityGateError, RightsError, UnavailableError, UnderstudyError, UsageError
from understudy.share_root import share_root

Event = dict[str, Any]

_INTEGRATOR = 2.5
"""Plug-ins from this order on integrate (pyblish's CVEI)."""

_TRIES = 3
_PATHS = "PYBLISHPLUGINPATH"


@dataclass
class Published:
    """What became of a publish.

    Attributes:
        instances: What pyblish said of each instance at the end.
        findings: What the checks found, as events.
        failures: Plug-ins that failed, as events.
        problems: Sentences about the publish as a whole.
    """

    instances: list[Event] = field(default_factory=list)
    findings: list[Event] = field(default_factory=list)
    failures: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def taken(self) -> bool:
        """Another publisher took the version that was burnt in, and nothing else is wrong."""
        codes = {event["exit_code"] for event in self.failures}
        return codes == {UnavailableError.exit_code} and not self.problems

    @property
    def exit_code(self) -> int:
        """0; 7 where rights refuse it; 5 where a check fails; else what the failed plug-in's command ended with."""
        if any(event["severity"] == "error" and event["family"] in ("packs", "rights") for event in self.findings):
            return RightsError.exit_code
        if any(event["severity"] == "error" for event in self.findings):
            return QualityGateError.exit_code
        codes = [event["exit_code"] or QualityGateError.exit_code for event in self.failures]
        if codes:
            return int(codes[0])
        return UnderstudyError.exit_code if self.problems else 0


def require_pyblish() -> None:
    """Refuses to publish where pyblish is not installed.

    Raises:
        UsageError: It is not.
    """
    if importlib.util.find_spec("pyblish") is None:
        raise UsageError(
            "publishing needs pyblish", where="publish",
            fix='pip install "understudy[publish]"; --check-only, review and integrate work without it',
        )  # fmt: skip


def run_publish(
    source: str,
    root: Path,
    *,
    targets: Sequence[str] = (),
    final: bool = False,
    policy: str = "",
    trust: str = "",
    movies: str = "auto",
    link: bool = False,
    hear: Callable[[Event], None] = lambda _event: None,
) -> Published:
    """Publishes a record, a graph or a folder.

    Args:
        source: What to publish.
        root: The publish root.
        targets: pyblish targets beside ``default``.
        final: For final delivery.
        policy: Path of the show's policy; empty for none.
        trust: Path of the authorities whose signers are trusted; empty for none.
        movies: Which review movies.
        link: Hard links where they can be made.
        hear: Called with each event as it comes.

    Raises:
        UsageError: pyblish is not installed.
        UnderstudyError: pyblish could not run at all.
    """
    require_pyblish()
    data = {
        "understudySource": source,
        "understudyRoot": str(root),
        "understudyFinal": final,
        "understudyPolicy": policy,
        "understudyTrust": trust,
        "understudyMovies": movies,
        "understudyLink": link,
    }
    ours = share_root() / "plugins" / "publish"
    theirs = [path for path in os.environ.get(_PATHS, "").split(os.pathsep) if path]
    paths = list(dict.fromkeys(os.path.realpath(path) for path in (str(ours), *theirs)))
    job = {"paths": paths, "targets": list(targets), "data": data}
    for _ in range(_TRIES):
        published = _run_once(job, hear)
        if not published.taken:
            break
        hear({"event": "retry", "problem": published.failures[0]["problem"]})
    return published


def _run_once(job: dict[str, Any], hear: Callable[[Event], None]) -> Published:
    published = Published()
    integrated: set[str] = set()
    for event in _events(job):
        kind = event["event"]
        if kind == "plugins" and event["not_loaded"]:
            published.problems.append(f"pyblish could not load {', '.join(event['not_loaded'])}")
        elif kind == "plugin" and not event["ok"]:
            published.failures.append(event)
        elif kind == "plugin" and event["order"] is not None and event["order"] >= _INTEGRATOR and event["instance"]:
            integrated.add(event["instance"])
        elif kind == "finding":
            published.findings.append(event)
        elif kind == "instance":
            published.instances.append(event)
        hear(event)
    if not published.instances and not published.failures:
        published.problems.append("no plug-in collected anything")
    if not published.failures:
        left = [event["name"] for event in published.instances if event["name"] not in integrated]
        published.problems += [f"no integrator ran for {name}" for name in left]
    return published


def _events(job: dict[str, Any]) -> Iterator[Event]:
    script = share_root() / "plugins" / "run_publish.py"
    with tempfile.TemporaryDirectory(prefix="understudy-publish-") as folder:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(share_root() / "host_bridge" / "python"), *_python_path()]),
            "UNDERSTUDY_EXECUTABLE": str(_launcher(Path(folder))),
            "TMPDIR": folder,  # what plug-ins leave behind goes with it
        }
        with _child([sys.executable, str(script)], environment) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(job))
            process.stdin.close()
            for line in process.stdout:
                yield json.loads(line)
        if process.returncode:
            raise UnderstudyError(
                f"pyblish could not run (exit code {process.returncode})", fix="what it said stands above"
            )


@contextmanager
def _child(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive us, whatever ends us but a kill."""
    with subprocess.Popen(  # noqa: S603 - our own script, no shell
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment
    ) as process:
        try:
            yield process
        except BaseException:
            process.terminate()
            raise


def _python_path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _launcher(folder: Path) -> Path:
    """A command that starts this very installation, for plug-ins to call."""
    path = folder / "understudy"
    python_path = os.pathsep.join(_python_path())
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH={_quoted(python_path)} exec {_quoted(sys.executable)} -m understudy "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
