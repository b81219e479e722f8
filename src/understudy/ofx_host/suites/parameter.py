# SPDX-License-Identifier: Apache-2.0
"""``OfxParameterSuiteV1`` (``ofxParam.h``).

Some of its functions are variadic in C. Under the System V ABI a variadic call puts its integers and pointers into
the integer registers and its doubles into the vector registers, each in order. So a callback that takes them
separately sees the same values, and reads only as many as the parameter has.
"""

from collections.abc import Sequence
from ctypes import c_char_p, c_double, c_int, c_int64, c_uint, c_void_p

from understudy.ofx_host.abi import (
    RangeD,
    Refused,
    Slot,
    Status,
    text_of,
    write_double,
    write_int,
    write_pointer,
)
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.instance import Instance
from understudy.ofx_host.parameters import Parameter, Parameters, ParameterTable
from understudy.ofx_host.properties import Value
from understudy.ofx_host.scope import current_scope

_MOST = 4
"""Values of the largest kind, a color with alpha."""
_STEP = 1e-3
"""Frames to either side for a derivative."""
_PARTS = 64
"""Of an integral, each frame."""
_SAME_TIME = 1e-6


def _parameter(handle: int | None) -> Parameter:
    return HANDLES.get(handle, Parameter)


def _owner(parameter: Parameter) -> Instance:
    instance = parameter.owner
    assert isinstance(instance, Instance)
    return instance


def _define(handle: int | None, kind: bytes | None, name: bytes | None, address: int | None) -> None:
    properties = HANDLES.get(handle, ParameterTable).define(text_of(kind), text_of(name))
    if address:
        write_pointer(address, properties.handle)


def _get_handle(handle: int | None, name: bytes | None, param_at: int | None, set_at: int | None) -> None:
    parameters = HANDLES.get(handle, Parameters)
    if text_of(name) not in parameters:
        raise Refused(Status.UNKNOWN)
    parameter = parameters.parameter(text_of(name))
    write_pointer(param_at, parameter.handle)
    if set_at:
        write_pointer(set_at, parameter.properties.handle)


def _set_get_properties(handle: int | None, address: int | None) -> None:
    thing = HANDLES.get(handle, object)
    if isinstance(thing, ParameterTable):
        write_pointer(address, thing.properties.handle)
    elif isinstance(thing, Parameters):
        write_pointer(address, thing.properties_handle)
    else:
        raise Refused(Status.BAD_HANDLE)


def _get_properties(handle: int | None, address: int | None) -> None:
    write_pointer(address, _parameter(handle).properties.handle)


def _give(parameter: Parameter, values: Sequence[Value], addresses: Sequence[int | None]) -> None:
    for value, address in zip(values, addresses, strict=False):
        if parameter.kind.storage == "int":
            write_int(address, int(value))
        elif parameter.kind.storage == "double":
            write_double(address, float(value))
        else:
            write_pointer(address, parameter.properties.c_string(str(value)))


def _get_value(handle: int | None, *addresses: int | None) -> None:
    parameter = _parameter(handle)
    _give(parameter, parameter.at(_owner(parameter).now()), addresses)


def _get_value_at_time(handle: int | None, time: float, *addresses: int | None) -> None:
    parameter = _parameter(handle)
    _give(parameter, parameter.at(time), addresses)


def _derivative(handle: int | None, time: float, *addresses: int | None) -> None:
    parameter = _smooth(handle)
    before, after = parameter.at(time - _STEP), parameter.at(time + _STEP)
    slopes = [(float(b) - float(a)) / (2.0 * _STEP) for a, b in zip(before, after, strict=True)]
    _give(parameter, slopes, addresses)


def _integral(handle: int | None, start: float, end: float, *addresses: int | None) -> None:
    """By the trapezoidal rule."""
    parameter = _smooth(handle)
    parts = max(1, min(round(abs(end - start) * _PARTS), 100_000))
    step = (end - start) / parts
    sums = [0.0] * parameter.kind.size
    for index in range(parts + 1):
        weight = step if 0 < index < parts else step / 2.0
        for channel, value in enumerate(parameter.at(start + index * step)):
            sums[channel] += float(value) * weight
    _give(parameter, sums, addresses)


def _smooth(handle: int | None) -> Parameter:
    parameter = _parameter(handle)
    if parameter.kind.storage != "double":
        raise Refused(Status.UNSUPPORTED)
    return parameter


def _taken(parameter: Parameter, integers: Sequence[int], doubles: Sequence[float]) -> list[Value]:
    size = parameter.kind.size
    if parameter.kind.storage == "double":
        return list(doubles[:size])
    if parameter.kind.storage == "int":
        return [c_int(value & 0xFFFFFFFF).value for value in integers[:size]]
    if parameter.kind.storage == "string":
        return [text_of(c_char_p(integers[0]).value)]
    raise Refused(Status.UNSUPPORTED)


