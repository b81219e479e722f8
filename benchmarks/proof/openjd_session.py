# SPDX-License-Identifier: Apache-2.0
"""A job bundle in `openjd run`, and what its log says of when things happened."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

_LINE = re.compile(r"^(\d+):(\d\d):(\d\d\.\d+)\t(.*)$")


@dataclass(slots=True)
class Session:
    """When the parts of a session began and ended, seconds from its start.

    Attributes:
        tasks: How long each task took, in order.
        entered: How long the service took to start.
        left: How long it took to stop.
    """

    tasks: list[float] = field(default_factory=list)
    entered: float = 0.0
    left: float = 0.0


def command_file(folder: Path) -> Path:
    """The command ``understudy`` as a worker has it, on this Python."""
    path = folder / "understudy"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m understudy "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def write_bundle(graph: Path, folder: Path, *options: str) -> None:
    """Has `understudy submit` write a bundle."""
    command = [sys.executable, "-m", "understudy", "submit", str(graph), "--to", "openjd", "--out", str(folder)]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)


def run_command(bundle: Path, understudy: Path, *options: str) -> list[str]:
    """The command line of `openjd run` for a bundle."""
    values = (f"file://{bundle}/openjd_parameters.yaml", f"Understudy={understudy}")
    given = [word for value in values for word in ("-p", value)]
    return [sys.executable, "-m", "openjd", "run", str(bundle / "template.yaml"), *given, *options]


def run(bundle: Path, understudy: Path, environment: Mapping[str, str], *options: str) -> Session:
    """Runs a bundle to its end.

    Raises:
        RuntimeError: It failed; the text is its log.
    """
    done = subprocess.run(
        run_command(bundle, understudy, *options),
        capture_output=True,
        text=True,
        env=os.environ | dict(environment),
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return read_log(done.stdout)


def read_log(text: str) -> Session:
    """What a log with relative times says."""
    session, began, what = Session(), 0.0, ""
    for line in text.splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        now = timedelta(hours=int(match[1]), minutes=int(match[2]), seconds=float(match[3])).total_seconds()
        said = match[4]
        if said.startswith("--------- "):
            began, what = now, said.removeprefix("--------- ")
        elif said.startswith("Process pid"):
            if what == "Running Task":
                session.tasks.append(now - began)
            elif what == "Entering Environment: Service":
                session.entered = now - began
            elif what == "Exiting Environment: Service":
                session.left = now - began
    return session
