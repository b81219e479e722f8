# SPDX-License-Identifier: Apache-2.0
"""The whole plug-in under AddressSanitizer and UndefinedBehaviorSanitizer."""

import subprocess
import sys
from pathlib import Path

import pytest

from ofx.rig import Service, environment_with

pytestmark = [pytest.mark.ofx, pytest.mark.slow, pytest.mark.timeout(900)]  # it builds everything once more
_HERE = Path(__file__).parent


def library(name: str) -> str:
    """Where the compiler has a run-time library; its bare name where it has none."""
    return subprocess.run(
        ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_everything_runs_clean_under_sanitizers(sanitized_build: Path, service: Service) -> None:
    runtime = library("libasan.so")
    if not Path(runtime).is_absolute():
        pytest.skip("needs the compiler's libasan")
    paths = (str(_HERE.parent), str(_HERE.parents[1] / "src"))
    done = subprocess.run(
        [
            sys.executable,
            _HERE / "exercise.py",
            sanitized_build / "Understudy.ofx.bundle" / "Contents" / "Linux-x86-64" / "Understudy.ofx",
            service.address,
        ],
        env=environment_with(
            LD_PRELOAD=f"{runtime} {library('libstdc++.so.6')}",  # it looks for the latter's functions when it starts
            ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=1",  # Python keeps what it has until it ends
            UBSAN_OPTIONS="print_stacktrace=1",
            PYTHONPATH=":".join(paths),
            PYTHONMALLOC="malloc",
        ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert "runtime error" not in done.stderr
    assert done.stdout.endswith("all done\n")
