# SPDX-License-Identifier: Apache-2.0
"""``OfxMessageSuiteV1`` and ``V2`` (``ofxMessage.h``).

The functions are variadic, as printf is. Their callback sees the argument registers and the start of the stack, puts
them together as the ``va_list`` that they are under the System V ABI, and lets the C library format.
"""

import ctypes
from ctypes import c_char_p, c_double, c_int64, c_size_t, c_uint, c_void_p

from understudy.ofx_host.abi import Refused, Slot, Status, text_of
from understudy.ofx_host.effect_object import EffectObject
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.message import MESSAGE_KINDS, Message

_INTEGERS = 6
_VECTORS = 8
_STACK = 16
"""Words of the caller's stack that are looked at; a message with more arguments than that has zeros for the rest."""
_STACK_ROOM = 64
_LONGEST = 16384
"""Bytes of a message."""
_NAMED = 4
"""Arguments before the variadic ones."""


class _VaList(ctypes.Structure):
    """``va_list`` of the System V ABI for x86-64."""

    _fields_ = (
        ("gp_offset", c_uint),
        ("fp_offset", c_uint),
        ("overflow_arg_area", c_void_p),
        ("reg_save_area", c_void_p),
    )


_vsnprintf = ctypes.CDLL(None).vsnprintf
_vsnprintf.argtypes = [c_void_p, c_size_t, c_char_p, ctypes.POINTER(_VaList)]
_vsnprintf.restype = ctypes.c_int


def _formatted(template: bytes, integers: tuple[int, ...], doubles: tuple[float, ...], stack: tuple[int, ...]) -> str:
    saved = (c_int64 * (_INTEGERS + 2 * _VECTORS))()
    saved[_NAMED:_INTEGERS] = list(integers)
    for index, value in enumerate(doubles):  # a vector register takes two words, a double the first
        c_double.from_buffer(saved, 8 * (_INTEGERS + 2 * index)).value = value
    overflow = (c_int64 * _STACK_ROOM)(*stack)
    arguments = _VaList(8 * _NAMED, 8 * _INTEGERS, ctypes.addressof(overflow), ctypes.addressof(saved))
    buffer = ctypes.create_string_buffer(_LONGEST)
    if _vsnprintf(buffer, _LONGEST, template, ctypes.byref(arguments)) < 0:
        return text_of(template)
    return text_of(buffer.value)


def _posted(
    handle: int | None, kind: bytes | None, identifier: bytes | None, template: bytes | None, rest: tuple[float, ...]
) -> tuple[EffectObject | None, Message]:
    integers = tuple(int(one) for one in rest[: _INTEGERS - _NAMED])
    doubles = rest[_INTEGERS - _NAMED :][:_VECTORS]
    stack = tuple(int(one) for one in rest[_INTEGERS - _NAMED + _VECTORS :])
    text = _formatted(template or b"", integers, doubles, stack)
    effect = HANDLES.get(handle, EffectObject) if handle else None
    return effect, Message(MESSAGE_KINDS.get(text_of(kind), "message"), text_of(identifier), text)


def _message(
    handle: int | None, kind: bytes | None, identifier: bytes | None, template: bytes | None, *rest: float
) -> int:
    effect, message = _posted(handle, kind, identifier, template, rest)
    if effect is None:
        return Status.FAILED
    effect.post(message)
    if message.kind != "question":
        return Status.OK
    if effect.on_question is None:
        return Status.FAILED
    return Status.REPLY_YES if effect.on_question(message.text) else Status.REPLY_NO


def _set_persistent(
    handle: int | None, kind: bytes | None, identifier: bytes | None, template: bytes | None, *rest: float
) -> None:
    effect, message = _posted(handle, kind, identifier, template, rest)
    if effect is None:
        raise Refused(Status.BAD_HANDLE)
    effect.post(Message(message.kind, message.identifier, message.text, persistent=True))


def _clear_persistent(handle: int | None) -> None:
    HANDLES.get(handle, EffectObject).persistent_message = None


_PRINTF = (
    *(c_void_p, c_char_p, c_char_p, c_char_p),
    *(c_int64,) * (_INTEGERS - _NAMED),
    *(c_double,) * _VECTORS,
    *(c_int64,) * _STACK,
)

SLOTS_V1 = [Slot("message", _PRINTF, _message)]
SLOTS_V2 = [
    *SLOTS_V1,
    Slot("setPersistentMessage", _PRINTF, _set_persistent),
    Slot("clearPersistentMessage", (c_void_p,), _clear_persistent),
]
