# SPDX-License-Identifier: Apache-2.0
"""The C side of OpenFX: status codes, structs, and how suites of C functions are made of Python functions.

Source: the OpenFX 1.5 specification, headers ``ofxCore.h`` and ``ofxImageEffect.h``; System V ABI for x86-64.
"""

import ctypes
import platform
import sys
from collections.abc import Callable, Sequence
from ctypes import c_char_p, c_double, c_int, c_uint, c_void_p
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from understudy.contracts.errors import DeviceUnavailableError


class Status(IntEnum):
    """What actions and suite functions answer (``OfxStatus``)."""

    OK = 0
    FAILED = 1
    FATAL = 2
    UNKNOWN = 3
    MISSING_HOST_FEATURE = 4
    UNSUPPORTED = 5
    EXISTS = 6
    FORMAT = 7
    MEMORY = 8
    BAD_HANDLE = 9
    BAD_INDEX = 10
    VALUE = 11
    REPLY_YES = 12
    REPLY_NO = 13
    REPLY_DEFAULT = 14
    IMAGE_FORMAT = 1000


def status_text(code: int) -> str:
    """A status code for people: its name in the headers, or the bare number."""
    names = {
        Status.OK: "kOfxStatOK",
        Status.FAILED: "kOfxStatFailed",
        Status.REPLY_YES: "kOfxStatReplyYes",
        Status.REPLY_NO: "kOfxStatReplyNo",
        Status.REPLY_DEFAULT: "kOfxStatReplyDefault",
        Status.IMAGE_FORMAT: "kOfxStatErrImageFormat",
    }
    try:
        status = Status(code)
    except ValueError:
        return f"status {code}"
    words = status.name.title().replace("_", "")
    return names.get(status, f"kOfxStatErr{words}")


class Refused(Exception):  # noqa: N818 - not an error of ours: an answer to the plug-in
    """Raised in a suite function: the plug-in gets this status.

    Args:
        status: The answer.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class RectD(ctypes.Structure):
    """``OfxRectD``: a region, canonical coordinates."""

    _fields_ = (("x1", c_double), ("y1", c_double), ("x2", c_double), ("y2", c_double))


class RangeD(ctypes.Structure):
    """``OfxRangeD``: a range of times, frames."""

    _fields_ = (("min", c_double), ("max", c_double))


FetchSuite = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_char_p, c_int)
"""``OfxHost.fetchSuite``: host handle, suite name, version; the address of the suite, or null."""

MainEntry = ctypes.CFUNCTYPE(c_int, c_char_p, c_void_p, c_void_p, c_void_p)
"""``OfxPluginEntryPoint``: action, handle, in arguments, out arguments; a status."""

ThreadFunction = ctypes.CFUNCTYPE(None, c_uint, c_uint, c_void_p)
"""``OfxThreadFunctionV1``: index, number of threads, what was given to ``multiThread``."""

CustomInterpolation = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p)
"""``OfxCustomParamInterpFuncV1``: parameter set, in arguments, out arguments; a status."""


class OfxHost(ctypes.Structure):
    """``OfxHost``: what a plug-in is handed first."""

    _fields_ = (("host", c_void_p), ("fetchSuite", FetchSuite))


SetHost = ctypes.CFUNCTYPE(None, ctypes.POINTER(OfxHost))
"""``OfxPlugin.setHost``."""


class OfxPlugin(ctypes.Structure):
    """``OfxPlugin``: what a binary says of one plug-in."""

    _fields_ = (
        ("pluginApi", c_char_p),
        ("apiVersion", c_int),
        ("pluginIdentifier", c_char_p),
        ("pluginVersionMajor", c_uint),
        ("pluginVersionMinor", c_uint),
        ("setHost", SetHost),
        ("mainEntry", MainEntry),
    )


@dataclass(frozen=True, slots=True)
class Slot:
    """One function of a suite.

    Attributes:
        name: Its name in the header.
        arguments: ctypes types of its arguments.
        function: What is called; it returns None for ``kOfxStatOK``, or an integer, and raises `Refused`.
        guarded: False for a function whose answer is no status; its exceptions are reported all the same.
    """

    name: str
    arguments: Sequence[Any]
    function: Callable[..., int | None]
    guarded: bool = True


def make_suite(name: str, slots: Sequence[Slot], on_exception: Callable[[BaseException], None]) -> ctypes.Structure:
    """A suite: a C struct of function pointers.

    Args:
        name: Of the struct, for people who debug.
        slots: In the header's order.
        on_exception: Told what a function raised that is no `Refused`; the plug-in then gets ``kOfxStatFailed``.
    """

    def answering(slot: Slot) -> Callable[..., int]:
        def answer(*arguments: Any) -> int:
            try:
                return int(slot.function(*arguments) or 0)
            except Refused as refusal:
                return int(refusal.status)
            except MemoryError:
                return int(Status.MEMORY)
            except BaseException as error:  # a C caller can't take an exception: it is raised again after the action
                on_exception(error)
                return int(Status.FAILED) if slot.guarded else 0

        return answer

    types = [ctypes.CFUNCTYPE(c_int, *slot.arguments) for slot in slots]
    fields = [(slot.name, kind) for slot, kind in zip(slots, types, strict=True)]
    struct = type(name, (ctypes.Structure,), {"_fields_": fields})
    return struct(*(kind(answering(slot)) for slot, kind in zip(slots, types, strict=True)))


def write_pointer(address: int | None, value: int) -> None:
    """Stores a pointer through an out argument.

    Raises:
        Refused: The plug-in gave a null pointer.
    """
    if not address:
        raise Refused(Status.VALUE)
    c_void_p.from_address(address).value = value


def write_int(address: int | None, value: int) -> None:
    """Stores a C int through an out argument; raises as `write_pointer` does."""
    if not address:
        raise Refused(Status.VALUE)
    c_int.from_address(address).value = value


def write_double(address: int | None, value: float) -> None:
    """Stores a C double through an out argument; raises as `write_pointer` does."""
    if not address:
        raise Refused(Status.VALUE)
    c_double.from_address(address).value = value


def text_of(raw: bytes | None) -> str:
    """A C string as Python's; null is empty. OpenFX strings are UTF-8, and bytes that are not survive."""
    return (raw or b"").decode("utf-8", "surrogateescape")


def require_this_machine() -> None:
    """Refuses where variadic C functions can't be written as ctypes callbacks.

    ``paramGetValue``, ``paramSetValue`` and ``message`` are variadic in C. On x86-64 under the System V ABI their
    arguments lie in the registers where those of a function with a fixed signature lie, so a callback can stand for
    them. On arm64 macOS and on Windows they do not.

    Raises:
        DeviceUnavailableError: This is another machine.
    """
    machine = platform.machine()
    if sys.platform == "win32" or machine not in {"x86_64", "AMD64"} or ctypes.sizeof(c_void_p) != 8:
        raise DeviceUnavailableError(
            f"the OpenFX host can't run on {sys.platform} {machine}: OpenFX has variadic functions, and ctypes can "
            "serve those only under the System V ABI of 64-bit x86",
            fix="use a Linux machine with an x86-64 processor",
        )
