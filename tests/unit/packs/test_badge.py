# SPDX-License-Identifier: Apache-2.0
"""Every branch of the badge rule."""

import tomllib

import pytest

from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import PackManifest
from understudy.packs.badge import badge_of
from understudy.packs.policy import ShowPolicy
from unit.packs.pack_folders import MANIFEST
from unit.packs.policies import policy

GOOD = {"retains_inputs": "no", "trains_on_inputs": "no"}
PIN = PackPin(id="mine", version="1.0.0", sha256="ab" * 32)


def manifest(terms="Apache-2.0", basis="none", evidence="not-applicable", kind="python", **rights) -> PackManifest:
    raw = tomllib.loads(MANIFEST)
    raw["runtime"] |= {"kind": kind, "sha256": "0" * 64}
    raw["license"]["concluded"] = terms
    raw["training"] = {"basis": basis, "evidence": evidence}
    raw["rights"] = {**GOOD, **rights}
    return PackManifest.model_validate(raw)


BASES = ("own", "licensed", "public-domain", "synthetic")


@pytest.mark.parametrize(
    ("given", "color", "reason"),
    [
        ({}, "green", "it never learned, so no training data has rights in it"),
        *[({"basis": basis, "evidence": "contract"}, "green", "by contract") for basis in BASES],
        *[({"basis": basis, "evidence": "audited"}, "green", "by audit") for basis in (*BASES, "none")],
        *[({"basis": basis, "evidence": "self-declared"}, "amber", "its author's word alone") for basis in BASES],
        *[({"basis": basis, "evidence": "not-applicable"}, "amber", "its author's word alone") for basis in BASES],
        ({"evidence": "self-declared"}, "amber", "that it never learned is its author's word alone"),
        *[({"basis": b, "evidence": "audited"}, "red", "no show approved it") for b in ("scraped", "unknown")],
        ({"terms": "CC-BY-NC-4.0"}, "red", "CC-BY-NC-4.0, does not allow commercial use"),
        ({"terms": "LicenseRef-Acme"}, "red", "nobody said whether"),
        ({"terms": "LicenseRef-Acme", "commercial_use": "yes"}, "green", "allows commercial use"),
        ({"commercial_use": "no"}, "red", "does not allow commercial use"),
        ({"terms": "NOASSERTION", "commercial_use": "yes"}, "red", "nobody concluded"),
        ({"terms": "NONE"}, "red", "nobody concluded"),
        ({"retains_inputs": "yes"}, "red", "it keeps what it is given"),
        ({"trains_on_inputs": "yes"}, "red", "it trains on what it is given"),
        ({"retains_inputs": "unknown"}, "amber", "does not say whether it keeps"),
        ({"trains_on_inputs": "unknown"}, "amber", "does not say whether it trains on"),
        ({"retains_inputs": "unknown", "trains_on_inputs": "unknown", "kind": "onnx"}, "green", "it does not keep"),
        ({"retains_inputs": "yes", "kind": "onnx"}, "red", "it keeps what it is given"),
    ],
)
def test_color_and_reason_without_a_policy(given, color, reason):
    badge = badge_of(manifest(**given), "agrees")
    assert badge.color == color
    assert any(reason in text for text in badge.reasons), badge.reasons


@pytest.mark.parametrize(("record", "color"), [("agrees", "green"), ("missing", "amber"), ("differs", "red")])
def test_the_rights_record_counts(record, color):
    assert badge_of(manifest(), record).color == color


def approving(pack: str) -> ShowPolicy:
    return policy(f'[[packs.approvals]]\npack = "{pack}"\nby = "Jo"\ndate = 2026-11-02\n')


@pytest.mark.parametrize("basis", ["unknown", "scraped"])
@pytest.mark.parametrize(
    ("pack", "color"),
    [
        ("mine", "amber"),
        ("mine@1.0.0", "amber"),
        ("mine@1.0.0#" + "ab" * 6, "amber"),
        ("mine@1.0.1", "red"),
        ("mine@1.0.0#" + "ac" * 6, "red"),
        ("other", "red"),
    ],
)
def test_an_approval_makes_an_unknown_basis_amber(basis, pack, color):
    badge = badge_of(manifest(basis=basis, evidence="self-declared"), "agrees", approving(pack), pin=PIN)
    assert badge.color == color
    assert ("Jo approved it on 2026-11-02" in badge.reasons[0]) == (color == "amber")


def test_an_approval_mends_nothing_else():
    assert badge_of(manifest(terms="CC-BY-NC-4.0"), "agrees", approving("mine"), pin=PIN).color == "red"
    assert badge_of(manifest(retains_inputs="yes"), "agrees", approving("mine"), pin=PIN).color == "red"


@pytest.mark.parametrize(
    ("rules", "color"),
    [
        ("", "green"),
        ('[packs]\nallow = ["mine"]\n', "green"),
        ('[packs]\nallow = ["other"]\n', "amber"),
        ("[packs]\nallow = []\n", "amber"),
        ('[packs]\nallow = ["other"]\n[roles.upscale]\nallow = ["mine"]\n', "green"),
        ('[packs]\nallow = ["mine"]\n[roles.motion]\nallow = []\n', "green"),
    ],
)
def test_green_needs_the_allow_list_where_there_is_one(rules, color):
    assert badge_of(manifest(), "agrees", policy(rules), pin=PIN).color == color


def test_reasons_are_those_of_the_color_alone():
    badge = badge_of(manifest(terms="CC-BY-NC-4.0", retains_inputs="yes"), "missing")
    assert len(badge.reasons) == 2
    assert all(text[0].islower() or text.startswith("CC") for text in badge.reasons)
    assert not any(text.endswith(".") for text in badge.reasons)
