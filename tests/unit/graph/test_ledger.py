# SPDX-License-Identifier: Apache-2.0
"""The ledger: knows files by path, size, time and inode, and is never needed."""

import os
import sqlite3
import time
from pathlib import Path

import pytest
from blake3 import blake3

from understudy.contracts.errors import MissingFileError
from understudy.graph.ledger import Ledger, on_network_disk


def _settled(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    old = time.time_ns() - 10_000_000_001
    os.utime(path, ns=(old, old))
    return path


def _digest(data: bytes) -> str:
    return blake3(data).hexdigest()[:32]


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, ledger = _settled(tmp_path / "a", b"one"), tmp_path / "ledger.sqlite"
    first = Ledger(ledger)
    assert first.contents([file]) == {file: _digest(b"one")}
    first.close()

    def refuse(_path: Path) -> str:
        raise AssertionError("it was read again")

    monkeypatch.setattr("understudy.graph.ledger._content", refuse)
    assert Ledger(ledger).contents([file]) == {file: _digest(b"one")}


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file, ledger = _settled(tmp_path / "a", b"one"), Ledger(tmp_path / "ledger.sqlite")
    ledger.contents([file])
    _settled(file, b"two")
    assert ledger.contents([file]) == {file: _digest(b"two")}


def test_a_file_that_may_still_change_is_not_remembered(tmp_path: Path) -> None:
    file, ledger = tmp_path / "a", Ledger(tmp_path / "ledger.sqlite")
    file.write_bytes(b"one")
    now = time.time_ns()
    os.utime(file, ns=(now, now))
    ledger.contents([file])
    file.write_bytes(b"two")
    os.utime(file, ns=(now, now))  # same size, same time, same inode
    assert ledger.contents([file]) == {file: _digest(b"two")}


def test_keys_hold_for_the_bytes_they_were_told_of(tmp_path: Path) -> None:
    file, ledger = _settled(tmp_path / "a", b"one"), Ledger(tmp_path / "ledger.sqlite")
    ledger.contents([file])
    ledger.rendered(file, "k")
    assert ledger.keys([file, tmp_path / "gone"]) == {file: "k"}
    assert ledger.contents([file]) == {file: _digest(b"one")}
    time.sleep(0.02)
    file.write_bytes(b"two")
    assert ledger.keys([file]) == {}


@pytest.mark.parametrize("kind", ["broken", "folder", "read-only", "none"])
def test_works_without_its_file(kind: str, tmp_path: Path) -> None:
    place: Path | None = tmp_path / "ledger.sqlite"
    assert place is not None
    if kind == "broken":
        place.write_bytes(b"this is no database, and long enough to be taken for one" * 40)
    elif kind == "folder":
        place.mkdir()
    elif kind == "read-only":
        (tmp_path / "file").write_text("")
        place = tmp_path / "file" / "ledger.sqlite"
    else:
        place = None
    ledger, file = Ledger(place), _settled(tmp_path / "a", b"one")
    assert ledger.contents([file]) == {file: _digest(b"one")}
    ledger.rendered(file, "k")
    assert ledger.keys([file]) == {file: "k"}
    if kind == "broken":
        with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
            assert database.execute("SELECT key FROM file").fetchall() == [("k",)]
        database.close()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        Ledger(None).contents([tmp_path / "gone"])


def test_knows_network_disks(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb /home/local xfs rw 0 0\n")
    assert on_network_disk(Path("/home/ann/.cache"), mounts)
    assert not on_network_disk(Path("/home/local/ann"), mounts)
    assert not on_network_disk(Path("/var/tmp"), mounts)
