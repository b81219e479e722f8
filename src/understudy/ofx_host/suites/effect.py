# SPDX-License-Identifier: Apache-2.0
"""``OfxImageEffectSuiteV1`` (``ofxImageEffect.h``)."""

from ctypes import POINTER, c_char_p, c_double, c_size_t, c_void_p
from typing import Any

from understudy.ofx_host.abi import RectD, Refused, Slot, Status, text_of, write_pointer
from understudy.ofx_host.clips import Clip
from understudy.ofx_host.effect import Descriptor
from understudy.ofx_host.effect_object import EffectObject
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.instance import Instance
from understudy.ofx_host.negotiation import input_region
from understudy.ofx_host.properties import PropertySet
from understudy.ofx_host.regions import to_canonical
from understudy.ofx_host.scope import Scope, current_scope
from understudy.ofx_host.suites.memory import ImageBlock, allocate, release


def _get_property_set(effect: int | None, address: int | None) -> None:
    write_pointer(address, HANDLES.get(effect, EffectObject).properties.handle)


def _get_param_set(effect: int | None, address: int | None) -> None:
    write_pointer(address, HANDLES.get(effect, EffectObject).parameters_handle)


def _clip_define(effect: int | None, name: bytes | None, address: int | None) -> None:
    properties = HANDLES.get(effect, Descriptor).clips.define(text_of(name))
    if address:
        write_pointer(address, properties.handle)


def _clip_get_handle(effect: int | None, name: bytes | None, clip_at: int | None, set_at: int | None) -> None:
    clip = HANDLES.get(effect, Instance).clips.get(text_of(name))
    if clip is None:
        raise Refused(Status.UNKNOWN)
    write_pointer(clip_at, clip.handle)
    if set_at:
        write_pointer(set_at, clip.properties.handle)


def _clip_get_property_set(clip: int | None, address: int | None) -> None:
    write_pointer(address, HANDLES.get(clip, Clip).properties.handle)


def _scope_of(clip: Clip) -> tuple[Instance, Scope]:
    assert isinstance(clip.owner, Instance)
    scope = current_scope(clip.owner)
    if scope is None:
        raise Refused(Status.FAILED)
    return clip.owner, scope


def _clip_get_image(handle: int | None, time: float, _region: Any, address: int | None) -> None:
    """The whole image, which is at least the region that was asked for."""
    clip = HANDLES.get(handle, Clip)
    _, scope = _scope_of(clip)
    if not clip.is_output and not clip.connected:
        raise Refused(Status.FAILED)
    write_pointer(address, scope.open_image(clip, time).handle)


def _clip_release_image(handle: int | None) -> None:
    HANDLES.get(handle, PropertySet)
    scope = current_scope()
    if scope is None or not scope.holds(handle):  # on a thread of the plug-in's own, or in an action within an action
        running = (one for instance in HANDLES.all_of(Instance) for one in list(instance.scopes))
        scope = next((one for one in running if one.holds(handle)), None)
    if scope is None:
        raise Refused(Status.BAD_HANDLE)
    scope.release(handle)


def _clip_get_rod(handle: int | None, time: float, bounds: Any) -> None:
    clip = HANDLES.get(handle, Clip)
    instance, scope = _scope_of(clip)
    if clip.is_output:
        target = scope.target
        region = None if target is None else to_canonical(target.bounds, scope.scale, clip.pixel_aspect)
    else:
        region = input_region(instance, scope, clip.name, time)
    if region is None:
        raise Refused(Status.FAILED)
    if not bounds:
        raise Refused(Status.VALUE)
    bounds.contents.x1, bounds.contents.y1, bounds.contents.x2, bounds.contents.y2 = region


def _abort(effect: int | None) -> int:
    try:
        scope = current_scope(HANDLES.get(effect, EffectObject))
    except Refused:
        return 0
    return int(scope is not None and scope.should_abort())


def _image_memory_alloc(effect: int | None, count: int, address: int | None) -> None:
    if effect:
        HANDLES.get(effect, EffectObject)
    write_pointer(address, ImageBlock(allocate(count)).handle)


def _image_memory_free(handle: int | None) -> None:
    block = HANDLES.get(handle, ImageBlock)
    HANDLES.drop(block.handle)
    release(block.address)


def _image_memory_lock(handle: int | None, address: int | None) -> None:
    write_pointer(address, HANDLES.get(handle, ImageBlock).address)


def _image_memory_unlock(handle: int | None) -> None:
    HANDLES.get(handle, ImageBlock)


SLOTS = [
    Slot("getPropertySet", (c_void_p, c_void_p), _get_property_set),
    Slot("getParamSet", (c_void_p, c_void_p), _get_param_set),
    Slot("clipDefine", (c_void_p, c_char_p, c_void_p), _clip_define),
    Slot("clipGetHandle", (c_void_p, c_char_p, c_void_p, c_void_p), _clip_get_handle),
    Slot("clipGetPropertySet", (c_void_p, c_void_p), _clip_get_property_set),
    Slot("clipGetImage", (c_void_p, c_double, c_void_p, c_void_p), _clip_get_image),
    Slot("clipReleaseImage", (c_void_p,), _clip_release_image),
    Slot("clipGetRegionOfDefinition", (c_void_p, c_double, POINTER(RectD)), _clip_get_rod),
    Slot("abort", (c_void_p,), _abort, guarded=False),
    Slot("imageMemoryAlloc", (c_void_p, c_size_t, c_void_p), _image_memory_alloc),
    Slot("imageMemoryFree", (c_void_p,), _image_memory_free),
    Slot("imageMemoryLock", (c_void_p, c_void_p), _image_memory_lock),
    Slot("imageMemoryUnlock", (c_void_p,), _image_memory_unlock),
]
