# SPDX-License-Identifier: Apache-2.0
"""Drafts from the command line: of each role, and the same bytes by a service, whoever reads and writes the files."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.plate import Plate, Window
from understudy.frames.header import read_header
from understudy.frames.write import write_plate

pytestmark = pytest.mark.e2e
UNDERSTUDY = [sys.executable, "-m", "understudy"]
DATA, DISPLAY = Window(-5, -3, 111, 83), Window(0, 0, 101, 77)
LIGHTS = '{"schema": "understudy.lights/1", "lights": [{"type": "directional", "direction": [0, 0.6, 0.8]}]}'

COMMANDS = {
    "motion": [],
    "interpolate": ["--at", "1001.5", "--motion-pack", "dis-good"],
    "upscale": ["--scale", "3/2", "--pack", "bicubic-back-projection"],
    "relight": ["--lights", "LIGHTS", "--pack", "shape-from-shading"],
}


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames of a texture that moves, with odd windows."""
    folder = tmp_path_factory.mktemp("shot")
    (folder / "lights.json").write_text(LIGHTS)
    texture = np.kron(np.random.default_rng(1).random((21, 28, 3)), np.ones((4, 4, 1))).astype(np.float32)
    for index in range(2):
        plate = Plate(
            pixels=np.ascontiguousarray(np.roll(texture, 2 * index, 1)[: DATA.height, : DATA.width]),
            channels=("R", "G", "B"),
            sample_types=("half",) * 3,
            data_window=DATA,
            display_window=DISPLAY,
            colorspace="ACEScg",
        )
        write_plate(plate, folder / f"plate.{1001 + index}.exr")
    return folder


@pytest.fixture(scope="module")
def address(shot: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that may read the shot and write beside it."""
    config = shot / "service.toml"
    folders = json.dumps([str(tmp_path_factory.getbasetemp())])
    config.write_text(f'schema = "understudy.service/1"\n[files]\nread = {folders}\nwrite = {folders}\n')
    command = [*UNDERSTUDY, "serve", "--config", str(config), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"]
    finally:
        process.kill()
        process.communicate()


def _draft(shot: Path, role: str, out: Path, *more: str) -> dict[str, bytes]:
    out.mkdir()
    name = "r.exr" if role == "interpolate" else "r.%04d.exr"
    given = [str(shot / "lights.json") if word == "LIGHTS" else word for word in COMMANDS[role]]
    command = [*UNDERSTUDY, role, str(shot / "plate.%04d.exr"), str(out / name), *given, "--draft", "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.exr"))}


@pytest.mark.parametrize("role", COMMANDS)
def test_a_draft_is_the_same_wherever_it_is_computed(role: str, shot: Path, address: str, tmp_path: Path) -> None:
    here = _draft(shot, role, tmp_path / "here")
    names = ["r.draft.exr"] if role == "interpolate" else ["r.draft.1001.exr", "r.draft.1002.exr"]
    assert list(here) == names
    header = read_header(tmp_path / "here" / names[0])
    scale = (3, 2) if role == "upscale" else (1, 1)
    assert header.metadata["understudy:draft"] == "1"
    assert header.display_window == Window(0, 0, -(-101 * scale[0] // scale[1]), -(-77 * scale[0] // scale[1]))
    assert _draft(shot, role, tmp_path / "stream", "--server", address, "--transport", "stream") == here
    assert _draft(shot, role, tmp_path / "files", "--server", address, "--transport", "files") == here
