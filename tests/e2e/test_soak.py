# SPDX-License-Identifier: Apache-2.0
"""The soak in short: a real service, real clients that are killed, every answer checked bit for bit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"


def test_nothing_is_wrong_lost_crossed_or_leaked(tmp_path: Path) -> None:
    command = [sys.executable, str(_PROGRAM), "--quick", "--out", str(tmp_path / "soak.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "soak.json").read_text())
    assert report["violations"] == []
    outcomes = report["outcomes"]
    assert sum(outcomes.values()) == 306
    assert outcomes["right"] > 250
    assert report["kills"] == 2
    assert outcomes["killed"] >= 2
    assert "nothing wrong" in done.stdout
