# SPDX-License-Identifier: Apache-2.0
"""The bridge runs a command, here a small fake of it, from inside a host's process."""

import ast
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy_bridge import BridgeError, Progress, command, find_executable, run

_BRIDGE = Path(__file__).resolve().parents[3] / "host_bridge"

Fake = Callable[[str], Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Makes a Python program the ``understudy`` command: ``fake("print('{}')")``."""

    def make(program: str) -> Path:
        path = tmp_path / "understudy"
        path.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{program}\n")
        path.chmod(0o755)
        monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(path))
        return path

    return make


def test_events_come_in_order_and_in_the_calling_thread(fake: Fake) -> None:
    fake("for frame in range(200): print(json.dumps({'event': 'frame', 'frame': frame}), flush=True)")
    heard: list[tuple[int, int]] = []
    events = run(["render", "g.yaml"], on_event=lambda event: heard.append((event["frame"], threading.get_ident())))
    assert [event["frame"] for event in events] == list(range(200))
    assert heard == [(frame, threading.get_ident()) for frame in range(200)]


def test_an_event_is_heard_before_the_command_ends(fake: Fake, tmp_path: Path) -> None:
    go = tmp_path / "go"
    fake(f"print('{{}}', flush=True)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('{{}}')")
    assert run(["render"], on_event=lambda event: go.touch()) == [{}, {}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            ["upscale", "a b.exr", "--scale", "2"], ["upscale", "a b.exr", "--scale", "2", "--json"], id="last"
        ),
        pytest.param(["inspect", "--", "-x.exr"], ["inspect", "--json", "--", "-x.exr"], id="before two dashes"),
    ],
)
def test_json_is_asked_for(fake: Fake, arguments: list[str], expected: list[str]) -> None:
    fake("print(json.dumps({'arguments': sys.argv[1:]}))")
    assert run(arguments) == [{"arguments": expected}]


def test_the_host_s_python_is_not_passed_on(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "SHOW"):
        monkeypatch.setenv(name, "/opt/host")
    fake("print(json.dumps({'kept': [name for name in ('PYTHONHOME', 'PYTHONPATH', 'SHOW') if name in os.environ]}))")
    assert run(["doctor"]) == [{"kept": ["SHOW"]}]


def test_what_is_no_json_object_is_ignored(fake: Fake) -> None:
    fake(
        r"""print('warming up'); print('[1]'); print('3'); print('{"cut'); print(); sys.stdout.buffer.write(b'\xff\n')
print('{"event": "done"}')"""
    )
    assert run(["render"]) == [{"event": "done"}]


def test_a_last_line_without_a_newline_counts(fake: Fake) -> None:
    fake('sys.stdout.write(\'{"event": "done"}\')')
    assert run(["render"]) == [{"event": "done"}]


def test_a_flood_on_stderr_blocks_nothing(fake: Fake) -> None:
    fake("for _ in range(4000): sys.stderr.write('x' * 999 + '\\n')\nprint('{}')")
    assert run(["render"]) == [{}]


def test_the_error_event_is_the_sentence(fake: Fake) -> None:
    error = {"event": "error", "problem": "is truncated", "where": "p.1003.exr", "fix": "render it again"}
    fake(f"print({json.dumps({'event': 'start'})!r}); print({json.dumps(error)!r}); sys.exit(3)")
    with pytest.raises(BridgeError) as caught:
        run(["render"])
    assert str(caught.value) == "p.1003.exr: is truncated; render it again"
    assert caught.value.exit_code == 3
    assert caught.value.events == ({"event": "start"}, error)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        pytest.param(
            "sys.stderr.write('No such option: --scael\\n'); sys.exit(2)", "No such option: --scael", id="stderr"
        ),
        pytest.param("sys.exit(2)", "understudy ended with exit code 2", id="silence"),
        pytest.param("sys.stderr.buffer.write(b'caf\\xe9'); sys.exit(2)", "caf\ufffd", id="not UTF-8"),
        pytest.param(
            "print(json.dumps({'event': 'error', 'problem': 'is a still', 'where': None, 'fix': None})); sys.exit(2)",
            "is a still",
            id="no where, no fix",
        ),
    ],
)
def test_a_failure_has_a_sentence(fake: Fake, program: str, sentence: str) -> None:
    fake(program)
    with pytest.raises(BridgeError) as caught:
        run(["render"])
    assert (str(caught.value), caught.value.exit_code) == (sentence, 2)


def test_the_end_of_a_long_stderr_is_kept(fake: Fake) -> None:
    fake("for n in range(1000): print(n, file=sys.stderr)\nsys.exit(1)")
    with pytest.raises(BridgeError) as caught:
        run(["render"])
    assert str(caught.value).splitlines() == [str(number) for number in range(950, 1000)]


_WAITS = 'print(\'{"event": "start"}\', flush=True)\nwhile True: time.sleep(0.01)'


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="ended by the signal"),
        pytest.param(
            'def stop(*_):\n    print(\'{"event": "error", "problem": "cancelled"}\')\n    sys.exit(130)\n'
            "signal.signal(signal.SIGTERM, stop)",
            id="cleans up",
        ),
        pytest.param("signal.signal(signal.SIGTERM, signal.SIG_IGN)", id="deaf"),
    ],
)
def test_cancel_ends_the_command(fake: Fake, before: str) -> None:
    fake(f"{before}\n{_WAITS}")
    started: list[object] = []
    with pytest.raises(BridgeError, match="cancelled") as caught:
        run(["render"], on_event=started.append, cancelled=lambda: bool(started), poll_s=0.01, grace_s=0.3)
    assert caught.value.exit_code == 130


def test_cancel_is_heard_while_events_pour_in(fake: Fake) -> None:
    fake("while True: print('{}', flush=True)")
    heard: list[object] = []
    with pytest.raises(BridgeError) as caught:
        run(["render"], on_event=heard.append, cancelled=lambda: len(heard) > 10)
    assert caught.value.exit_code == 130


def test_a_command_that_still_finished_is_no_error(fake: Fake) -> None:
    fake('signal.signal(signal.SIGTERM, lambda *_: (print(\'{"event": "done"}\', flush=True), os._exit(0)))\n' + _WAITS)
    started: list[object] = []
    events = run(["render"], on_event=started.append, cancelled=lambda: bool(started), poll_s=0.01)
    assert events[-1] == {"event": "done"}


def test_a_listener_that_raises_ends_the_command(fake: Fake) -> None:
    fake(f"print(json.dumps({{'pid': os.getpid()}}), flush=True)\n{_WAITS}")
    pids: list[int] = []

    def listen(event: dict[str, int]) -> None:
        if "pid" in event:
            pids.append(event["pid"])
            raise LookupError("the node is gone")

    with pytest.raises(LookupError, match="the node is gone"):
        run(["render"], on_event=listen)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_missing_command_says_how_to_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(tmp_path / "nowhere"))
    with pytest.raises(BridgeError, match=r"UNDERSTUDY_EXECUTABLE=.*nowhere is not an executable") as caught:
        run(["doctor"])
    assert caught.value.exit_code is None
    monkeypatch.delenv("UNDERSTUDY_EXECUTABLE")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BridgeError, match="understudy is not on PATH; install understudy"):
        find_executable()


def test_a_command_that_can_t_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "understudy"
    broken.write_text("#!/nowhere/python\n")
    broken.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(broken))
    with pytest.raises(BridgeError, match="can't be started"):
        run(["doctor"])


def test_a_zero_byte_in_an_argument_is_told(fake: Fake) -> None:
    fake("")
    with pytest.raises(BridgeError, match="can't be started"):
        run(["inspect", "a\0b"])


def test_a_bare_host_needs_nothing_installed(fake: Fake) -> None:
    """No site-packages, no environment, and modules of the host that must not be touched."""
    fake('print(\'{"event": "done"}\')')
    host = f"""
import sys, types
class Poisoned(types.ModuleType):
    def __getattr__(self, name):
        raise RuntimeError("the host's " + self.__name__ + " was touched: " + name)
names = ("google", "google.protobuf", "grpc", "numpy", "understudy")
poisoned = {{name: Poisoned(name) for name in names}}
sys.modules.update(poisoned)
sys.path[:0] = [{str(_BRIDGE / "python")!r}]
import understudy_bridge
assert understudy_bridge.run(["doctor"]) == [{{"event": "done"}}]
assert all(sys.modules[name] is poisoned[name] for name in names)
assert not [path for path in sys.path if "site-packages" in path], sys.path
"""
    done = subprocess.run([sys.executable, "-S", "-E", "-c", host], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", sorted(_BRIDGE.rglob("*.py")), ids=lambda path: path.relative_to(_BRIDGE).as_posix())
def test_host_code_is_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    unions = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)]
    postponed = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
    assert postponed or not unions


def test_python_3_9_is_really_checked() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n    case _: pass", feature_version=(3, 9))


@pytest.mark.timeout(60)
def test_a_long_poll_does_not_delay_the_end(fake: Fake) -> None:
    fake("print('{}')")
    assert run(["doctor"], poll_s=3600) == [{}]


def test_a_copy_starts_what_installed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that was started from a desktop has a poor ``PATH``."""
    own, other = tmp_path / "own" / "understudy", tmp_path / "path" / "understudy"
    for path in (own, other):
        path.parent.mkdir()
        path.touch(0o755)
    monkeypatch.setattr(command, "_NOTE", tmp_path / "executable.txt")
    monkeypatch.delenv("UNDERSTUDY_EXECUTABLE", raising=False)
    monkeypatch.setenv("PATH", str(other.parent))
    assert find_executable() == str(other), "no note"
    (tmp_path / "executable.txt").write_text(f"{own}\n")
    assert find_executable() == str(own)
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(other))
    assert find_executable() == str(other), "who sets the variable means it"
    monkeypatch.delenv("UNDERSTUDY_EXECUTABLE")
    own.unlink()
    assert find_executable() == str(other), "what installed it is gone"


def test_progress_runs_from_nothing_to_all() -> None:
    progress = Progress()
    events: list[tuple[dict[str, object], float]] = [
        ({"event": "start", "frames": 2}, 0),
        ({"event": "step", "done": 1, "total": 4}, 0.125),
        ({"event": "step", "done": 1, "total": 8}, 0.125),
        ({"event": "step", "done": 9, "total": 8}, 0.5),
        ({"event": "frame", "done": 1, "total": 2}, 0.5),
        ({"event": "step", "done": 1, "total": 2}, 0.75),
        ({"event": "frame", "done": 2, "total": 2}, 1),
    ]
    for event, share in events:
        assert progress.hear(event)
        assert progress.share == share
    assert progress.text == "2 of 2 frames"


@pytest.mark.parametrize(
    "event", [{}, {"event": "warning"}, {"event": "frame"}, {"event": "step", "done": None, "total": 1}, {"event": []}]
)
def test_other_events_are_no_progress(event: dict[str, object]) -> None:
    progress = Progress()
    assert not progress.hear(event)
    assert progress.share == 0
