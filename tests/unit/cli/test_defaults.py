# SPDX-License-Identifier: Apache-2.0
"""A default stands in the command's help, in the graph document and in the role's request: it must be one value."""

import inspect
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from pydantic import BaseModel

from understudy.cli.interpolate import interpolate
from understudy.cli.motion import motion
from understudy.cli.relight import relight
from understudy.cli.upscale import upscale
from understudy.contracts.jobs import InterpolateParams, MotionParams, RelightParams, UpscaleParams
from understudy.graph.document import (
    InterpolateNode,
    MotionNode,
    ReadNode,
    RelightNode,
    Shutter,
    UpscaleNode,
    WriteNode,
)

_NOTHING: tuple[object, ...] = ("", None, (), [], {}, 0, False)  # what a command leaves out of the document


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {name: field.default for name, field in model.model_fields.items() if not field.is_required()}


@pytest.mark.parametrize(
    ("command", "models"),
    [
        pytest.param(motion, (MotionNode, ReadNode, WriteNode), id="motion"),
        pytest.param(interpolate, (InterpolateNode, ReadNode, WriteNode), id="interpolate"),
        pytest.param(upscale, (UpscaleNode, ReadNode, WriteNode), id="upscale"),
        pytest.param(relight, (RelightNode, ReadNode, WriteNode), id="relight"),
    ],
)
def test_a_command_s_defaults_are_the_document_s(
    command: Callable[..., None], models: tuple[type[BaseModel], ...]
) -> None:
    compared = set()
    for name, parameter in inspect.signature(command).parameters.items():
        for model in models:
            known = _defaults(model)
            if name in known and parameter.default not in _NOTHING:
                given = Fraction(parameter.default) if isinstance(known[name], Fraction) else parameter.default
                assert given == known[name], f"{model.__name__}.{name}"
                compared.add(name)
    assert "missing" in compared


def test_the_shutter_s_samples_are_the_document_s() -> None:
    samples = inspect.signature(interpolate).parameters["shutter_samples"].default
    assert samples == Shutter().samples


@pytest.mark.parametrize(
    ("node", "params"),
    [
        pytest.param(MotionNode, MotionParams, id="motion"),
        pytest.param(InterpolateNode, InterpolateParams, id="interpolate"),
        pytest.param(UpscaleNode, UpscaleParams, id="upscale"),
        pytest.param(RelightNode, RelightParams, id="relight"),
    ],
)
def test_a_node_s_defaults_are_the_request_s(node: type[BaseModel], params: type[BaseModel]) -> None:
    of_node, of_params = _defaults(node), _defaults(params)
    shared = of_node.keys() & of_params.keys()
    assert {"kinds", "options", "tile"} <= shared
    assert {name: of_node[name] for name in shared} == {name: of_params[name] for name in shared}
    bounds = {name: (node.model_fields[name].metadata, params.model_fields[name].metadata) for name in shared}
    assert all(one == other for one, other in bounds.values()), bounds
