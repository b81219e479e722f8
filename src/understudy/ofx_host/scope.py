# SPDX-License-Identifier: Apache-2.0
"""What one call into a plug-in may use, and what it did: inputs, images it holds, errors, complaints.

Suite functions have no argument for it, so it is found by the thread that they run on.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from understudy.ofx_host.abi import Refused, Status
from understudy.ofx_host.clips import ALPHAS, Clip, Footage
from understudy.ofx_host.images import Bounds, Image, ImageMemory, RowLayout
from understudy.ofx_host.message import Message
from understudy.ofx_host.pixels import Pixels, convert_components, convert_depth

_log = logging.getLogger(__name__)
_thread = threading.local()
_serial = itertools.count(1)

Abort = Callable[[], bool]
"""Whether to stop."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is rendered into, or read from.

    Attributes:
        memory: Its pixels.
        bounds: Where it lies, pixels.
        whole: Where the whole frame lies, pixels; as the bounds, unless a part is rendered.
        alpha: Its premultiplication, as OpenFX names it.
    """

    memory: ImageMemory
    bounds: Bounds
    whole: Bounds
    alpha: str


class Scope:
    """One call, or the calls of one render. The plug-in's threads may use it at once.

    Args:
        owner: The effect object that is called.
        time: Of the call (frames).
        scale: Render scale, x and y.
        footage: What is connected, by clip.
        layout: How images lie in memory.
        abort: Asked when the plug-in asks.
        temporal: Whether the host gives frames of other times.

    Attributes:
        requests: Times that the plug-in fetched, by clip, in order and with repeats (frames).
        allowed: First and last frames that it said it needs, by clip; None before it was asked.
        complaints: Where it broke the specification.
        messages: What it told people.
        leaked: Images that it did not release.
        raised: What our side raised while the plug-in ran.
        aborted: Whether it was told to stop.
        rendering: Whether the render action runs.
        target: What is rendered into, while it is.
    """

    def __init__(
        self,
        owner: "ScopeOwner",
        *,
        time: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
        footage: Mapping[str, Footage] | None = None,
        layout: RowLayout | None = None,
        abort: Abort | None = None,
        temporal: bool = True,
    ) -> None:
        self.owner = owner
        self.time = time
        self.scale = scale
        self.footage = dict(footage or {})
        self.requests: dict[str, list[float]] = {name: [] for name in self.footage}
        self.allowed: dict[str, tuple[tuple[float, float], ...]] | None = None
        self.complaints: list[str] = []
        self.messages: list[Message] = []
        self.leaked = 0
        self.raised: list[BaseException] = []
        self.aborted = False
        self.rendering = False
        self.target: Target | None = None
        self._layout = layout or RowLayout()
        self._abort = abort
        self._temporal = temporal
        self._serial = next(_serial)
        self._images: dict[int, Image] = {}
        self._pictures: dict[tuple[str, float], Pixels | None] = {}
        self._memories: dict[tuple[str, float], ImageMemory] = {}
        self._lock = threading.RLock()

    def complain(self, text: str) -> None:
        """Notes where the plug-in broke the specification, once."""
        if text not in self.complaints:
            self.complaints.append(text)

    def should_abort(self) -> bool:
        """Whether the plug-in should stop: somebody said so, or our side failed."""
        if not self.aborted and (self.raised or (self._abort is not None and self._abort())):
            self.aborted = True
        return self.aborted

    def picture(self, clip: Clip, time: float) -> Pixels | None:
        """What is connected gives for a time, as it came; asked once for each time."""
        footage = self.footage.get(clip.name)
        if footage is None:
            return None
        with self._lock:  # one at a time: files are read by code that need not be safe for threads
            if (clip.name, time) not in self._pictures:
                self._pictures[clip.name, time] = footage.at(time, clip.name)
            return self._pictures[clip.name, time]

    def open_image(self, clip: Clip, time: float) -> Image:
        """An image handle for the plug-in.

        Raises:
            Refused: There is no picture at that time.
        """
        if clip.is_output:
            return self._open_target(clip, time)
        self.requests.setdefault(clip.name, []).append(time)
        self._check_request(clip, time)
        if time != self.time and not self._temporal:
            self.complain(f"fetched {clip.name} at {time:g} on a host without temporal access")
            raise Refused(Status.FAILED)
        footage = self.footage.get(clip.name)
        picture = self.picture(clip, time)
        if footage is None or picture is None or clip.components is None:
            raise Refused(Status.FAILED)
        with self._lock:
            if (clip.name, time) not in self._memories:
                assert clip.depth is not None
                converted = convert_components(convert_depth(picture, clip.depth), clip.components)
                self._memories[clip.name, time] = ImageMemory.of(converted, self._layout)
            memory = self._memories[clip.name, time]
        x, y = footage.origin_at(time)
        bounds = (x, y, x + memory.width, y + memory.height)
        return self._opened(clip, time, Target(memory, bounds, bounds, ALPHAS[footage.alpha]))

    def release(self, handle: int | None) -> None:
        """Takes an image handle back.

        Raises:
            Refused: The plug-in does not hold it.
        """
        with self._lock:
            image = self._images.pop(handle or 0, None)
        if image is None:
            raise Refused(Status.BAD_HANDLE)
        is_target = self.target is not None and image.memory is self.target.memory
        if not is_target and image.memory.overrun():  # the target is looked at once, after the render
            self.complain(f"wrote outside of the image {image.title}")
        image.close()

    def holds(self, handle: int | None) -> bool:
        """Whether an image was fetched here."""
        return handle in self._images

    def end_action(self, action: str) -> None:
        """After an action: images that were not released are leaked, and what was raised is raised on.

        Raises:
            BaseException: Raised by a callable of ours while the plug-in ran.
        """
        with self._lock:
            left, self._images = list(self._images.values()), {}
        for image in left:
            self.leaked += 1
            self.complain(f"did not release the image {image.title} before {action} ended")
            image.close()
        if self.raised:
            error, self.raised = self.raised[0], []
            raise error

    def _open_target(self, clip: Clip, time: float) -> Image:
        if self.target is None or not self.rendering:
            self.complain("fetched the output outside of the render action")
            raise Refused(Status.FAILED)
        return self._opened(clip, time, self.target)

    def _opened(self, clip: Clip, time: float, placed: Target) -> Image:
        image = Image(
            f"{clip.name} at {time:g}",
            placed.memory,
            placed.bounds,
            placed.whole,
            scale=self.scale,
            pixel_aspect=clip.pixel_aspect,
            premultiplication=placed.alpha,
            identifier=f"{clip.name}/{time!r}/{self._serial}",
        )
        with self._lock:
            self._images[image.handle] = image
        return image

    def _check_request(self, clip: Clip, time: float) -> None:
        if not self.rendering:
            return
        if time != self.time and not clip.temporal:
            self.complain(f"fetched {clip.name} at {time:g} without having asked for temporal access to it")
        ranges = (self.allowed or {}).get(clip.name)
        if ranges is not None and not any(first <= time <= last for first, last in ranges):
            self.complain(f"fetched {clip.name} at {time:g}, which it had not said it needs")


class ScopeOwner:
    """What may be called: keeps the scopes of its calls that run.

    Attributes:
        scopes: Of running calls, the latest last.
    """

    def __init__(self) -> None:
        self.scopes: list[Scope] = []


@contextmanager
def entered(scope: Scope) -> Iterator[Scope]:
    """Calls of this thread use the scope."""
    scope.owner.scopes.append(scope)
    try:
        with adopted(scope):
            yield scope
    finally:
        scope.owner.scopes.remove(scope)


@contextmanager
def adopted(scope: Scope | None) -> Iterator[None]:
    """As `entered`, on a further thread of the same call."""
    stack: list[Scope | None] = _thread.__dict__.setdefault("stack", [])
    stack.append(scope)
    try:
        yield
    finally:
        stack.pop()


def current_scope(owner: object = None) -> Scope | None:
    """The scope of the call that runs.

    Args:
        owner: Whose it must be; None for any.

    Returns:
        That of this thread; on a thread that the plug-in started itself, the owner's latest.
    """
    stack: list[Scope | None] = _thread.__dict__.get("stack", [])
    if stack and stack[-1] is not None and (owner is None or stack[-1].owner is owner):
        return stack[-1]
    if isinstance(owner, ScopeOwner) and owner.scopes:
        return owner.scopes[-1]
    return None


def note_exception(error: BaseException) -> None:
    """Keeps what our side raised in a callback until the action ends."""
    scope = current_scope()
    if scope is not None:
        scope.raised.append(error)
    else:
        _log.error("a function that a plug-in called failed", exc_info=error)
