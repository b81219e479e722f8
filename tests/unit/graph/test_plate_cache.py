# SPDX-License-Identifier: Apache-2.0
"""The cache of plates: what comes back is what was put in; damage, disks and other processes cost nothing but time."""

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from understudy.contracts.errors import UsageError
from understudy.contracts.plate import Plate, Sanitized, Storage, Window, blank_plate
from understudy.graph.plate_cache import Entry, PlateCache, default_cache, plate_facts

_PLENTY = 10**9


def _plate(seed: int = 1, side: int = 16) -> Plate:
    pixels = np.random.default_rng(seed).normal(0, 100, (side, side * 2, 2)).astype(np.float32)
    return blank_plate(pixels, ("forward.u", "forward.v"), colorspace="Raw", frame=1001)


def _entry(seed: int = 1, side: int = 16) -> Entry:
    return Entry(plates={"a": _plate(seed, side)}, facts={"seed": seed})


def _seed(cache: PlateCache, key: str) -> int | None:
    entry = cache.get(key)
    return None if entry is None else int(entry.facts["seed"])


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    pixels = (
        np.random.default_rng(1).integers(0, 2**32, (3, 5, 4), np.uint32).view(np.float32)
    )  # uint channels: any bits
    plate = Plate(
        pixels=pixels,
        channels=("R", "G", "B", "id.U"),
        sample_types=("half", "float", "half", "uint"),
        data_window=Window(-2, 7, 5, 3),
        display_window=Window(0, 0, 4, 4),
        pixel_aspect=2.0,
        frame=-3,
        colorspace="ACEScg",
        premultiplied=False,
        metadata={"z": "é\ud800", "a": (1, 2), "f": (0.1, 1e300), "n": 7, "x": 0.1, "whole": 1.0},
        storage=Storage(container="dpx", compression="", colorspace="x", aces_container=True),
        sanitized=Sanitized(nan=3, inf=4),
    )
    still = replace(_plate(), frame=None)
    facts: dict[str, Any] = {"report": {"db": 0.1 + 0.2, "many": [1, 2.0, None, True]}, "warnings": ["a"]}
    cache = PlateCache(tmp_path / "cache", _PLENTY)
    assert cache.get("k") is None
    assert cache.put("k", Entry(plates={"b": plate, "a": still}, facts=facts))
    found = PlateCache(tmp_path / "cache", _PLENTY).get("k")
    assert found is not None
    assert found.facts == facts
    assert list(found.plates) == ["b", "a"]
    for name, before in (("b", plate), ("a", still)):
        after = found.plates[name]
        assert after.pixels.tobytes() == before.pixels.tobytes()
        assert not after.pixels.flags.writeable
        assert plate_facts(after) == plate_facts(before)
        assert [type(value) for value in after.metadata.values()] == [type(v) for v in before.metadata.values()]
        assert list(after.metadata) == list(before.metadata)
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["short", "empty", "flipped", "header", "other"])
def test_a_damaged_entry_is_none_and_goes(tmp_path: Path, damage: str) -> None:
    cache = PlateCache(tmp_path, _PLENTY)
    cache.put("k", _entry())
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "short":
        content = content[:-1]
    elif damage == "empty":
        content = bytearray()
    elif damage == "flipped":
        content[-100] ^= 1
    elif damage == "header":
        content[60] ^= 1
    else:
        content = bytearray(b"something else that lies there")
    path.write_bytes(content)
    assert cache.get("k") is None
    assert list(tmp_path.iterdir()) == []
    assert cache.put("k", _entry(2))
    assert _seed(cache, "k") == 2


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    PlateCache(tmp_path, _PLENTY).put("0", _entry(0))
    size = next(tmp_path.iterdir()).stat().st_size
    for number in range(1, 4):
        PlateCache(tmp_path, _PLENTY).put(str(number), _entry(number))
    for number in range(4):
        os.utime(tmp_path / f"{number}.plate", (1000 + number, 1000 + number))
    assert _seed(PlateCache(tmp_path, _PLENTY), "0") == 0  # now the last used
    assert PlateCache(tmp_path, 4 * size + size // 2).put("new", _entry(9))
    assert {path.stem for path in tmp_path.iterdir()} == {"0", "2", "3", "new"}


def test_a_job_larger_than_the_budget_keeps_a_part(tmp_path: Path) -> None:
    cache = PlateCache(tmp_path / "one", _PLENTY)
    cache.put("0", _entry(0))
    size = cache.used()[1]
    cache = PlateCache(tmp_path / "two", 5 * size)
    kept = [cache.put(str(number), _entry(number)) for number in range(9)]
    assert kept == [True] * 5 + [False] * 4
    assert cache.used() == (5, 5 * size)
    again = PlateCache(tmp_path / "two", 5 * size)
    assert [_seed(again, str(number)) for number in range(9)] == [0, 1, 2, 3, 4, None, None, None, None]
    assert not PlateCache(tmp_path / "three", size - 1).put("0", _entry(0))


def test_a_full_disk_keeps_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = PlateCache(tmp_path, _PLENTY)
    cache.put("old", _entry(1))

    def full(_path: Path) -> Any:
        return SimpleNamespace(total=10**12, used=10**12, free=0)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", full)
        assert not cache.put("k", _entry(2))

    def no_room(*_args: Any, **_how: Any) -> Any:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", no_room)
        assert not cache.put("k", _entry(2))
    assert [path.name for path in tmp_path.iterdir()] == ["old.plate"]
    assert _seed(cache, "old") == 1


def test_a_folder_that_can_not_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = PlateCache(tmp_path / "file" / "cache", _PLENTY)
    assert not cache.put("k", _entry())
    assert cache.get("k") is None
    assert cache.used() == (0, 0)


_WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from test_plate_cache import _entry, _seed
from understudy.graph.plate_cache import PlateCache
for turn in range(3):
    cache = PlateCache(Path(sys.argv[1]), int(sys.argv[2]))
    for number in range(30):
        found = _seed(cache, str(number))
        assert found in (None, number), found
        if found is None:
            cache.put(str(number), _entry(number, side=24))
"""


def test_several_processes_share_it(tmp_path: Path) -> None:
    budget = 100_000  # of 30 entries of 9 kB a third: they evict what others read
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "cache"), str(budget), str(Path(__file__).parent)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    cache = PlateCache(tmp_path / "cache", budget)
    assert 0 < cache.used()[1] <= budget * 1.5
    assert not list((tmp_path / "cache").glob(".*"))
    count, _ = cache.clear()
    assert count > 0
    assert cache.used() == (0, 0)


def test_where_it_lies_and_how_large_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path / "c"))
    cache = default_cache()
    assert cache is not None
    assert cache.folder == tmp_path / "c"
    assert 0 < cache.budget <= 20_000_000_000
    monkeypatch.setenv("UNDERSTUDY_CACHE_GB", "1.5")
    assert (one := default_cache()) is not None
    assert one.budget == 1_500_000_000
    assert (two := default_cache(2)) is not None
    assert two.budget == 2_000_000_000
    assert default_cache(0) is None
    monkeypatch.setenv("UNDERSTUDY_CACHE_GB", "0")
    assert default_cache() is None
    monkeypatch.setenv("UNDERSTUDY_CACHE_GB", "much")
    with pytest.raises(UsageError, match="gigabytes"):
        default_cache()
    monkeypatch.delenv("UNDERSTUDY_CACHE_GB")
    monkeypatch.delenv("UNDERSTUDY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert (mine := default_cache()) is not None
    assert mine.folder == tmp_path / "understudy" / "plates"
