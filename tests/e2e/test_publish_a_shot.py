# SPDX-License-Identifier: Apache-2.0
"""The guide "A shot, from its plate to a version that can be checked", typed from its page."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.plate import Plate, Window
from understudy.frames.write import WriteOptions, write_plate

_GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "publish-a-shot.md"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not _GUIDE.is_file(), reason="docs/ is not beside these tests"),
    pytest.mark.skipif(not (importlib.util.find_spec("pyblish") and importlib.util.find_spec("c2pa")), reason="extra"),
    pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl"),
]


def write_jpegs(folder: Path) -> None:
    """Three frames of a soft moving pattern, as a camera might give them."""
    texture = np.random.default_rng(5).random((12, 16, 3)).astype(np.float32).repeat(6, 0).repeat(6, 1)
    for _ in range(3):
        texture = ((texture + np.roll(texture, 1, 0) + np.roll(texture, 1, 1)) / 3).astype(np.float32)
    window = Window(0, 0, 96, 72)
    for index in range(3):
        plate = Plate(
            pixels=np.ascontiguousarray(np.roll(texture, 2 * index, 1)),
            channels=("R", "G", "B"),
            sample_types=("uint8",) * 3,
            data_window=window,
            display_window=window,
            colorspace="sRGB Encoded Rec.709 (sRGB)",
        )
        write_plate(plate, folder / f"sh010.{1001 + index}.jpg", WriteOptions(compression="100"))


def test_every_command_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    write_jpegs(tmp_path / "jpg")
    for name in ("understudy", "python"):
        (tmp_path / name).write_text(
            f'#!/bin/sh\nexec "{sys.executable}" {"-m understudy " * (name != "python")}"$@"\n'
        )
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    text = _GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(yaml|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 13
    for kind, block in blocks:
        if kind == "yaml":
            (tmp_path / block.partition("\n")[0].removeprefix("# ")).write_text(block)
            continue
        commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
        told = [line for line in block.splitlines() if not line.startswith("$ ")]
        refused = any(line.startswith("error") or "is not the one" in line for line in told)
        for command in commands:
            done = subprocess.run(
                ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
            )
            wanted = 5 if refused and command == commands[-1] else 0
            assert done.returncode == wanted, f"{command}\n{done.stdout}{done.stderr}"
        assert all(line in done.stdout for line in told), f"{block}\n{done.stdout}"
    assert (tmp_path / "published/sh010/v001/mlbom").is_dir()
