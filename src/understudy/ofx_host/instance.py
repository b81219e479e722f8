# SPDX-License-Identifier: Apache-2.0
"""One instance of an effect: its parameters, clips and life."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Self

from understudy.contracts.errors import UsageError
from understudy.ofx_host.actions import demand, perform
from understudy.ofx_host.bundles import PluginFile
from understudy.ofx_host.capabilities import Capabilities
from understudy.ofx_host.clips import Clip, Footage, Source, footage_of
from understudy.ofx_host.effect_object import EffectObject
from understudy.ofx_host.images import Bounds
from understudy.ofx_host.names import COLOR_STYLES, Components, Context, Depth, short_name
from understudy.ofx_host.object_properties import EFFECT_INSTANCE
from understudy.ofx_host.parameters import Curve, Parameters, ParameterTable, ParameterValue
from understudy.ofx_host.project import Project, project_facts
from understudy.ofx_host.properties import PropertySet, Rule, Value
from understudy.ofx_host.rendered import Rendered
from understudy.ofx_host.scope import Abort, Scope, current_scope

if TYPE_CHECKING:
    from understudy.ofx_host.clip_formats import InputFormat

_DEEPEST_CHANGES = 8
"""Changes that a plug-in may make in answer to its own; more is a circle."""


Inputs = Mapping[str, Source | None]
"""What is connected, by clip; None for nothing."""


class Instance(EffectObject):
    """An instance; ``Effect.create`` makes it, and ``close`` or a with statement ends it.

    Attributes:
        plugin: Which plug-in.
        host: Capabilities of the host.
        context: How it is used.
        project: What it is part of.
        params: Its parameters, by name.
        clips: Its clips, by name.
        time: Where the timeline stands (frames): what reading a parameter means by now.
        unknown: Properties that the plug-in asked for and that are not there, as ``object: property``.
        depths: Depths that the effect takes and the host has.
    """

    def __init__(
        self,
        plugin: PluginFile,
        host: Capabilities,
        described: PropertySet,
        clips: Mapping[str, PropertySet],
        parameters: ParameterTable,
        *,
        context: Context,
        project: Project,
        descriptor_handle: int,
        render_lock: "threading.RLock | None",
        depths: tuple[Depth, ...],
        interactive: bool,
        closed: Callable[["Instance"], None],
    ) -> None:
        rules = {
            key: rule
            for key, rule in EFFECT_INSTANCE.items()
            if host.speaks_color or not any(word in key for word in ("Colour", "OCIO", "CPURender"))
        }
        super().__init__(PropertySet("effect instance", rules))
        self.plugin, self.host, self.context, self.project = plugin, host, context, project
        self.described = described
        self.depths = depths
        self.time = project.first
        self.unknown: set[str] = set()
        self.render_lock: AbstractContextManager[Any] = render_lock if render_lock is not None else nullcontext()
        self.format_lock = threading.RLock()
        self.format_key: object = None
        self.frame_varying = False
        self.formats: dict[str, InputFormat] = {}
        self.extents: dict[str, Bounds] = {}
        self.running = 0
        self.in_sequence = False
        self._connected: dict[str, Footage] = {}
        self._closed = closed
        self._alive = False
        self._changes = 0
        self.properties.take(described)
        facts = project_facts(project, context, host, described, descriptor_handle, interactive=interactive)
        for name, values in facts.items():
            self.properties.put(name, *values)
        colors = host.speaks_color
        self.clips = {name: Clip(name, properties, self, colors=colors) for name, properties in clips.items()}
        for clip in self.clips.values():
            clip.disconnect()
        self.params = Parameters(parameters, self, self.now, self._edited)
        self.params.properties_handle = self.properties.handle
        self.parameters_handle = self.params.handle
        self._scale_defaults()

    @property
    def style(self) -> str:
        """The color management in use: the strongest that both sides have."""
        name = "OfxImageEffectPropColourManagementStyle"
        style = short_name(COLOR_STYLES, self.properties.text(name)) if name in self.properties else None
        return style or "None"

    def now(self) -> float:
        """The time of the call that runs, or where the timeline stands (frames)."""
        scope = current_scope(self)
        return self.time if scope is None else scope.time

    def start(self, values: Mapping[str, ParameterValue | Curve]) -> None:
        """Sets values and tells the plug-in that the instance is there.

        Raises:
            UsageError: A value is wrong.
            EffectError: The plug-in can't create it.
        """
        self.params.restore(values)
        self.call("OfxActionCreateInstance", self.new_scope())
        self._alive = True

    def connect(self, clip: str, source: Source | None) -> None:
        """Connects an input, for all renders to come; None disconnects it.

        Raises:
            UsageError: The effect has no such input.
        """
        if clip not in self.clips or clip == "Output":
            names = ", ".join(name for name in self.clips if name != "Output")
            raise UsageError(f"the effect has no input '{clip}'", fix=f"it has {names or 'none'}")
        if source is None:
            self._connected.pop(clip, None)
        else:
            self._connected[clip] = footage_of(source)

    def footage(self, inputs: Inputs | None) -> dict[str, Footage]:
        """What is connected, some inputs replaced.

        Raises:
            UsageError: The effect has no such input, or an input that it needs is not connected.
        """
        if inputs is None:
            found = dict(self._connected)
        else:
            kept = self._connected.copy()
            try:
                for name, source in inputs.items():
                    self.connect(name, source)
                found = dict(self._connected)
            finally:
                self._connected = kept
        for name, clip in self.clips.items():
            if not clip.is_output and not clip.optional and name not in found:
                raise UsageError(f"the input {name} is not connected", where=self.plugin.identifier, fix="connect it")
        return found

    def press(self, button: str) -> None:
        """Presses a button.

        Raises:
            UsageError: There is none of that name.
        """
        parameter = self.params.parameter(button)
        if parameter.kind.name != "PushButton":
            raise UsageError(f"'{button}' is a {parameter.kind.name}, not a button", fix="set it")
        self._get_ready()
        self._edited(button)

    def render(
        self,
        time: float,
        inputs: Inputs | None = None,
        *,
        render_scale: tuple[float, float] = (1.0, 1.0),
        depth: Depth = "float",
        components: Components = "RGBA",
        window: Bounds | None = None,
        abort: Abort | None = None,
        draft: bool = False,
        ask_identity: bool = True,
    ) -> Rendered:
        """Renders a frame, as a compositor does: preferences, regions, identity, frames needed, render.

        Any number of threads may call this; the plug-in's thread safety decides which of them wait.

        Args:
            time: Which (frames; need not be whole).
            inputs: What is connected for this render, added to what `connect` connected: an array, a callable that
                gives one for a time, `Footage`, or None for nothing. Arrays are (height, width, channels), top row
                first.
            render_scale: Of the pictures that come in and go out: (0.5, 0.5) is a half-size proxy.
            depth: Of the samples that the effect works on, if it takes them; the nearest deeper one otherwise.
            components: Of the result.
            window: The part to render, pixels (x1, y1, x2, y2, y up), where effect and host can do tiles; None for all.
            abort: Asked whenever the plug-in asks; True stops it.
            draft: Whether the plug-in may be quick and rough.
            ask_identity: Whether the plug-in may answer with one of its inputs unrendered.

        Raises:
            UsageError: Inputs, depth or components do not fit the effect.
            PlateError: What an input gave is no picture.
            EffectError: The plug-in failed; the sentence has what it said.
            JobCancelledError: It was aborted.
            BaseException: What a callable raised while the plug-in ran.
        """
        from understudy.ofx_host.negotiation import Request
        from understudy.ofx_host.render import render_frame

        if not self._alive:
            raise UsageError("the instance is closed", where=self.plugin.identifier, fix="create another")
        scope = Scope(
            self,
            time=float(time),
            scale=render_scale,
            footage=self.footage(inputs),
            layout=self.host.rows,
            abort=abort,
            temporal=self.host.temporal_access or self.context == "Retimer",
        )
        request = Request(depth, components, window, draft=draft, ask_identity=ask_identity)
        return render_frame(self, scope, request)

    @contextmanager
    def sequence(self, first: float, last: float, step: float = 1.0) -> Iterator[None]:
        """Tells the plug-in that all these frames come, before and after, instead of for each.

        Raises:
            EffectError: It can't.
        """
        from understudy.ofx_host.render import sequence_call

        scope = self.new_scope()
        sequence_call(self, scope, "Begin", (first, last), step)
        self.in_sequence = True
        try:
            yield
        finally:
            self.in_sequence = False
            sequence_call(self, scope, "End", (first, last), step)

    @contextmanager
    def editing(self) -> Iterator[None]:
        """Tells the plug-in that a person opens its controls, and closes them at the end.

        Raises:
            EffectError: It can't.
        """
        self.call("OfxActionBeginInstanceEdit", self.new_scope())
        try:
            yield
        finally:
            self.call("OfxActionEndInstanceEdit", self.new_scope())

    def time_domain(self) -> tuple[float, float]:
        """First and last frame that it has anything for; those of its inputs if it does not say."""
        name = "OfxImageEffectPropFrameRange"
        ranges = [self.clips[clip].properties.numbers(name) for clip in self.formats] or [
            (self.project.first, self.project.last)
        ]
        default = (min(one[0] for one in ranges), max(one[1] for one in ranges))
        action = "OfxImageEffectActionGetTimeDomain"
        scope = self.new_scope()
        answer = perform(self.plugin, self, action, scope, None, {name: Rule("double", 2, default)})
        demand(answer, action, self.plugin, self.said(scope))
        first, last = answer.numbers(name) if answer.given else default
        return first, last

    def purge(self) -> None:
        """Asks the plug-in to free what it can make again."""
        self.call("OfxActionPurgeCaches", self.new_scope())

    def saved(self) -> dict[str, bool | int | float | str | tuple[Value, ...]]:
        """Values for a saved document; the plug-in puts its private data into parameters first."""
        self.call("OfxActionSyncPrivateData", self.new_scope())
        return self.params.saved()

    def call(self, action: str, scope: Scope, given: Mapping[str, tuple[Value, ...]] | None = None) -> None:
        """An action without out arguments that must go well.

        Raises:
            EffectError: It did not.
        """
        answer = perform(self.plugin, self, action, scope, given)
        self.unknown |= {f"{action}: {name}" for name in answer.strangers}
        demand(answer, action, self.plugin, self.said(scope))

    def said(self, scope: Scope) -> list[str]:
        """What the plug-in told people in a call; what stands on the node, if nothing."""
        found = [message.text for message in scope.messages if message.kind != "log"]
        standing = self.persistent_message
        if not found and standing is not None and standing.kind in {"error", "fatal"}:
            found = [standing.text]
        return list(dict.fromkeys(found))

    def new_scope(self, *, connected: bool = False) -> Scope:
        """A scope for an action at the timeline's time."""
        footage = self._connected if connected else None
        return Scope(self, time=self.time, footage=footage, layout=self.host.rows)

    def tell_change(self, kind: str, name: str, reason: str) -> None:
        """Tells the plug-in that a parameter or a clip changed; nothing while it is not created yet.

        Args:
            kind: ``OfxTypeParameter`` or ``OfxTypeClip``.
            name: Which.
            reason: ``OfxChangeUserEdited``, ``OfxChangePluginEdited`` or ``OfxChangeTime``.
        """
        if not self._alive:
            return
        if kind == "OfxTypeParameter" and name in self.described.texts("OfxImageEffectPropClipPreferencesSlaveParam"):
            self.format_key = None
        if self._changes >= _DEEPEST_CHANGES:
            return
        self._changes += 1
        try:
            why = {"OfxPropChangeReason": (reason,)}
            what: dict[str, tuple[Value, ...]] = {
                "OfxPropType": (kind,),
                "OfxPropName": (name,),
                "OfxPropTime": (self.now(),),
            }
            self.call("OfxActionBeginInstanceChanged", self.new_scope(), why)
            try:
                self.call("OfxActionInstanceChanged", self.new_scope(connected=True), {**what, **why})
            finally:
                self.call("OfxActionEndInstanceChanged", self.new_scope(connected=True), why)
        finally:
            self._changes -= 1

    def close(self) -> None:
        """Destroys it; no harm in doing so twice."""
        if not self._alive:
            return
        self._alive = False
        try:
            perform(self.plugin, self, "OfxActionDestroyInstance", self.new_scope())
        finally:
            self.forget()

    def forget(self) -> None:
        """Makes all its handles bad."""
        sets = [self.properties, *(clip.properties for clip in self.clips.values())]
        sets += [self.params.parameter(name).properties for name in self.params]
        self.unknown |= {f"{one.title}: {name}" for one in sets for name in one.unknown}
        for clip in self.clips.values():
            clip.close()
        self.params.close()
        self.forget_handles()
        self._closed(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get_ready(self) -> None:
        """Lets the plug-in fetch images before the first render, as an analysis does, if all inputs are connected."""
        from understudy.ofx_host.negotiation import Request, set_formats

        needed = [name for name, clip in self.clips.items() if not clip.is_output and not clip.optional]
        if self.format_key is None and all(name in self._connected for name in needed):
            with self.format_lock:
                set_formats(self, self.new_scope(connected=True), Request("float", "RGBA"))

    def _edited(self, name: str) -> None:
        self.tell_change("OfxTypeParameter", name, "OfxChangeUserEdited")

    def _scale_defaults(self) -> None:
        """Defaults given as parts of the project (``kOfxParamCoordinatesNormalised``) become canonical."""
        size = (self.project.width, self.project.height)
        for name in self.params:
            parameter = self.params.parameter(name)
            properties = parameter.properties
            key = "OfxParamPropDefaultCoordinateSystem"
            if key not in properties or properties.text(key) != "OfxParamCoordinatesNormalised":
                continue
            axes = {"X": size[:1], "Y": size[1:], "XY": size}
            kind = properties.text("OfxParamPropDoubleType").removeprefix("OfxParamDoubleType").removesuffix("Absolute")
            factors = axes.get(kind, ())
            if len(factors) == parameter.kind.size:
                parameter.write([float(value) * by for value, by in zip(parameter.default, factors, strict=True)])
