# SPDX-License-Identifier: Apache-2.0
"""``OfxInteractSuiteV1`` (``ofxInteract.h``): there, for plug-ins that won't load without it, and without any interact.

The host says that it has no overlays, so no plug-in gets a handle that these functions could take.
"""

from ctypes import c_void_p

from understudy.ofx_host.abi import Refused, Slot, Status


def _no_interact(*_: object) -> None:
    raise Refused(Status.BAD_HANDLE)


SLOTS = [
    Slot("interactSwapBuffers", (c_void_p,), _no_interact),
    Slot("interactRedraw", (c_void_p,), _no_interact),
    Slot("interactGetPropertySet", (c_void_p, c_void_p), _no_interact),
]
