# SPDX-License-Identifier: Apache-2.0
"""The guide "Run the service for a studio", command after command as a reader types them."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate

pytestmark = pytest.mark.e2e
_ROOT = Path(__file__).parents[2]
_GUIDE = _ROOT / "docs" / "guides" / "studio-service.md"
_UNIT = _ROOT / "examples" / "systemd" / "understudy.service"

if not _GUIDE.is_file():
    pytest.skip("docs/ is not beside these tests", allow_module_level=True)


def _blocks(language: str) -> list[str]:
    text = _GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def _commands() -> list[str]:
    return [line[2:] for block in _blocks("console") for line in block.splitlines() if line.startswith("$ ")]


@contextmanager
def _serving(command: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout.readline().startswith("serving on "), command
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.close()
        assert process.wait(30) == 0, command


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("openssl", "curl", "cmp")), reason="openssl, curl or cmp is missing"
)
def test_every_command_works(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.normal(0.5, 2, (90, 160, 4)).astype(np.float16).astype(np.float32)
    plate = blank_plate(pixels, ["R", "G", "B", "A"], colorspace="ACEScg", sample_type="half", frame=1001)
    write_plate(plate, tmp_path / "plate.1001.exr")
    ports = dict(zip(("7433", "7434", "7443", "7444"), map(str, _free_ports(4)), strict=True))

    def here(text: str) -> str:
        return re.sub("|".join(ports), lambda found: ports[found.group()], text)

    (configuration,) = _blocks("toml")
    (tmp_path / "service.toml").write_text(here(configuration))
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    with ExitStack() as services:
        for command in map(here, _commands()):
            if command.startswith("sudo "):
                continue
            if command.startswith("understudy serve "):
                services.enter_context(_serving(command, tmp_path, environment))
            elif command.startswith("export "):
                environment |= dict(pair.split("=", 1) for pair in command.split()[1:])
            else:
                done = subprocess.run(
                    ["bash", "-o", "pipefail", "-c", command],
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=120,
                )
                assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_the_unit_is_sound(tmp_path: Path) -> None:
    unit = tmp_path / _UNIT.name
    unit.write_text(_UNIT.read_text().replace("/opt/understudy/bin/understudy", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
