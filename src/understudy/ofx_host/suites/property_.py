# SPDX-License-Identifier: Apache-2.0
"""``OfxPropertySuiteV1`` (``ofxProperty.h``)."""

from collections.abc import Callable
from ctypes import c_char_p, c_double, c_int, c_void_p
from typing import Any

from understudy.ofx_host.abi import Refused, Slot, Status, text_of, write_int
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.properties import Kind, PropertySet, Value

_C_TYPES: dict[Kind, Any] = {"pointer": c_void_p, "string": c_char_p, "double": c_double, "int": c_int}
_MOST = 1 << 16
"""Values in one call; a larger count is a plug-in's mistake, and its array is not read."""


def _set(handle: int | None) -> PropertySet:
    return HANDLES.get(handle, PropertySet)


def _incoming(kind: Kind, raw: Any) -> Value:
    if kind == "string":
        return text_of(raw)
    return float(raw) if kind == "double" else int(raw or 0)


def _store(kind: Kind, properties: PropertySet, address: int, index: int, value: Value) -> None:
    item = _C_TYPES["pointer" if kind == "string" else kind]
    place = item.from_address(address + index * _size(kind))
    place.value = properties.c_string(str(value)) if kind == "string" else value


def _size(kind: Kind) -> int:
    return 4 if kind == "int" else 8


def _setter(kind: Kind) -> Callable[..., None]:
    def put(handle: int | None, name: bytes | None, index: int, value: Any) -> None:
        _set(handle).plugin_set(text_of(name), kind, index, _incoming(kind, value))

    return put


def _setter_of_all(kind: Kind) -> Callable[..., None]:
    def put(handle: int | None, name: bytes | None, count: int, address: int | None) -> None:
        properties = _set(handle)
        if not 0 <= count <= _MOST or (count and not address):
            raise Refused(Status.BAD_INDEX if address else Status.VALUE)
        raws = (_C_TYPES[kind] * count).from_address(address) if count and address else ()
        properties.plugin_set_all(text_of(name), kind, [_incoming(kind, raw) for raw in raws])

    return put


def _getter(kind: Kind) -> Callable[..., None]:
    def get(handle: int | None, name: bytes | None, index: int, address: int | None) -> None:
        properties = _set(handle)
        value = properties.plugin_get(text_of(name), kind, index)
        if not address:
            raise Refused(Status.VALUE)
        _store(kind, properties, address, 0, value)

    return get


def _getter_of_all(kind: Kind) -> Callable[..., None]:
    def get(handle: int | None, name: bytes | None, count: int, address: int | None) -> None:
        properties = _set(handle)
        values = properties.plugin_get_all(text_of(name), kind, count)
        if values and not address:
            raise Refused(Status.VALUE)
        for index, value in enumerate(values):
            assert address is not None
            _store(kind, properties, address, index, value)

    return get


def _reset(handle: int | None, name: bytes | None) -> None:
    _set(handle).plugin_reset(text_of(name))


def _dimension(handle: int | None, name: bytes | None, address: int | None) -> None:
    write_int(address, _set(handle).plugin_size(text_of(name)))


def _slots() -> list[Slot]:
    kinds: tuple[tuple[str, Kind], ...] = (
        ("Pointer", "pointer"),
        ("String", "string"),
        ("Double", "double"),
        ("Int", "int"),
    )
    head = (c_void_p, c_char_p, c_int)
    slots = [Slot(f"propSet{name}", (*head, _C_TYPES[kind]), _setter(kind)) for name, kind in kinds]
    slots += [Slot(f"propSet{name}N", (*head, c_void_p), _setter_of_all(kind)) for name, kind in kinds]
    slots += [Slot(f"propGet{name}", (*head, c_void_p), _getter(kind)) for name, kind in kinds]
    slots += [Slot(f"propGet{name}N", (*head, c_void_p), _getter_of_all(kind)) for name, kind in kinds]
    slots.append(Slot("propReset", (c_void_p, c_char_p), _reset))
    slots.append(Slot("propGetDimension", (c_void_p, c_char_p, c_void_p), _dimension))
    return slots


SLOTS = _slots()
