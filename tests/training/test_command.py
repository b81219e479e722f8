# SPDX-License-Identifier: Apache-2.0
"""``understudy train``: the real task beats its classical twin in about a minute; what goes wrong is told."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import OpenImageIO as oiio
import pytest
from typer.testing import CliRunner, Result

from understudy.cli.main import app
from understudy.contracts.errors import UnderstudyError

_ROOT = Path(__file__).resolve().parents[2]
_SMALL = (
    *("run.steps=60", "run.warmup_steps=6", "run.cooldown_steps=20", "run.rate=4e-3", "run.validate_steps=60"),
    *("options.factors=[2]", "options.width=16", "options.layers=3", "options.batch=8", "options.size=48"),
)


def _invoke(*arguments: object) -> Result:
    """The command in this process; an error of ours is raised."""
    result = CliRunner().invoke(app, ["train", *map(str, arguments)])
    if isinstance(result.exception, UnderstudyError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute of one idle core
def test_a_minute_of_training_beats_bicubic_on_held_out_pictures(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    changes = [part for setting in _SMALL for part in ("--set", setting)]
    done = _invoke("upscale-small", "--out", tmp_path / "run", "--device", "cpu", "--threads", 1, *changes, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["start", "done"]
    assert events[-1]["psnr_x2"] > events[-1]["baseline_x2"] + 2  # dB; it was 4 when this was written
    result = tomllib.loads((tmp_path / "run" / "result.toml").read_text())
    assert result["steps_done"] == 60

    again = _invoke("upscale-small", "--out", tmp_path / "run", "--device", "cpu", "--threads", 1, *changes, "--json")
    assert json.loads(again.stdout)["event"] == "skipped"


@pytest.mark.torch
def test_a_contact_sheet_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "sheet.png"
    done = _invoke("sharpen", "--sheet", path, "--json")
    event = json.loads(done.stdout)
    read = oiio.ImageBuf(str(path))
    assert (event["width"], event["height"]) == (read.spec().width, read.spec().height)
    assert not read.has_error


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("sharpne",), 3, 'did you mean "sharpen"?'),
        (("sharpen", "--set", "run.stepz=3"), 2, "sharpen.toml: run.stepz"),
        (("sharpen", "--set", "options.widht=3"), 2, "sharpen.toml: options.widht"),
        (("sharpen", "--set", "task=shrpen"), 2, 'did you mean "sharpen"?'),
        (("sharpen", "--pack", "x"), 2, "give --from RUN_DIR too"),
        (("sharpen", "--from", "nowhere", "--pack", "x"), 3, "holds no result.toml"),
        (("sharpen", "--sheet", "x.jpg"), 2, "ends in .png"),
    ],
)
def test_what_is_wrong_is_told(
    arguments: tuple[str, ...], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnderstudyError, match=re.escape(told)) as caught:
        _invoke(*arguments)
    assert caught.value.exit_code == code
    assert list(tmp_path.iterdir()) == []


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from understudy.cli.main import main; main()"
    paths = os.pathsep.join((str(_ROOT / "src"), str(_ROOT / "training")))
    command = [sys.executable, "-c", code, "train", "sharpen", "--out", str(tmp_path / "run")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "training needs torch" in done.stderr
    assert "understudy[train]" in done.stderr
