# SPDX-License-Identifier: Apache-2.0
"""A pack from a run: what is written, and what is refused."""

import hashlib
import json
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from understudy.cli.main import app
from understudy.contracts.errors import QualityGateError, UnderstudyError, UsageError
from understudy.packs import open_pack
from understudy_training.generator_version import generator_version
from understudy_training.loop import RunOptions, train
from understudy_training.recipe import read_recipe, recipe_folder

pytestmark = pytest.mark.torch

_MANIFEST = """# SPDX-License-Identifier: Apache-2.0
schema = "understudy.pack/1"
id = "sharpen"
version = "1.0.0"
role = "upscale"
title = "Sharpen"
description = "For tests."

[runtime]
kind = "onnx"
file = "model.onnx" # written by the training command

[contract]
channels = 1
encoding = "plate"
scales = [1.0]
radius = 2

[license]
declared = "Apache-2.0"
concluded = "Apache-2.0"

[training]
basis = "unknown"
evidence = "self-declared"

[rights]
evidence = []
supplier = "Nobody"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(read_recipe("sharpen", ["run.rate=4e-3"]), folder, RunOptions("cpu"))
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A copy of the recipe: the command corrects it."""
    return Path(shutil.copy(recipe_folder() / "sharpen.toml", tmp_path))


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "pack.toml").write_text(_MANIFEST)
    (folder / "README.md").write_text("# Sharpen\n\n## Measured\n\nBy hand.\n\n## Limits\n\nMany.\n")
    return folder


def _invoke(*arguments: object) -> Sequence[str]:
    result = CliRunner().invoke(app, ["train", *map(str, arguments)])
    if isinstance(result.exception, UnderstudyError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_run_becomes_a_pack_with_all_that_backs_it(run: Path, recipe: Path, pack: Path) -> None:
    events = [json.loads(line) for line in _invoke(recipe, "--from", run, "--pack", pack, "--json")]
    assert [event["event"] for event in events] == ["graph", "written"]
    assert 0 < events[0]["parity"] <= events[0]["tolerance"]

    opened = open_pack(pack)
    opened.verify()
    model = hashlib.sha256((pack / "model.onnx").read_bytes()).hexdigest()
    assert opened.manifest.runtime.sha256 == model
    assert opened.manifest.training.basis == "synthetic"
    assert opened.manifest.rights.evidence == ("sharpen.toml",)
    assert opened.info().rights_record == "agrees"

    evidence = tomllib.loads((pack / "sharpen.toml").read_text())
    result = tomllib.loads((run / "result.toml").read_text())
    assert {key: evidence[key] for key in result} == result
    assert evidence["graphs"]["model"]["sha256"] == model
    assert 0.5 < evidence["measured"]["auroc_of_change"] < 1
    assert evidence["generator"] == generator_version("sharpen")

    assert (pack / "sparsification.svg").read_text().startswith("<svg")
    card = (pack / "README.md").read_text()
    assert card.index("By hand.") < card.index("| score |") < card.index("## Limits")
    bom = json.loads((pack / "pack.cdx.json").read_text())
    figures = bom["components"][0]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert "score" in {figure["type"] for figure in figures}

    shipped = read_recipe(str(recipe))
    assert shipped.generator == evidence["generator"]
    assert shipped.run.rate == 4e-3
    assert shipped.made["score"] == result["validation"]["score"]
    assert "# The smallest recipe" in recipe.read_text()

    before = {path.name: path.read_bytes() for path in pack.iterdir()}
    _invoke(recipe, "--from", run, "--pack", pack)
    assert {path.name: path.read_bytes() for path in pack.iterdir()} == before


def test_the_corrected_recipe_gives_the_same_weights_again(run: Path, recipe: Path, pack: Path, tmp_path: Path) -> None:
    _invoke(recipe, "--from", run, "--pack", pack)
    events = [json.loads(line) for line in _invoke(recipe, "--out", tmp_path / "again", "--device", "cpu", "--json")]
    assert {"event": "reproduced", "difference": 0.0, "within": True} in events
    weights = (run / "best.safetensors").read_bytes()
    assert (tmp_path / "again" / "best.safetensors").read_bytes() == weights

    recipe.write_text(recipe.read_text().replace("[made]\nscore = ", "[made]\nscore = 1"))
    with pytest.raises(QualityGateError, match="differs from the shipped one"):
        _invoke(recipe, "--out", tmp_path / "again", "--device", "cpu")


def test_a_graph_that_differs_from_torch_is_refused(run: Path, recipe: Path, pack: Path) -> None:
    with pytest.raises(QualityGateError, match="differs from torch"):
        _invoke(recipe, "--from", run, "--pack", pack, "--set", "tolerance.parity=1e-12")
    assert sorted(path.name for path in pack.iterdir()) == ["README.md", "pack.toml"]


def test_a_run_of_other_options_is_refused(run: Path, recipe: Path, pack: Path) -> None:
    with pytest.raises(UsageError, match=r"options\.width = 4, and the recipe says 8"):
        _invoke(recipe, "--from", run, "--pack", pack, "--set", "options.width=8")


def test_weights_with_other_bytes_are_refused(run: Path, recipe: Path, pack: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    weights = copy / "best.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UsageError, match="other bytes"):
        _invoke(recipe, "--from", copy, "--pack", pack)


def test_a_folder_without_a_manifest_is_refused(run: Path, recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UnderstudyError, match=r"pack\.toml"):
        _invoke(recipe, "--from", run, "--pack", tmp_path)


def test_an_unfinished_run_is_refused(recipe: Path, pack: Path, tmp_path: Path) -> None:
    with pytest.raises(UnderstudyError, match=r"result\.toml") as caught:
        _invoke(recipe, "--from", tmp_path, "--pack", pack)
    assert caught.value.exit_code == 3
