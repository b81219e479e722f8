# SPDX-License-Identifier: Apache-2.0
import errno
import shutil
from pathlib import Path

import pytest

from understudy.contracts.errors import DuplicatePackError, OutputError, PackError
from understudy.packs import discover, install_pack, open_pack
from unit.packs.pack_folders import make_pack


def test_what_the_pack_declares_is_copied_and_nothing_else(tmp_path: Path) -> None:
    source = make_pack(tmp_path / "source")
    (source / "secret.key").write_text("no")
    (source / "LICENSE").write_text("terms")
    added = install_pack(open_pack(source), tmp_path / "mine", discover())
    assert added.folder == tmp_path / "mine" / "mine"
    assert added.digest == open_pack(source).digest
    assert sorted(path.name for path in added.folder.iterdir()) == ["LICENSE", "README.md", "adapter.py", "pack.toml"]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["mine"]


def test_a_second_version_gets_its_own_folder(tmp_path: Path) -> None:
    target = tmp_path / "packs"
    install_pack(open_pack(make_pack(tmp_path / "one")), target, discover())
    two = open_pack(make_pack(tmp_path / "two", edit=(('"1.0.0"', '"1.1.0"'),)))
    assert install_pack(two, target, discover((target,))).folder == target / "mine-1.1.0"


def test_duplicates_and_changed_bytes_are_refused(tmp_path: Path) -> None:
    source = make_pack(tmp_path / "source")
    target = tmp_path / "packs"
    install_pack(open_pack(source), target, discover())
    with pytest.raises(DuplicatePackError, match=r"mine@1\.0\.0 is already there"):
        install_pack(open_pack(source), target, discover((target,)))
    (source / "adapter.py").write_text("other")
    with pytest.raises(PackError, match="other bytes"):
        install_pack(open_pack(source), tmp_path / "elsewhere", discover())
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="No space left"):
        install_pack(open_pack(make_pack(tmp_path / "source")), tmp_path / "packs", discover())
    assert list((tmp_path / "packs").iterdir()) == []
