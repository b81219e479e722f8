# SPDX-License-Identifier: Apache-2.0
"""``packs add FILE`` and ``packs export`` as people and scripts call them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from understudy.cli.packs import packs_app
from understudy.contracts.errors import PackError, UsageError
from unit.interop import models


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(packs_app, [str(argument) for argument in arguments])


def test_a_model_is_added_told_of_and_listed_with_what_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs = tmp_path / "packs"
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", str(packs))
    path = models.write(tmp_path / "Sharp Doubler.onnx", models.doubler())
    told = _run("add", path)
    assert told.exit_code == 0
    assert "added sharp-doubler@1.0.0#" in told.stdout
    assert "badge red: nobody concluded under which license it stands (NOASSERTION)" in told.stdout
    assert f"edit {packs / 'sharp-doubler'}/pack.toml: license, training basis" in told.stdout
    assert [found.name for found in packs.iterdir()] == ["sharp-doubler"]
    listed = json.loads(_run("list", "--json").stdout)
    (row,) = [pack for pack in listed["packs"] if pack["id"] == "sharp-doubler"]
    assert (row["license"], row["training"], row["badge"]) == ("NOASSERTION", "unknown", "red")
    again = _run("add", path)
    assert "is already there" in str(again.exception)


def test_json_tells_what_was_found_and_a_model_of_noise_exits_6(tmp_path: Path) -> None:
    from unit.runtimes.onnx_models import network

    path = models.write(tmp_path / "noise.onnx", network())
    told = _run("add", path, "--to", tmp_path / "packs", "--id", "noise-x2", "--json")
    assert told.exit_code == 6
    event = json.loads(told.stdout)
    assert (event["event"], event["role"], event["on_search_path"]) == ("added", "upscale", False)
    assert {failure["check"] for failure in event["failures"]} >= {"rights", "constant"}
    assert (tmp_path / "packs" / "noise-x2" / "pack.toml").is_file()


def test_a_bad_file_adds_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    told = _run("add", tmp_path / "text.onnx", "--to", tmp_path / "packs")
    assert isinstance(told.exception, PackError)
    told = _run("add", tmp_path / "none.onnx", "--to", tmp_path / "packs")
    assert "there is no such file" in str(told.exception)
    assert not (tmp_path / "packs").exists()


def test_export_writes_both_files_and_tells_the_difference(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    told = _run("export", "identity-onnx-upscale", tmp_path / "out", "--to", "flame", "--scale", "2", "--json")
    event = json.loads(told.stdout)
    assert (event["event"], event["scale"], event["license"]) == ("exported", 2, "Apache-2.0")
    assert event["difference"] < 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.onnx"]
    other = _run("export", "identity-onnx-upscale", tmp_path / "out", "--to", "houdini")
    assert isinstance(other.exception, UsageError)
    assert "choose flame or torchscript" in str(other.exception)
