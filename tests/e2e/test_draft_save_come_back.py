# SPDX-License-Identifier: Apache-2.0
"""The guide "Draft, save, come back", typed on two machines with folders, caches and packs of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shots import write_plates

_ROOT = Path(__file__).parents[2]
_GUIDE = _ROOT / "docs" / "guides" / "draft-save-come-back.md"

FINALS = [f"sh010.{frame}.exr" for frame in range(1001, 1005)]
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not _GUIDE.is_file(), reason="docs/ is not beside these tests")]


def write_pack(folder: Path, version: str) -> None:
    """A show's own pack: Lanczos under another name."""
    shutil.copytree(_ROOT / "models" / "lanczos", folder)
    manifest = folder / "pack.toml"
    text = manifest.read_text().replace('id = "lanczos"', 'id = "house-sharp"')
    manifest.write_text(text.replace('version = "1.0.0"', f'version = "{version}"'))
    (folder / "pack.cdx.json").unlink(missing_ok=True)


def machine(folder: Path) -> dict[str, str]:
    """The environment of a machine."""
    own = {
        "UNDERSTUDY_PACK_PATH": str(folder / "packs"),
        "UNDERSTUDY_LEDGER": str(folder / "ledger.sqlite"),
        "UNDERSTUDY_CACHE": str(folder / "cache"),
    }
    return os.environ | own | {"PATH": f"{folder.parent}:{os.environ['PATH']}"}


def test_every_command_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "understudy").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m understudy "$@"\n')
    (tmp_path / "understudy").chmod(0o755)
    home, away = tmp_path / "home", tmp_path / "away"
    write_plates(home / "plate", 3)
    for plate in list((home / "plate").iterdir()):
        plate.rename(plate.with_name(plate.name.replace("plate", "sh010")))
    write_pack(home / "packs" / "house-sharp", "1.0.0")
    write_pack(away / "packs" / "house-sharp", "1.1.0")
    here, there = _GUIDE.read_text(encoding="utf-8").split("## On another machine")
    drafts = run(here, home)
    shutil.move(home / "plate", away / "plate")
    shutil.move(home / "sh010.session", away)
    assert run(there, away) == drafts
    assert len(drafts) == 4
    assert sorted(path.name for path in (away / "final" / "out").glob("*.exr")) == sorted([*drafts, *FINALS])


def run(text: str, folder: Path) -> dict[str, bytes]:
    """Types the commands of a page; the drafts that are there afterwards."""
    for kind, block in re.findall(r"^```(yaml|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if kind == "yaml":
            (folder / block.partition("\n")[0].removeprefix("# ")).write_text(block)
            continue
        lines = block.splitlines()
        commands = [line[2:] for line in lines if line.startswith("$ ")]
        told = [line for line in lines if not line.startswith(("$ ", "error: "))]
        code = next((int(line.split()[-1]) for line in lines if line.startswith("error: ")), 0)
        output = ""
        for command in commands:
            done = subprocess.run(
                ["sh", "-c", command], cwd=folder, env=machine(folder), capture_output=True, text=True, timeout=300
            )
            wanted = code if command == commands[-1] else 0
            assert done.returncode == wanted, f"{command}\n{done.stdout}{done.stderr}"
            output += done.stdout
        assert all(line in output for line in told), f"{block}\n{output}"
    return {path.name: path.read_bytes() for path in (folder / "out").glob("*.draft.*.exr")}
