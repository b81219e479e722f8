# SPDX-License-Identifier: Apache-2.0
"""Replicas that are not alike are told of once."""

from typing import Any

from contract.service.rig import full_plate
from understudy.client.replicas import ReplicaWatch
from understudy.codec.protocol import VERSION_KEY
from understudy.contracts.jobs import PackPin, RoleResult


def result(pack: str, device: str) -> RoleResult:
    report: dict[str, Any] = {"device": device} if device else {}
    pin = PackPin(id=pack, version="1.0.0", sha256="0" * 64)
    return RoleResult(plates={"plate": full_plate()}, pack=pin, confidence=None, report=report)


def test_another_version_or_device_is_told_once() -> None:
    watch = ReplicaWatch()
    told: list[str] = []
    for version, pack, device in [
        ("1.0", "p", "cpu"),
        ("1.0", "p", "cpu"),
        ("", "p", ""),
        ("1.1", "q", "cuda:0"),
        ("1.0", "p", "cuda:0"),
        ("1.1", "p", "cpu"),
    ]:
        metadata = ((VERSION_KEY, version), ("other", "x")) if version else ()
        watch.compare(metadata, result(pack, device), told.append)
    assert told == [
        "the replicas have different versions of Understudy (1.0, 1.1); frames may differ",
        "the replicas have different devices for p (cpu, cuda:0); frames may differ",
    ]
