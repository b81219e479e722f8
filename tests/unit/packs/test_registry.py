# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from understudy.contracts.errors import (
    DuplicatePackError,
    PackError,
    PackNotFoundError,
    PinMismatchError,
    UsageError,
)
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.packs import Registry, open_pack, parse_pin
from understudy.packs.pins import version_key
from unit.packs.pack_folders import make_pack


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        pytest.param("dis-best", PackPin(id="dis-best"), id="id"),
        pytest.param("dis-best@1.2.0", PackPin(id="dis-best", version="1.2.0"), id="version"),
        pytest.param("x@1.0.0-rc.1", PackPin(id="x", version="1.0.0-rc.1"), id="pre-release"),
        pytest.param("x@1.0.0#" + "AB" * 32, PackPin(id="x", version="1.0.0", sha256="ab" * 32), id="digest"),
        pytest.param("x#0123456789ab", PackPin(id="x", sha256="0123456789ab"), id="short digest"),
    ],
)
def test_pins_are_read(text: str, pin: PackPin) -> None:
    assert parse_pin(text) == pin


@pytest.mark.parametrize("text", ["", "Bad Id", "x@", "x#abc", "x#" + "a" * 65, "x@1 0", "../x"])
def test_bad_pins_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="pack:"):
        parse_pin(text)


def test_versions_are_in_semantic_order() -> None:
    order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.1"]
    order += ["1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0"]
    backward = order[::-1]
    assert sorted(backward, key=version_key) == order


def _with_version(tmp_path: Path, version: str) -> Path:
    return make_pack(tmp_path / version, edit=(('version = "1.0.0"', f'version = "{version}"'),))


def test_the_highest_version_is_taken_and_a_pinned_one_is_honored(tmp_path: Path) -> None:
    packs = [open_pack(_with_version(tmp_path, version)) for version in ("1.10.0", "1.9.0", "2.0.0-rc.1")]
    registry = Registry().with_packs(*packs)
    assert registry.find(PackPin(id="mine")).version == "2.0.0-rc.1"
    assert registry.find(PackPin(id="mine", version="1.9.0")).version == "1.9.0"
    with pytest.raises(
        PackNotFoundError, match=r"no version 3\.0\.0 of mine; there is 1\.9\.0, 1\.10\.0, 2\.0\.0-rc\.1"
    ):
        registry.find(PackPin(id="mine", version="3.0.0"))


def test_a_digest_must_match(tmp_path: Path) -> None:
    pack = open_pack(make_pack(tmp_path / "mine"))
    registry = Registry().with_packs(pack)
    assert registry.find(pack.pin) is pack
    assert registry.find(PackPin(id="mine", sha256=pack.digest[:12])) is pack
    for wrong in ("0" * 64, pack.digest[:11]):
        with pytest.raises(PinMismatchError, match="not the pinned"):
            registry.find(PackPin(id="mine", sha256=wrong))


def test_what_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    registry = Registry().with_packs(open_pack(make_pack(tmp_path / "mine")))
    with pytest.raises(PackNotFoundError, match='no pack "mien"; did you mean mine'):
        registry.find(PackPin(id="mien"))
    with pytest.raises(PackNotFoundError, match="the packs for upscale: mine"):
        registry.find(PackPin(id="zzz"), Role.UPSCALE)
    with pytest.raises(PackNotFoundError, match="there are no packs for motion"):
        registry.find(PackPin(id="zzz"), Role.MOTION)
    with pytest.raises(PackError, match="mine is a pack for upscale, not for motion; packs for motion: none"):
        registry.find(PackPin(id="mine"), Role.MOTION)


def test_duplicates_are_refused_and_nothing_is_half_added(tmp_path: Path) -> None:
    first = open_pack(make_pack(tmp_path / "one"))
    second = open_pack(make_pack(tmp_path / "two"))
    other = open_pack(_with_version(tmp_path, "3.0.0"))
    registry = Registry().with_packs(first)
    with pytest.raises(DuplicatePackError) as caught:
        registry.with_packs(other, second)
    assert "one" in str(caught.value)
    assert "two" in str(caught.value)
    assert len(registry) == 1
    assert len(registry.with_packs(first)) == 1
