# SPDX-License-Identifier: Apache-2.0
"""``OfxProgressSuiteV1`` and ``V2`` (``ofxProgress.h``)."""

from ctypes import c_char_p, c_double, c_void_p

from understudy.ofx_host.abi import Refused, Slot, Status, text_of
from understudy.ofx_host.effect_object import EffectObject
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.scope import current_scope


def _start(handle: int | None, label: bytes | None, _identifier: bytes | None = None) -> None:
    effect = HANDLES.get(handle, EffectObject)
    if effect.progress_label is not None:
        raise Refused(Status.FAILED)
    effect.progress_label = text_of(label)


def _update(handle: int | None, done: float) -> int:
    effect = HANDLES.get(handle, EffectObject)
    if effect.progress_label is None:
        return Status.BAD_HANDLE
    scope = current_scope(effect)
    goes_on = effect.on_progress is None or effect.on_progress(done, effect.progress_label)
    return Status.REPLY_NO if not goes_on or (scope is not None and scope.should_abort()) else Status.OK


def _end(handle: int | None) -> None:
    effect = HANDLES.get(handle, EffectObject)
    if effect.progress_label is None:
        raise Refused(Status.BAD_HANDLE)
    effect.progress_label = None


_REST = [Slot("progressUpdate", (c_void_p, c_double), _update), Slot("progressEnd", (c_void_p,), _end)]
SLOTS_V1 = [Slot("progressStart", (c_void_p, c_char_p), _start), *_REST]
SLOTS_V2 = [Slot("progressStart", (c_void_p, c_char_p, c_char_p), _start), *_REST]