def _changed(parameter: Parameter) -> None:
    instance = _owner(parameter)
    scope = current_scope(instance)
    if scope is not None and scope.rendering:
        scope.complain(f"set the parameter {parameter.name} while it rendered")
        return
    instance.tell_change("OfxTypeParameter", parameter.name, "OfxChangePluginEdited")


def _set_value(handle: int | None, *rest: float) -> None:
    parameter = _parameter(handle)
    parameter.write(_taken(parameter, [int(one) for one in rest[:_MOST]], rest[_MOST:]))
    _changed(parameter)


def _set_value_at_time(handle: int | None, *rest: float) -> None:
    parameter = _parameter(handle)
    time = rest[_MOST]  # the first of the doubles
    parameter.write(_taken(parameter, [int(one) for one in rest[:_MOST]], rest[_MOST + 1 :]), time)
    _changed(parameter)


def _num_keys(handle: int | None, address: int | None) -> None:
    write_int(address, len(_parameter(handle).key_times))


def _key_time(handle: int | None, index: int, address: int | None) -> None:
    times = _parameter(handle).key_times
    if index >= len(times):
        raise Refused(Status.BAD_INDEX)
    write_double(address, times[index])


def _key_index(handle: int | None, time: float, direction: int, address: int | None) -> None:
    times = list(enumerate(_parameter(handle).key_times))
    if direction == 0:
        found = next((index for index, key in times if abs(key - time) <= _SAME_TIME), -1)
    elif direction > 0:
        found = next((index for index, key in times if key > time + _SAME_TIME), -1)
    else:
        found = next((index for index, key in reversed(times) if key < time - _SAME_TIME), -1)
    write_int(address, found)
    if found < 0:
        raise Refused(Status.FAILED)


def _delete_key(handle: int | None, time: float) -> None:
    parameter = _parameter(handle)
    if not parameter.delete_keys(time):
        raise Refused(Status.BAD_INDEX)
    _changed(parameter)


def _delete_all_keys(handle: int | None) -> None:
    parameter = _parameter(handle)
    if parameter.delete_keys():
        _changed(parameter)


def _copy(to: int | None, source: int | None, offset: float, frames: int | None) -> None:
    parameter, other = _parameter(to), _parameter(source)
    if parameter.kind is not other.kind:
        raise Refused(Status.VALUE)
    span = RangeD.from_address(frames) if frames else RangeD(0.0, 0.0)
    whole = span.min == span.max == 0.0
    parameter.copy(other, offset, None if whole else span.min, None if whole else span.max)
    _changed(parameter)


def _edit_begin(handle: int | None, _name: bytes | None) -> None:
    HANDLES.get(handle, Parameters)


def _edit_end(handle: int | None) -> None:
    HANDLES.get(handle, Parameters)


_OUT = (c_void_p,) * _MOST
_IN = (c_int64,) * _MOST

SLOTS = [
    Slot("paramDefine", (c_void_p, c_char_p, c_char_p, c_void_p), _define),
    Slot("paramGetHandle", (c_void_p, c_char_p, c_void_p, c_void_p), _get_handle),
    Slot("paramSetGetPropertySet", (c_void_p, c_void_p), _set_get_properties),
    Slot("paramGetPropertySet", (c_void_p, c_void_p), _get_properties),
    Slot("paramGetValue", (c_void_p, *_OUT), _get_value),
    Slot("paramGetValueAtTime", (c_void_p, c_double, *_OUT), _get_value_at_time),
    Slot("paramGetDerivative", (c_void_p, c_double, *_OUT), _derivative),
    Slot("paramGetIntegral", (c_void_p, c_double, c_double, *_OUT), _integral),
    Slot("paramSetValue", (c_void_p, *_IN, *(c_double,) * _MOST), _set_value),
    Slot("paramSetValueAtTime", (c_void_p, *_IN, *(c_double,) * (_MOST + 1)), _set_value_at_time),
    Slot("paramGetNumKeys", (c_void_p, c_void_p), _num_keys),
    Slot("paramGetKeyTime", (c_void_p, c_uint, c_void_p), _key_time),
    Slot("paramGetKeyIndex", (c_void_p, c_double, c_int, c_void_p), _key_index),
    Slot("paramDeleteKey", (c_void_p, c_double), _delete_key),
    Slot("paramDeleteAllKeys", (c_void_p,), _delete_all_keys),
    Slot("paramCopy", (c_void_p, c_void_p, c_double, c_void_p), _copy),
    Slot("paramEditBegin", (c_void_p, c_char_p), _edit_begin),
    Slot("paramEditEnd", (c_void_p,), _edit_end),
]
