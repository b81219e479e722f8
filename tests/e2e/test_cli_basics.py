# SPDX-License-Identifier: Apache-2.0
"""What holds for every command: help at once, the version, usage errors."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import understudy

pytestmark = pytest.mark.e2e

_PACKAGE = Path(understudy.__file__).parents[1]
_COMMANDS = [
    "cache",
    "conform",
    "curve",
    "demo",
    "doctor",
    "env",
    "estimate",
    "inspect",
    "install",
    "integrate",
    "interpolate",
    "motion",
    "packs",
    "provenance",
    "publish",
    "relight",
    "render",
    "review",
    "serve",
    "session",
    "submit",
    "tokens",
    "train",
    "upscale",
]
_HEAVY = [
    "cv2",
    "google",
    "grpc",
    "numpy",
    "onnxruntime",
    "OpenEXR",
    "OpenImageIO",
    "pydantic",
    "PyOpenColorIO",
    "torch",
]


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the interpreter with the package under test, in a wide terminal without color."""
    environment = os.environ | {"PYTHONPATH": str(_PACKAGE), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


def _cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _python("-m", "understudy", *arguments)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_command_and_the_exit_codes(option: str) -> None:
    done = _cli(option)
    assert (done.returncode, done.stderr) == (0, "")
    commands = done.stdout.partition("Commands:")[2]
    assert sorted(re.findall(r"^  (\w+)  ", commands, re.MULTILINE)) == _COMMANDS
    assert "2 usage, 3 input missing or unreadable" in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = _cli(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"understudy {command}" in done.stdout


def test_the_command_line_is_light() -> None:
    """Help must answer at once, so nothing heavy is loaded before a command runs."""
    code = f"import sys, understudy.cli.main; print([name for name in {_HEAVY!r} if name in sys.modules])"
    done = _python("-c", code)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_the_light_modules_would_be_seen() -> None:
    done = _python("-c", f"import sys, numpy; print([name for name in {_HEAVY!r} if name in sys.modules])")
    assert done.stdout.strip() == "['numpy']"


def test_version() -> None:
    done = _cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"understudy {understudy.__version__}\n", "")


def test_no_command_shows_help() -> None:
    done = _cli()
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["upscael"], "No such command 'upscael'", id="unknown command"),
        pytest.param(["packs", "lst"], "No such command 'lst'", id="unknown subcommand"),
        pytest.param(["upscale", "a.exr", "b.exr", "--scael", "2"], "No such option: --scael", id="unknown option"),
        pytest.param(["upscale", "a.exr"], "Missing argument 'OUT'", id="missing argument"),
        pytest.param(["upscale", "a.exr", "b.exr", "--tile", "big"], "Invalid value for '--tile'", id="not a number"),
    ],
)
def test_a_usage_error_exits_2_with_a_sentence(arguments: list[str], complaint: str) -> None:
    done = _cli(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_exits_3(tmp_path: Path) -> None:
    done = _cli("upscale", str(tmp_path / "plate.%04d.exr"), str(tmp_path / "out.%04d.exr"))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.strip().startswith(f"understudy: {tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    """As with ``understudy doctor --colorspaces | head -1``."""
    environment = os.environ | {"PYTHONPATH": str(_PACKAGE)}
    command = [sys.executable, "-m", "understudy", "doctor", "--colorspaces"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_installed_version_is_the_package_s() -> None:
    try:
        installed = version("understudy")
    except ModuleNotFoundError:
        pytest.skip("needs understudy installed")
    assert installed == understudy.__version__
