# SPDX-License-Identifier: Apache-2.0
"""The guide's commands, as they stand, one after the other in one folder."""

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from typer.testing import CliRunner

from understudy.cli.main import app
from understudy.packs import open_pack
from understudy_training.__main__ import main
from understudy_training.loop import RunOptions, train
from understudy_training.recipe import read_recipe, recipe_folder
from understudy_training.result import read_result

pytestmark = pytest.mark.torch
_GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "train.md"


def test_the_guide_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not _GUIDE.is_file():
        pytest.skip("docs/ is not beside these tests")
    text = _GUIDE.read_text(encoding="utf-8")
    files = {
        found[1]: found[0] for found in re.findall(r"^```toml\n(# ([\w.]+)\n.*?)^```$", text, re.DOTALL | re.MULTILINE)
    }
    lines = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", str(tmp_path))
    recipe = tmp_path / "sharpen.toml"  # --from corrects the recipe, which must not be the one of this tree
    recipe.write_bytes((recipe_folder() / "sharpen.toml").read_bytes())
    pack = tmp_path / "sharpen"
    pack.mkdir()
    (pack / "pack.toml").write_text(files["pack.toml"])

    ran = 0
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "understudy":
            given = ["train", str(recipe), *words[3:]] if words[1:3] == ["train", "sharpen"] else words[1:]
            result = CliRunner().invoke(app, given)
            assert result.exit_code == 0, (line, result.output, result.exception)
            ran += 1
        elif "-m" in words:
            assert main([*words[words.index("-m") + 2 :], "--device", "cpu"]) == 0
            ran += 1
    assert ran == 5
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert {path.name for path in (tmp_path / "runs" / "sharpen").iterdir()} == {
        *("recipe.toml", "log.jsonl", "best.safetensors", "last.safetensors", "result.toml")
    }
    assert open_pack(pack).manifest.rights.evidence == ("sharpen.toml",)

    (tmp_path / "sharpen-wide.toml").write_text(files["recipe.toml"])
    own = read_recipe("sharpen-wide.toml", ["run.steps=60"])
    train(own, tmp_path / "own", RunOptions("cpu"))
    assert read_result(tmp_path / "own")["recipe"] == "sharpen-wide"
