# SPDX-License-Identifier: Apache-2.0
"""Requests, results and descriptions of engines cross the wire unchanged."""

from fractions import Fraction
from typing import Any

import pytest

from contract.service.rig import FakeEngine, make_request
from understudy.codec.info import info_from_pb, info_to_pb
from understudy.codec.jobs import clean_request_id, request_from_pb, request_to_pb, result_from_pb, result_to_pb
from understudy.contracts.channels import ChannelKind
from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import (
    InterpolateParams,
    MotionParams,
    PackPin,
    RelightParams,
    RoleParams,
    RoleRequest,
    RoleResult,
    UpscaleParams,
)
from understudy.contracts.lights import AreaLight, DirectionalLight, EnvironmentLight, LightRig
from understudy.contracts.plate import Plate
from understudy.wire.understudy.v1 import understudy_pb2 as pb

RIG = LightRig(
    lights=(
        DirectionalLight(type="directional", direction=(0.1, -0.0, 1e-300), color=(1.0, 0.5, -0.25), exposure=-3.5),
        AreaLight(type="area", position=(1, 2, 3), u=(1, 0, 0), v=(0, 1, 0), samples=4),
        EnvironmentLight(type="environment", file="sky é.exr", rotation=12.5),
    )
)


@pytest.mark.parametrize(
    "params",
    [
        MotionParams(
            options={"whole": 1, "real": 1.0, "tiny": 5e-324, "on": True, "text": "é\n"},
            kinds={"z*": "id", "a*": "color"},
        ),
        InterpolateParams(outputs=((Fraction(1, 3), Fraction(2, 3)), (Fraction(0),)), cut=True, motion_pack="m@1.0.0"),
        UpscaleParams(scale=Fraction(24000, 1001), draft=True, tile=64),
        RelightParams(
            lights=RIG, present=LightRig(), camera_to_world=(1, 0, 0, 0, -1, 0, 0, 0, 0.1), passes=("ratio", "normal")
        ),
    ],
    ids=lambda params: params.role.value,
)
def test_parameters_of_every_role_come_back_equal(params: RoleParams) -> None:
    request = RoleRequest(
        pack=PackPin(id="p", version="1.0.0", sha256="a" * 64),
        params=params,
        plates={},
        ocio_config="c",
        request_id="r",
    )
    head = request_from_pb(pb.RunHeader.FromString(request_to_pb(request, "r").SerializeToString()))
    assert head.with_plates({}) == request
    assert {name: type(value) for name, value in head.params.options.items()} == {
        name: type(value) for name, value in params.options.items()
    }
    assert list(head.params.kinds) == list(params.kinds)  # the first pattern that fits wins
    assert all(isinstance(kind, ChannelKind) for kind in head.params.kinds.values())


def header(**changes: Any) -> pb.RunHeader:
    message = request_to_pb(make_request("echo", {}), "id")
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "where"),
    [
        (header(params_json=""), "params"),
        (header(params_json="{"), "params"),
        (header(params_json="[]"), "params"),
        (header(params_json="{}"), "params"),
        (header(params_json='{"role": "sing"}'), "params"),
        (header(params_json='{"role": "upscale", "scale": "two"}'), "params.upscale.scale"),
        (header(params_json='{"role": "upscale", "speed": 2}'), "params.upscale.speed"),
        (header(params_json='{"role": "upscale", "tile": -1}'), "params.upscale.tile"),
        (header(params_json="[" * 100_000), "params"),
        (header(role="motion"), "role"),
        (pb.RunHeader(role="upscale", params_json='{"role": "upscale"}'), "pack.id"),
    ],
)
def test_a_wrong_request_names_the_field(message: pb.RunHeader, where: str) -> None:
    with pytest.raises(UsageError) as caught:
        request_from_pb(message)
    assert caught.value.where == where
    assert not caught.value.problem.startswith("Value error")


def test_what_can_not_be_sent_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="can't be sent"):
        request_to_pb(make_request("\ud800", {}), "id")
    big: dict[str, Any] = {"note": "x" * (5 << 20)}
    request = make_request("echo", {}).params.model_copy(update={"options": big})
    with pytest.raises(UsageError, match=r"take 5\.2 MB; at most 4\.2 MB fit"):
        request_to_pb(RoleRequest(pack=PackPin(id="p"), params=request, plates={}), "id")


def test_a_result_comes_back_equal() -> None:
    plates: dict[str, Plate] = {}
    for confidence in (None, 0.0, 0.123456789):
        result = RoleResult(
            plates=plates,
            pack=PackPin(id="p", version="1.0.0"),
            confidence=confidence,
            report={"a": [1, 2.5, None, "é"]},
        )
        message = pb.ResultHeader.FromString(result_to_pb(result, "id").SerializeToString())
        assert message.request_id == "id"
        assert result_from_pb(message, plates) == result


@pytest.mark.parametrize("report", ["{", "[]", "1"])
def test_a_wrong_report_is_refused(report: str) -> None:
    with pytest.raises(UsageError, match="no JSON"):
        result_from_pb(pb.ResultHeader(report_json=report), {})


def test_an_engine_s_description_comes_back_equal() -> None:
    info = FakeEngine().info()
    assert info_from_pb(pb.InfoResponse.FromString(info_to_pb(info).SerializeToString())) == info
    with pytest.raises(UsageError, match="manifest"):
        info_from_pb(pb.InfoResponse(packs=[pb.PackInfo(manifest_json="{")]))


def test_request_ids_are_safe_in_logs() -> None:
    assert clean_request_id("shot_010\n{fake}\x1b[31m") == "shot_010{fake}[31m"
    assert len(clean_request_id("x" * 1000)) == 64
