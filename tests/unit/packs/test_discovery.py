# SPDX-License-Identifier: Apache-2.0
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.contracts.jobs import PackPin
from understudy.packs import discovery
from understudy.packs.discovery import discover
from understudy.share_root import share_root
from unit.packs.pack_folders import make_pack


class _Entry:
    name, value = "studio", "studio_packs:folder"

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def load(self) -> Callable[[], object]:
        return self._function


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of shipped packs, empty; nothing of the user's is on the path."""
    root = tmp_path_factory.mktemp("share")
    (root / "models").mkdir()
    monkeypatch.delenv("UNDERSTUDY_PACK_PATH", raising=False)
    monkeypatch.setattr(discovery, "entry_points", lambda group: [])
    monkeypatch.setattr(discovery, "share_root", lambda: root)
    return root / "models"


def test_the_search_order_is_given_env_entry_points_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path
) -> None:
    for name in "abcd":
        (tmp_path / name).mkdir()
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", os.pathsep.join([str(tmp_path / "b"), "", str(tmp_path / "c")]))
    monkeypatch.setattr(discovery, "entry_points", lambda group: [_Entry(lambda: str(tmp_path / "d"))])
    path = discover((tmp_path / "a",)).search_path
    assert [kind for kind, _ in path] == ["given", "env", "env", "entry-point", "shipped"]
    assert [folder for _, folder in path] == [*(tmp_path / name for name in "abcd"), shipped]


def test_the_leftmost_wins_and_the_later_one_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = make_pack(tmp_path / "left" / "mine"), make_pack(tmp_path / "right" / "mine")
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", f"{left.parent}{os.pathsep}{right.parent}")
    found = discover()
    assert found.registry.find(PackPin(id="mine")).folder == left
    (failure,) = found.failures
    assert failure.path == str(right)
    assert str(left) in failure.problem


def test_one_folder_reached_twice_is_no_duplicate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_pack(tmp_path / "packs" / "mine")
    (tmp_path / "link").symlink_to(tmp_path / "packs")
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", os.pathsep.join([str(tmp_path / "packs"), str(tmp_path / "link")]))
    assert discover((folder,)).failures == ()


def test_a_broken_pack_hides_no_other(tmp_path: Path) -> None:
    make_pack(tmp_path / "good")
    make_pack(tmp_path / "broken", edit=(('"acescct"', '"acescc2"'),))
    (tmp_path / "forgotten").mkdir()
    (tmp_path / "forgotten" / "net.onnx").write_bytes(b"")
    (tmp_path / "unrelated").mkdir()
    make_pack(tmp_path / "_template", edit=(('id = "mine"', 'id = "template"'),))
    found = discover((tmp_path,))
    assert found.registry.find(PackPin(id="mine")).folder == tmp_path / "good"
    assert sorted(Path(failure.path).name for failure in found.failures) == ["broken", "forgotten"]
    broken, forgotten = sorted(found.failures, key=lambda failure: failure.path)
    assert 'did you mean "acescct"?' in broken.fix
    assert "contract.encoding" in broken.problem
    assert "no pack.toml" in forgotten.problem


def test_a_missing_folder_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", str(tmp_path / "gone"))
    (failure,) = discover().failures
    assert failure.path == str(tmp_path / "gone")
    assert "No such file" in failure.problem
    assert "UNDERSTUDY_PACK_PATH" in failure.fix


def test_entry_points_name_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pack(tmp_path / "mine")

    def broken() -> object:
        raise RuntimeError("no luck")

    monkeypatch.setattr(discovery, "entry_points", lambda group: [_Entry(broken), _Entry(lambda: tmp_path)])
    found = discover()
    assert found.registry.find(PackPin(id="mine")).source == "entry-point"
    (failure,) = found.failures
    assert failure.path == "entry point studio (studio_packs:folder)"
    assert "RuntimeError: no luck" in failure.problem


def test_all_shipped_packs_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "share_root", share_root)
    found = discover()
    assert found.failures == ()
    roles = {pack.role for pack in found.registry if pack.id.startswith("identity-")}
    assert len(roles) == 4


def test_an_unknown_user_in_the_path_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_PACK_PATH", "~nobody-of-that-name/packs")
    assert any("~nobody-of-that-name" in failure.path for failure in discover().failures)
