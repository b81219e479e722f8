# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from understudy.cli.packs import packs_app
from understudy.contracts.errors import DuplicatePackError, PackNotFoundError, PinMismatchError, RightsError, UsageError
from unit.packs.pack_folders import make_pack
from unit.packs.policies import write_policy

_AS_MOTION = (('role = "upscale"', 'role = "motion"'), ("scales = [1, 2]\n", ""))
_STILL = """\
import numpy as np


class Still:
    def run(self, tensors, call, /):
        zero = np.zeros((*tensors["a"].shape[:2], 2), np.float32)
        return {"forward": zero, "backward": zero}

    def close(self):
        pass


def load(folder):
    return Still()
"""


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(packs_app, [str(argument) for argument in arguments])


def _json(*arguments: str | Path) -> dict[str, Any]:
    result = _run(*arguments, "--json")
    (line,) = result.stdout.splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's own packs, on the search path, holding one sound and one broken pack."""
    make_pack(tmp_path / "packs" / "mine")
    make_pack(tmp_path / "packs" / "broken", edit=(('"acescct"', '"acescc2"'),))
    changed = make_pack(tmp_path / "packs" / "changed", edit=(('id = "mine"', 'id = "changed"'),))
    (changed / "adapter.py").write_text("# other bytes\n")
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", str(tmp_path / "packs"))
    return tmp_path / "packs"


def test_list_tells_the_path_the_packs_and_the_failures(packs: Path) -> None:
    told = _json("list")
    assert told["search_path"][0] == {"kind": "env", "folder": str(packs)}
    assert told["search_path"][-1]["kind"] == "shipped"
    ids = [pack["id"] for pack in told["packs"]]
    assert "mine" in ids
    assert "identity-upscale" in ids
    assert "changed" not in ids
    problems = {Path(failure["path"]).name: failure for failure in told["failures"]}
    assert "acescc2" in problems["broken"]["problem"]
    assert "other bytes" in problems["changed"]["problem"]
    text = _run("list").stdout
    assert text.index(str(packs)) < text.index("shipped")
    assert "failed:" in text


def test_show_finds_by_pin(packs: Path) -> None:
    del packs
    told = _json("show", "mine@1.0.0")
    assert told["manifest"]["contract"]["encoding"] == "acescct"
    assert "encoding: acescct" in _run("show", f"mine@1.0.0#{told['sha256'][:12]}").stdout
    assert isinstance(_run("show", "mine#" + "0" * 12).exception, PinMismatchError)
    missing = _run("show", "mime").exception
    assert isinstance(missing, PackNotFoundError)
    assert "did you mean mine" in str(missing)


def test_pin_writes_hashes(packs: Path) -> None:
    told = _json("pin", packs / "changed")
    assert told["changed"] == ["adapter.py"]
    assert "changed" in [pack["id"] for pack in _json("list")["packs"]]
    assert "right already" in _run("pin", packs / "changed").stdout


def test_check_exits_6_when_a_check_fails(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "still", edit=_AS_MOTION, adapter=_STILL, bom=True)
    sound = _run("check", folder)
    assert sound.exit_code == 0, sound.output
    assert "conforms" in sound.stdout
    (folder / "README.md").unlink()
    failed = _run("check", folder)
    assert failed.exit_code == 6
    assert "there is no README.md" in failed.stdout
    assert _json("check", folder)["passed"] is False
    assert isinstance(_run("check", tmp_path / "gone").exception, PackNotFoundError)


def test_check_asks_the_policy_when_all_else_is_right(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "still", edit=_AS_MOTION, adapter=_STILL, bom=True)
    allowing = write_policy(tmp_path / "allowing.toml", '[packs]\nallow = ["mine"]\n')
    refusing = write_policy(tmp_path / "refusing.toml", "[packs]\nallow = []\n")
    assert _run("check", folder, "--policy", allowing).exit_code == 0
    refused = _run("check", folder, "--policy", refusing)
    assert isinstance(refused.exception, RightsError)
    assert "conforms" in refused.stdout
    (folder / "README.md").unlink()
    assert _run("check", folder, "--policy", refusing).exit_code == 6


def test_add_copies_a_checked_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_pack(tmp_path / "still", edit=_AS_MOTION, adapter=_STILL, bom=True)
    monkeypatch.delenv("UNDERSTUDY_PACK_PATH", raising=False)
    assert isinstance(_run("add", folder).exception, UsageError)
    told = _json("add", folder, "--to", tmp_path / "packs")
    assert told["folder"] == str(tmp_path / "packs" / "mine")
    assert told["on_search_path"] is False
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", str(tmp_path / "packs"))
    assert isinstance(_run("add", folder).exception, DuplicatePackError)
    (folder / "README.md").unlink()
    assert _run("add", folder, "--to", tmp_path / "other").exit_code == 6
    assert not (tmp_path / "other").exists()
