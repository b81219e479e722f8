# SPDX-License-Identifier: Apache-2.0
"""The benchmark program runs and tells the truth about its own shape; its numbers are not tested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

_PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "run.py"


def test_quick_writes_a_table_and_json(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(_PROGRAM),
        "--quick",
        "--role",
        "upscale",
        "--role",
        "relight",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    cases = json.loads((tmp_path / "bench.json").read_text())["cases"]
    assert [case["role"] for case in cases] == ["upscale", "relight"]
    for case in cases:
        assert case["seconds"] > 0
        assert case["raw_seconds"] > 0
        assert case["turns"] >= 1
        assert case["peak_bytes"] > case["plate_bytes"] > 0
        assert case["role"] in done.stdout


def test_transport_measures_every_way_beside_a_memcpy(tmp_path: Path) -> None:
    command = [sys.executable, str(_PROGRAM.with_name("transport.py")), "--size", "quick", "--turns", "2"]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    cases = {case["way"]: case for case in json.loads((tmp_path / "transport.json").read_text())["cases"]}
    assert cases["memcpy"]["ratio"] == 1.0
    assert {"control", "shm", "shm in place", "stream", "stream, known"} < cases.keys()
    for name, case in cases.items():
        assert 0 < case["least_seconds"] <= case["seconds"]
        assert name in done.stdout


def test_an_unknown_role_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), "--role", "paint", "--out", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "paint" in done.stderr
