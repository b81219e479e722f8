# SPDX-License-Identifier: Apache-2.0
"""The suites: C functions that plug-ins call. One module for each, named as its header is.

They are made once for this process. A plug-in keeps them in global variables, so they must serve whichever host
loaded it last; what they work on is found by handles. OpenGL, parametric parameters and drawing are not here: asking
for them gives null.
"""

import ctypes

from understudy.ofx_host.abi import make_suite
from understudy.ofx_host.scope import note_exception
from understudy.ofx_host.suites import (
    effect,
    interact,
    memory,
    message,
    parameter,
    progress,
    property_,
    threads,
    timeline,
)

_SLOTS = {
    ("OfxPropertySuite", 1): property_.SLOTS,
    ("OfxImageEffectSuite", 1): effect.SLOTS,
    ("OfxParameterSuite", 1): parameter.SLOTS,
    ("OfxMemorySuite", 1): memory.SLOTS,
    ("OfxMultiThreadSuite", 1): threads.SLOTS,
    ("OfxMessageSuite", 1): message.SLOTS_V1,
    ("OfxMessageSuite", 2): message.SLOTS_V2,
    ("OfxProgressSuite", 1): progress.SLOTS_V1,
    ("OfxProgressSuite", 2): progress.SLOTS_V2,
    ("OfxTimeLineSuite", 1): timeline.SLOTS,
    ("OfxInteractSuite", 1): interact.SLOTS,
}

SUITES: dict[tuple[str, int], ctypes.Structure] = {
    key: make_suite(f"{key[0]}V{key[1]}", slots, note_exception) for key, slots in _SLOTS.items()
}
"""By name and version."""
