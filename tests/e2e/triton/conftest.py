# SPDX-License-Identifier: Apache-2.0
"""The real tritonclient in an environment of its own, and a real service for it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.triton.environment import client_python
from own_environment import NotInstalledError

Run = Callable[..., str]


@pytest.fixture(scope="session")
def triton_python() -> Path:
    """A Python that has tritonclient."""
    try:
        return client_python()
    except NotInstalledError as error:
        pytest.skip(f"tritonclient can't be installed: {error}")


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of ``understudy serve``, a process of its own."""
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("w") as stream:
        command = [sys.executable, "-m", "understudy", "serve", "--port", "0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        yield json.loads(line)["address"]
        process.terminate()
        assert process.wait(60) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def run(triton_python: Path) -> Run:
    """Runs a script there; what it printed."""

    def script(path: Path, *arguments: str, python_path: str = "") -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        if python_path:
            environment["PYTHONPATH"] = python_path
        command = [str(triton_python), "-W", "error::UserWarning", str(path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return script
