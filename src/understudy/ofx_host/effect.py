# SPDX-License-Identifier: Apache-2.0
"""A loaded plug-in: what it says of itself, and instances of it."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from understudy.contracts.errors import EffectError, UsageError
from understudy.ofx_host.actions import demand, perform
from understudy.ofx_host.bundles import PluginFile
from understudy.ofx_host.capabilities import Capabilities
from understudy.ofx_host.clips import ClipTable
from understudy.ofx_host.effect_object import EffectObject
from understudy.ofx_host.instance import Instance
from understudy.ofx_host.message import Message
from understudy.ofx_host.names import CONTEXTS, DEPTHS, Context, Depth, ofx_name, short_names
from understudy.ofx_host.object_properties import EFFECT_DESCRIPTOR
from understudy.ofx_host.parameters import Curve, ParameterTable, ParameterValue
from understudy.ofx_host.project import Project
from understudy.ofx_host.properties import PropertySet
from understudy.ofx_host.scope import Scope

ThreadSafety = Literal["unsafe", "instance", "full"]
"""Renders at a time: one in all, one for each instance, or any number."""

_SAFETY: dict[str, ThreadSafety] = {
    "OfxImageEffectRenderUnsafe": "unsafe",
    "OfxImageEffectRenderInstanceSafe": "instance",
    "OfxImageEffectRenderFullySafe": "full",
}

_MANDATED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Generator": (("Output",), ()),
    "Filter": (("Source", "Output"), ()),
    "Transition": (("SourceFrom", "SourceTo", "Output"), ("Transition",)),
    "Paint": (("Source", "Brush", "Output"), ()),
    "General": (("Output",), ()),
    "Retimer": (("Source", "Output"), ("SourceTime",)),
}
"""Clips and parameters that an effect must define in a context (OpenFX 1.5, "Image Effect Contexts")."""


class Descriptor(EffectObject):
    """What a plug-in describes itself in: once, and then for each context.

    Args:
        plugin: Which.
        host: Its capabilities.
        base: The description that a context starts from.

    Attributes:
        clips: Clips that it defines.
        parameters: Parameters that it defines.
    """

    def __init__(self, plugin: PluginFile, host: Capabilities, base: "Descriptor | None" = None) -> None:
        rules = {key: rule for key, rule in EFFECT_DESCRIPTOR.items() if host.speaks_color or "Colour" not in key}
        super().__init__(PropertySet("effect descriptor", rules))
        for label in ("OfxPropLabel", "OfxPropShortLabel", "OfxPropLongLabel"):
            self.properties.put(label, plugin.identifier)
        self.properties.put("OfxPluginPropFilePath", str(plugin.bundle))
        if base is not None:
            self.properties.take(base.properties)
        self.clips = ClipTable()
        self.parameters = ParameterTable()
        self.parameters_handle = self.parameters.handle

    def close(self) -> None:
        """Makes all handles bad."""
        self.clips.close()
        self.parameters.close()
        self.forget_handles()


@dataclass(frozen=True, slots=True)
class Description:
    """What a plug-in says of itself.

    Attributes:
        label: For people.
        grouping: The menu that it belongs into; empty for none.
        description: What it does, for people.
        contexts: How it may be used here.
        depths: Depths that it takes and this host has, its own order.
        thread_safety: Renders at a time.
        multi_resolution: Whether images may have any size and origin.
        tiles: Whether it can render a part of a frame.
        temporal: Whether it fetches other frames.
    """

    label: str
    grouping: str
    description: str
    contexts: tuple[Context, ...]
    depths: tuple[Depth, ...]
    thread_safety: ThreadSafety
    multi_resolution: bool
    tiles: bool
    temporal: bool


class Effect:
    """A plug-in that is loaded and described; ``Host.load`` makes it.

    Args:
        plugin: Which.
        host: Its capabilities.
        released: Called once it is unloaded.

    Raises:
        EffectError: It can't load, describes itself wrongly, or has nothing in common with this host.

    Attributes:
        plugin: As given.
        description: What it says of itself.
        host: As given.
        unknown: Properties that it asked for and that are not there, as ``object: property``; no error by itself.
    """

    def __init__(self, plugin: PluginFile, host: Capabilities, released: Callable[[], None]) -> None:
        self.plugin = plugin
        self.host = host
        self.unknown: set[str] = set()
        self.render_lock = threading.RLock()
        self._released = released
        self._contexts: dict[str, Descriptor] = {}
        self._instances: list[Instance] = []
        self._lock = threading.RLock()
        self.descriptor = Descriptor(plugin, host)
        try:
            self._call(None, "OfxActionLoad")
            try:
                self._call(self.descriptor, "OfxActionDescribe")
                self.description = self._described()
            except BaseException:
                perform(plugin, None, "OfxActionUnload", Scope(self.descriptor))
                raise
        except BaseException:
            self.descriptor.close()
            raise

    @property
    def messages(self) -> tuple[Message, ...]:
        """What it said while it described itself."""
        found = [*self.descriptor.messages]
        for descriptor in self._contexts.values():
            found += descriptor.messages
        return tuple(found)

    def create(
        self,
        context: Context = "General",
        project: Project | None = None,
        *,
        values: Mapping[str, ParameterValue | Curve] | None = None,
        interactive: bool = False,
    ) -> Instance:
        """A new instance.

        Args:
            context: How it is used.
            project: What it is part of.
            values: Values of parameters, as from a saved document: set before the plug-in is told of the instance.
            interactive: Whether a person edits it.

        Raises:
            UsageError: It does not work in this context, or a value is wrong.
            EffectError: It breaks the rules of the context, or could not create the instance.
        """
        with self._lock:
            single = self.descriptor.properties.integer("OfxImageEffectPluginPropSingleInstance")
            if single and self._instances:
                raise UsageError("there may be only one instance of it", where=self.plugin.identifier, fix="close it")
            descriptor = self._context(context)
            instance = Instance(
                self.plugin,
                self.host,
                descriptor.properties,
                descriptor.clips.defined,
                descriptor.parameters,
                context=context,
                project=project or Project(),
                descriptor_handle=self.descriptor.handle,
                render_lock={"unsafe": self.render_lock, "instance": threading.RLock()}.get(
                    self.description.thread_safety
                ),
                depths=self.description.depths,
                interactive=interactive,
                closed=self._forget,
            )
            try:
                instance.start(values or {})
            except BaseException:
                instance.forget()
                raise
            self._instances.append(instance)
            return instance

    def unload(self) -> None:
        """Closes its instances and unloads it; the binary stays in this process."""
        with self._lock:
            for instance in list(self._instances):
                instance.close()
            try:
                self._call(None, "OfxActionUnload")
            finally:
                self._note_unknown()
                for descriptor in self._contexts.values():
                    descriptor.close()
                self._contexts.clear()
                self.descriptor.close()
                self._released()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unload()

    def _forget(self, instance: Instance) -> None:
        with self._lock:
            self.unknown |= instance.unknown
            if instance in self._instances:
                self._instances.remove(instance)

    def _note_unknown(self) -> None:
        sets = [self.descriptor.properties]
        for descriptor in self._contexts.values():
            sets += [descriptor.properties, *descriptor.clips.defined.values()]
            sets += [properties for _, _, properties in descriptor.parameters.defined.values()]
        self.unknown |= {f"{one.title}: {name}" for one in sets for name in one.unknown}

    def _call(self, target: Descriptor | None, action: str, context: str = "") -> None:
        scope = Scope(target or self.descriptor)
        given = {"OfxImageEffectPropContext": (context,)} if context else None
        answer = perform(self.plugin, target, action, scope, given)
        said = [message.text for message in scope.messages if message.kind != "log"]
        demand(answer, action, self.plugin, said)
        self._note_unknown()

    def _described(self) -> Description:
        properties = self.descriptor.properties
        depths = short_names(DEPTHS, properties.texts("OfxImageEffectPropSupportedPixelDepths"))
        contexts = short_names(CONTEXTS, properties.texts("OfxImageEffectPropSupportedContexts"))
        shared_contexts = tuple(one for one in contexts if one in self.host.contexts)
        shared_depths = tuple(one for one in depths if one in self.host.depths)
        for what, theirs, shared in (("contexts", contexts, shared_contexts), ("depths", depths, shared_depths)):
            if not shared:
                raise EffectError(
                    f"the effect and the host have no {what} in common: the effect has {', '.join(theirs) or 'none'}",
                    where=self.plugin.identifier,
                    fix="use another host",
                )
        safety = properties.text("OfxImageEffectPluginRenderThreadSafety")
        return Description(
            label=properties.text("OfxPropLabel"),
            grouping=properties.text("OfxImageEffectPluginPropGrouping"),
            description=properties.text("OfxPropPluginDescription"),
            contexts=shared_contexts,
            depths=shared_depths,
            thread_safety=_SAFETY.get(safety, "unsafe"),
            multi_resolution=bool(properties.integer("OfxImageEffectPropSupportsMultiResolution")),
            tiles=bool(properties.integer("OfxImageEffectPropSupportsTiles")),
            temporal=bool(properties.integer("OfxImageEffectPropTemporalClipAccess")),
        )

    def _context(self, context: Context) -> Descriptor:
        ofx = ofx_name(CONTEXTS, context, "context")
        if context not in self.description.contexts:
            raise UsageError(
                f"the effect does not work in the context {context}",
                where=self.plugin.identifier,
                fix=f"use one of {', '.join(self.description.contexts)}",
            )
        if context not in self._contexts:
            descriptor = Descriptor(self.plugin, self.host, self.descriptor)
            descriptor.properties.put("OfxImageEffectPropContext", ofx)
            try:
                self._call(descriptor, "OfxImageEffectActionDescribeInContext", ofx)
                self._check_context(context, descriptor)
            except BaseException:
                descriptor.close()
                raise
            self._contexts[context] = descriptor
        return self._contexts[context]

    def _check_context(self, context: Context, descriptor: Descriptor) -> None:
        clips, parameters = _MANDATED[context]
        missing = [name for name in clips if name not in descriptor.clips.defined]
        missing += [name for name in parameters if name not in descriptor.parameters.defined]
        silent = [
            name
            for name, properties in descriptor.clips.defined.items()
            if not properties.texts("OfxImageEffectPropSupportedComponents")
        ]
        if missing or silent:
            problem = f"did not define {', '.join(missing)}" if missing else f"names no components of {silent[0]}"
            raise EffectError(
                f"the effect {problem} in the context {context}", where=self.plugin.identifier, fix="ask its maker"
            )
