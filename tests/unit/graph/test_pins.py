# SPDX-License-Identifier: Apache-2.0
"""Which pack each node of a graph gets."""

from dataclasses import replace
from typing import Any

import pytest

from understudy.contracts.engine import EngineInfo, PackInfo
from understudy.contracts.errors import (
    PackError,
    PackNotFoundError,
    PinMismatchError,
    RightsError,
    UnderstudyError,
    UsageError,
)
from understudy.contracts.jobs import PackPin
from understudy.graph.document import Graph, Lock
from understudy.graph.parsing import parse_graph
from understudy.graph.pins import DEFAULT_PACKS, pin_packs


def _pack(name: str, role: str, version: str = "1.0.0", draft: str = "") -> PackInfo:
    pin = PackPin(id=name, version=version, sha256="ab" * 32)
    return PackInfo(pin=pin, role=role, title="", description="", draft=draft, source="", manifest={})


ENGINE = EngineInfo(
    version="0",
    device="cpu",
    packs=(
        *(_pack(name, role.value) for role, name in DEFAULT_PACKS.items()),
        _pack("fine", "upscale", "2.0.0-rc.2", draft="coarse"),
        _pack("fine", "upscale", "2.0.0-rc.10", draft="coarse"),
        _pack("coarse", "upscale"),
    ),
)


def _graph(**node: Any) -> Graph:
    nodes = {"a": {"type": "read", "file": "a.%04d.exr"}, "n": {"input": "a", **node}}
    return parse_graph({"schema": "understudy.graph/1", "nodes": nodes})


def test_nodes_without_a_pack_get_the_default_one_and_a_retime_its_vectors_too() -> None:
    pinned = pin_packs(_graph(type="interpolate", speed=2), ENGINE, draft=False)
    assert {name: pack.pin.id for name, pack in pinned.items()} == {"n": "flow-projection", "n.motion": "dis-good"}


@pytest.mark.parametrize("draft", [False, True])
def test_a_draft_takes_the_stand_in(draft: bool) -> None:  # noqa: FBT001
    for graph in (_graph(type="upscale", pack="fine", quality="draft"), _graph(type="upscale", pack="fine")):
        wanted = "coarse" if draft or graph.nodes["n"].quality == "draft" else "fine"
        assert pin_packs(graph, ENGINE, draft=draft)["n"].pin.id == wanted


def test_the_highest_version_is_the_one_of_semantic_versioning() -> None:
    assert pin_packs(_graph(type="upscale", pack="fine"), ENGINE, draft=False)["n"].pin.version == "2.0.0-rc.10"


def test_a_refused_pack_is_refused_and_nothing_takes_its_place() -> None:
    packs = tuple(replace(pack, refused="not here") if pack.pin.id == "coarse" else pack for pack in ENGINE.packs)
    engine = replace(ENGINE, packs=packs)
    for draft, name in ((False, "coarse"), (True, "fine")):
        with pytest.raises(RightsError, match=r"nodes\.n\.pack: not here"):
            pin_packs(_graph(type="upscale", pack=name), engine, draft=draft)
    assert pin_packs(_graph(type="upscale", pack="fine"), engine, draft=False)["n"].pin.id == "fine"


@pytest.mark.parametrize("digest", ["ab" * 32, "AB" * 6])
def test_a_pin_holds_whatever_its_case(digest: str) -> None:
    assert pin_packs(_graph(type="upscale", pack=f"coarse#{digest}"), ENGINE, draft=False)["n"].pin.id == "coarse"


@pytest.mark.parametrize(
    ("pack", "error", "says"),
    [
        pytest.param("corse", PackNotFoundError, "did you mean coarse", id="unknown"),
        pytest.param("coarse@3.0.0", PackNotFoundError, "there is 1.0.0", id="version"),
        pytest.param("dis-good", PackError, "is a pack for motion, not for upscale", id="role"),
        pytest.param("coarse#" + "0" * 64, PinMismatchError, "not the pinned", id="digest"),
        pytest.param("coarse#ab", UsageError, "12 to 64 digits", id="too short to pin anything"),
        pytest.param("Coarse Pack", UsageError, "names no pack", id="no pin"),
    ],
)
def test_a_wrong_pin_names_its_node(pack: str, error: type[UnderstudyError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        pin_packs(_graph(type="upscale", pack=pack), ENGINE, draft=False)
    assert caught.value.where == "nodes.n.pack"


def _locked(*packs: str, **node: Any) -> Graph:
    return _graph(**node).model_copy(update={"lock": Lock(packs=packs)})


def test_a_lock_leaves_no_other_pack_to_choose() -> None:
    digest = "ab" * 32
    older = _locked(f"fine@2.0.0-rc.2#{digest}", type="upscale", pack="fine")
    assert pin_packs(older, ENGINE, draft=False)["n"].pin.version == "2.0.0-rc.2"
    both = _locked(f"fine@2.0.0-rc.2#{digest}", f"coarse@1.0.0#{digest}", type="upscale", pack="fine")
    assert pin_packs(both, ENGINE, draft=True)["n"].pin.id == "coarse"
    with pytest.raises(PackNotFoundError, match='no pack "coarse"'):
        pin_packs(older, ENGINE, draft=True)


@pytest.mark.parametrize(
    ("pin", "error"), [("fine@2.0.0-rc.2#" + "cd" * 32, PinMismatchError), ("gone@1.0.0#" + "ab" * 32, PackError)]
)
def test_a_locked_pack_that_is_not_there_is_no_reason_for_another(pin: str, error: type[UnderstudyError]) -> None:
    with pytest.raises(error):
        pin_packs(_locked(pin, type="upscale", pack="fine"), ENGINE, draft=False)


def test_a_lock_takes_no_part_in_the_digest() -> None:
    assert _locked("fine@2.0.0-rc.2", type="upscale").digest == _graph(type="upscale").digest
