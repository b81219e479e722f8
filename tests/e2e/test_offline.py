# SPDX-License-Identifier: Apache-2.0
"""A machine with no network but its own loopback: the service serves, renders finish, and nobody tries to get out."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.test_serve import shot
from understudy.frames.write import write_plate

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_SCRIPT = """
set -e
ip link set lo up
"$PYTHON" -m understudy serve --json --port 0 --status 127.0.0.1:0 > "$FOLDER/said" 2> "$FOLDER/log" &
service=$!
for _ in $(seq 600); do [ -s "$FOLDER/said" ] && break; sleep 0.1; done
address=$("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$FOLDER/said")
"$PYTHON" -m understudy upscale "$FOLDER/plate.%04d.exr" "$FOLDER/up.%04d.exr" --pack lanczos --json --server "$address"
kill "$service"
wait "$service"
"""
_CALL = re.compile(r"\b(?:connect|sendto|sendmsg)\(.*sa_family=AF_(INET6?),(.*)")
_LOOPBACK = re.compile(r'inet_addr\("127.|inet_pton\(AF_INET6, "(?:::1|::ffff:127.[0-9.]+)"')


def alone(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command in a network namespace of its own."""
    return subprocess.run(
        ["unshare", "-rn", *command],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, **environment},
    )


def may_be_alone() -> bool:
    return all(map(shutil.which, ("unshare", "ip"))) and alone("ip", "link", "set", "lo", "up").returncode == 0


@pytest.mark.skipif(not may_be_alone(), reason="needs to make a network namespace (unshare -rn)")
def test_serve_and_render_need_no_network(tmp_path: Path) -> None:
    for frame in range(2):
        write_plate(shot(frame), tmp_path / f"plate.{1001 + frame}.exr")
    traced = shutil.which("strace") is not None
    trace = (
        ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=connect,sendto,sendmsg"] if traced else []
    )
    done = alone(*trace, "sh", "-c", _SCRIPT, PYTHON=sys.executable, FOLDER=str(tmp_path))
    assert done.returncode == 0, (done.stdout, done.stderr, (tmp_path / "log").read_text())
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "done"
    assert len(list(tmp_path.glob("up.*.exr"))) == 2
    if traced:
        calls = [line for line in (tmp_path / "trace").read_text(errors="replace").splitlines() if _CALL.search(line)]
        assert calls  # the client did connect to the service
        assert [line for line in calls if not _LOOPBACK.search(line)] == []
