# SPDX-License-Identifier: Apache-2.0
"""A request's parameters, and the inputs of a graph that are no images, to the call of a model."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from understudy.contracts.errors import UsageError
from understudy.contracts.jobs import Scale
from understudy.contracts.manifest import OptionSpec, OptionValue, PackManifest, Role
from understudy.contracts.model import Call, PackedModel, Tensor, TensorSignature
from understudy.contracts.priority import Priority
from understudy.inference_protocol.messages import InferParameter

_SEQUENCE = ("sequence_id", "sequence_start", "sequence_end")
_OURS = ("scale", "time", "draft")
_IGNORED = ("binary_data_output", "headers")
_SCALE = TypeAdapter[Any](Scale)


def plain(parameters: Mapping[str, InferParameter]) -> dict[str, Any]:
    """Parameters of a message as Python values; one without a value is None."""
    return {name: _value(parameter) for name, parameter in parameters.items()}


def _value(parameter: InferParameter) -> Any:
    chosen = parameter.WhichOneof("parameter_choice")
    return getattr(parameter, chosen) if chosen else None


def priority_of(parameters: Mapping[str, Any]) -> Priority:
    """Triton's ``priority``, 1 being the most urgent, as one of our classes: 1, 2 (or 0, or none), 3 and more."""
    level = parameters.get("priority") or 0
    if not isinstance(level, int) or level < 0:
        raise UsageError("it is no priority", where="priority", fix="give 1 (most urgent), 2 or 3; 0 is as good as 2")
    return {0: Priority.NORMAL, 1: Priority.INTERACTIVE, 2: Priority.NORMAL}.get(level, Priority.BATCH)


def timeout_of(parameters: Mapping[str, Any]) -> float | None:
    """Triton's ``timeout`` (microseconds) in seconds; None without one."""
    timeout = parameters.get("timeout") or 0
    if not isinstance(timeout, int) or timeout < 0:
        raise UsageError("it is no timeout", where="timeout", fix="give whole microseconds")
    return timeout / 1e6 if timeout else None


def call_of(packed: PackedModel, parameters: Mapping[str, Any], knobs: Mapping[str, Tensor]) -> Call:
    """What is asked of a model beside its images.

    Args:
        packed: The model.
        parameters: Of the request: ``scale``, ``time``, ``draft``, the pack's options, what the protocol reserves.
        knobs: Inputs of the graph that are no images; each the same as the parameter of its name.

    Raises:
        UsageError: A parameter is unknown, missing, or out of range.
    """
    manifest = packed.manifest
    for name in _SEQUENCE:
        if parameters.get(name):
            raise UsageError("packs keep nothing between requests", where=name, fix="leave sequences out")
    given = {
        name: value
        for name, value in parameters.items()
        if not name.startswith("triton_") and name not in {*_SEQUENCE, *_IGNORED, "priority", "timeout"}
    }
    for name, tensor in knobs.items():
        if name in given:
            raise UsageError("it is given as an input and as a parameter", where=name, fix="give one of them")
        given[name] = _knob(name, tensor, manifest.options.get(name))
    options = {name: value for name, value in given.items() if name not in _OURS}
    if empty := [name for name, value in given.items() if value is None]:
        raise UsageError("the parameter has no value", where=empty[0][:80])
    return Call(
        scale=_scale_of(manifest, given.get("scale")),
        time=_time_of(manifest, given.get("time")),
        draft=bool(given.get("draft", False)),
        options=packed.settle(options),
    )


def knob_names(signature: TensorSignature) -> set[str]:
    """Inputs of a model that are no images."""
    return {spec.name for spec in signature.inputs if spec.optional}


def _knob(name: str, tensor: Tensor, spec: OptionSpec | None) -> OptionValue:
    if tensor.size != 1:
        raise UsageError(f"it has {tensor.size} values", where=name, fix="send one")
    value: OptionValue = tensor.reshape(-1)[0].item()
    if spec is not None and spec.type == "choice":
        if not isinstance(value, int) or not 0 <= value < len(spec.choices):
            raise UsageError("it is the number of none of its choices", where=name, fix=f"0 is {spec.choices[0]}")
        return spec.choices[value]
    return value


def _scale_of(manifest: PackManifest, value: Any) -> Any:
    if value is None:
        offered = manifest.contract.scales
        if manifest.role is Role.UPSCALE and len(offered) != 1:
            some = ", ".join(f"{one:g}" for one in offered) or "any factor"
            raise UsageError("the parameter is missing", where="scale", fix=f"the pack offers {some}")
        value = offered[0] if offered else 1
    try:
        return _SCALE.validate_python(value)
    except ValidationError as error:
        text = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise UsageError(text, where="scale", fix="give a number or a fraction such as 3/2") from None


def _time_of(manifest: PackManifest, value: Any) -> float:
    if value is None:
        if manifest.role is Role.INTERPOLATE:
            raise UsageError("the parameter is missing", where="time", fix="give the time between a (0) and b (1)")
        return 0.0
    try:
        time = float(value)
    except ValueError:
        time = -1.0
    if not 0.0 <= time <= 1.0:
        raise UsageError("it is no time between a (0) and b (1)", where="time", fix="give a number from 0 to 1")
    return time
