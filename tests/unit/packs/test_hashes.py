# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest

from understudy.contracts.errors import ManifestError, PackError
from understudy.packs import open_pack, write_hashes
from unit.packs.pack_folders import make_pack


def test_hashes_are_written_and_all_else_stays(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine", pin=False)
    before = (folder / "pack.toml").read_text()
    assert write_hashes(folder) == ("adapter.py",)
    after = (folder / "pack.toml").read_text()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert len(added) == 1
    assert added[0].startswith("sha256 = ")
    assert after.replace(added[0] + "\n", "") == before
    open_pack(folder).verify()
    assert write_hashes(folder) == ()


def test_a_changed_file_is_refused_until_it_is_pinned(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine")
    open_pack(folder).verify()
    (folder / "adapter.py").write_text("def load(folder): return 1")
    with pytest.raises(PackError) as caught:
        open_pack(folder).verify()
    assert "adapter.py" in str(caught.value)
    assert "understudy packs pin" in str(caught.value)
    assert write_hashes(folder) == ("adapter.py",)
    open_pack(folder).verify()


def test_weights_are_hashed_each_beside_its_file(tmp_path: Path) -> None:
    weights = (
        '[[weights]]\nfile = "a.dat"\n\n[[weights]]  # second\nsha256 = \'old\'  # was\nfile = "b.dat"\n\n[contract]'
    )
    folder = make_pack(tmp_path / "mine", edit=(("[contract]", weights),), pin=False)
    (folder / "a.dat").write_bytes(b"a")
    (folder / "b.dat").write_bytes(b"b")
    write_hashes(folder)
    assert "[[weights]]  # second" in (folder / "pack.toml").read_text()
    assert '"  # was' in (folder / "pack.toml").read_text()
    pack = open_pack(folder)
    pack.verify()
    assert len(pack.files()) == 3


def test_line_endings_stay(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine", pin=False)
    text = (folder / "pack.toml").read_bytes().replace(b"\n", b"\r\n")
    (folder / "pack.toml").write_bytes(text)
    write_hashes(folder)
    after = (folder / "pack.toml").read_bytes()
    assert after.count(b"\n") == after.count(b"\r\n") == text.count(b"\n") + 1


def test_a_layout_that_can_not_be_edited_is_left_alone(tmp_path: Path) -> None:
    edit = (('[runtime]\nkind = "python"\nfile = "adapter.py"  # the code\n', ""), ('id = "mine"', _INLINE))
    folder = make_pack(tmp_path / "mine", edit=edit, pin=False)
    before = (folder / "pack.toml").read_bytes()
    with pytest.raises(ManifestError, match=r'or paste: adapter\.py: sha256 = "'):
        write_hashes(folder)
    assert (folder / "pack.toml").read_bytes() == before


_INLINE = 'id = "mine"\nruntime = { kind = "python", file = "adapter.py" }'


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine", pin=False)
    (folder / "adapter.py").unlink()
    with pytest.raises(ManifestError, match=r'no file "adapter\.py"'):
        write_hashes(folder)


def test_a_same_sized_change_at_the_same_second_is_seen(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine", adapter="x = 1\n")
    open_pack(folder).verify()
    stamp = (folder / "adapter.py").stat().st_mtime_ns
    (folder / "adapter.py").write_text("x = 2\n")
    os.utime(folder / "adapter.py", ns=(stamp + 1, stamp + 1))
    with pytest.raises(PackError, match="other bytes"):
        open_pack(folder).verify()
