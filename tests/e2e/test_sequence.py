# SPDX-License-Identifier: Apache-2.0
"""The sequence benchmark runs and compares what it says; its numbers are not tested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

_PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "sequence.py"


def test_every_way_is_compared_with_the_engine_in_process(tmp_path: Path) -> None:
    command = [sys.executable, str(_PROGRAM), "--quick", "--case", "light", "--clients", "2"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "s.json")], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "s.json").read_text())["cases"]
    assert set(row["seconds"]) == {"here", "shared-memory", "stream"}
    assert set(row["ratios"]) == {"shared-memory", "stream"}
    assert all(value > 0 for value in (*row["seconds"].values(), *row["ratios"].values()))
    assert "identity-relight" in done.stdout
