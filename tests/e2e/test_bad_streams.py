# SPDX-License-Identifier: Apache-2.0
"""The command line when what is around it breaks: readers that leave, streams that are closed, paths that can't be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNDERSTUDY = [sys.executable, "-m", "understudy"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def _run(*words: str, **how: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*UNDERSTUDY, *words], capture_output=True, text=True, env=_environment(), **how)  # type: ignore[call-overload]


@pytest.mark.parametrize("words", [["packs", "list"], ["packs", "list", "--json"]])
def test_a_reader_that_leaves_is_no_error(words: list[str]) -> None:
    """``| head -0``: the pipe is closed before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*UNDERSTUDY, *words], stdout=writing, stderr=subprocess.PIPE, text=True, env=_environment(), check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_stdout_does_not_hide_the_error() -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *UNDERSTUDY, "render", "/no/such.yaml", "--json"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=_environment(), check=False)
    assert done.returncode == 3
    assert done.stderr == "understudy: /no/such.yaml: there is no such graph; check the path\n"


def test_an_endless_name_is_told_in_short() -> None:
    done = _run("upscale", "x" * 100_000 + ".exr", "out.exr", "--json")
    assert done.returncode == 3
    assert len(done.stderr) < 10_000
    assert json.loads(done.stdout)["exit_code"] == 3


def test_an_empty_output_is_not_the_working_folder(tmp_path: Path) -> None:
    done = _run("upscale", "in.exr", "", cwd=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "no output was named" in done.stderr


def test_a_light_frame_that_is_no_number() -> None:
    done = _run("relight", "in.exr", "out.exr", "--light-frame=--5")
    assert done.returncode == 2
    assert "'--5' is no frame" in done.stderr
