# SPDX-License-Identifier: Apache-2.0
"""``OfxTimeLineSuiteV1`` (``ofxTimeLine.h``)."""

import math
from ctypes import c_double, c_void_p

from understudy.ofx_host.abi import Refused, Slot, Status, write_double
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.instance import Instance


def _get_time(handle: int | None, address: int | None) -> None:
    write_double(address, HANDLES.get(handle, Instance).time)


def _go_to(handle: int | None, time: float) -> None:
    instance = HANDLES.get(handle, Instance)
    if not math.isfinite(time):
        raise Refused(Status.VALUE)
    instance.time = time


def _bounds(handle: int | None, first_at: int | None, last_at: int | None) -> None:
    project = HANDLES.get(handle, Instance).project
    write_double(first_at, project.first)
    write_double(last_at, project.last)


SLOTS = [
    Slot("getTime", (c_void_p, c_void_p), _get_time),
    Slot("gotoTime", (c_void_p, c_double), _go_to),
    Slot("getTimeBounds", (c_void_p, c_void_p, c_void_p), _bounds),
]
