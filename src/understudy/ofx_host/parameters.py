# SPDX-License-Identifier: Apache-2.0
"""Parameters: what a plug-in defines in its description, and the values of one instance (``ofxParam.h``)."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

from understudy.contracts.errors import UsageError
from understudy.ofx_host.abi import CustomInterpolation, Refused, Status
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.object_properties import PARAMETER_SET
from understudy.ofx_host.parameter_kinds import PARAMETER_KINDS, ParameterKind, parameter_rules
from understudy.ofx_host.properties import PropertySet, Rule, Value

ParameterValue = bool | int | float | str | Sequence[float] | Sequence[int]
"""A value, or several for a point or a color; a choice is its index or the label of an option."""

Curve = Callable[[float], ParameterValue]
"""A value at a time (frames)."""

_SAME_TIME = 1e-6


class ParameterTable:
    """What a plug-in defines while it describes itself.

    Attributes:
        handle: The plug-in's (``OfxParamSetHandle``).
        properties: Of the set.
        defined: Kind, type string and properties of each parameter, in order.
    """

    def __init__(self) -> None:
        self.properties = PropertySet("parameter set", PARAMETER_SET)
        self.defined: dict[str, tuple[ParameterKind, str, PropertySet]] = {}
        self.handle = HANDLES.add(self)

    def define(self, type_name: str, name: str) -> PropertySet:
        """Adds a parameter.

        Raises:
            Refused: The kind is unknown, or the name is taken.
        """
        if name in self.defined:
            raise Refused(Status.EXISTS)
        kind = PARAMETER_KINDS.get(type_name)
        if kind is None:
            known = type_name in {"OfxParamTypeParametric", "OfxParamTypeBytes"}
            raise Refused(Status.UNSUPPORTED if known else Status.UNKNOWN)
        properties = PropertySet(f"parameter {name}", parameter_rules(kind, name, type_name))
        self.defined[name] = (kind, type_name, properties)
        return properties

    def close(self) -> None:
        """Makes all its handles bad."""
        HANDLES.drop(self.handle)
        self.properties.close()
        for _, _, properties in self.defined.values():
            properties.close()


class Parameter:
    """One parameter of an instance.

    Args:
        kind: Its kind.
        type_name: The string of its kind.
        described: Its properties as the plug-in described them.
        owner: The instance.

    Attributes:
        owner: As given.
        name: As defined.
        kind: Its kind.
        properties: Its own, which the plug-in may change.
        handle: The plug-in's (``OfxParamHandle``).
    """

    def __init__(self, kind: ParameterKind, type_name: str, described: PropertySet, owner: object) -> None:
        self.owner = owner
        self.name = described.text("OfxPropName")
        self.kind = kind
        rules = parameter_rules(kind, self.name, type_name)
        rules["OfxPropType"] = Rule("string", 1, ("OfxTypeParameterInstance",), locked=True)
        self.properties = PropertySet(f"parameter {self.name}", rules)
        self.properties.take(described)
        self._lock = threading.RLock()
        self._curve: Curve | None = None
        self._keys: list[tuple[float, tuple[Value, ...]]] = []
        self._value: tuple[Value, ...] = self.default if kind.storage != "none" else ()
        self.handle = HANDLES.add(self)

    @property
    def label(self) -> str:
        """What a person reads."""
        return self.properties.text("OfxPropLabel")

    @property
    def hint(self) -> str:
        """What a person reads who asks."""
        return self.properties.text("OfxParamPropHint")

    @property
    def parent(self) -> str:
        """The name of its group; empty at the top."""
        return self.properties.text("OfxParamPropParent")

    @property
    def secret(self) -> bool:
        """Whether it is hidden from people."""
        return bool(self.properties.integer("OfxParamPropSecret"))

    @property
    def enabled(self) -> bool:
        """Whether people may change it."""
        return bool(self.properties.integer("OfxParamPropEnabled"))

    @property
    def options(self) -> tuple[str, ...]:
        """Labels of a choice; empty for other kinds."""
        return (
            self.properties.texts("OfxParamPropChoiceOption") if "OfxParamPropChoiceOption" in self.properties else ()
        )

    @property
    def persistent(self) -> bool:
        """Whether its value belongs into a saved document."""
        return self.kind.storage != "none" and bool(self.properties.integer("OfxParamPropPersistant"))

    @property
    def animates(self) -> bool:
        """Whether it may have another value at another time."""
        return self.kind.storage != "none" and bool(self.properties.integer("OfxParamPropAnimates"))

    @property
    def default(self) -> tuple[Value, ...]:
        """Its values at first."""
        return self.properties.values("OfxParamPropDefault")

    @property
    def key_times(self) -> tuple[float, ...]:
        """Times of keys that the plug-in set, ascending (frames)."""
        return tuple(time for time, _ in self._keys)

    def at(self, time: float) -> tuple[Value, ...]:
        """Its values at a time (frames); empty for a kind without."""
        with self._lock:
            if self._curve is not None:
                return self._checked(self._curve(time))
            return self._between_keys(time) if self._keys else self._value

    def shown_at(self, time: float) -> bool | int | float | str | tuple[Value, ...] | None:
        """Its value at a time as Python has it: one value bare, a boolean as such, None for a kind without."""
        values = self.at(time)
        if self.kind.storage == "none":
            return None
        if self.kind.name == "Boolean":
            return bool(values[0])
        return values[0] if self.kind.size == 1 else values

    def assign(self, value: ParameterValue | Curve) -> None:
        """Sets it from the host's side; keys are gone then.

        Raises:
            UsageError: It has no value, or not this one.
        """
        if callable(value):
            if not self.animates:
                raise UsageError("does not animate", where=self.name, fix="give it one value")
            self._checked(value(0.0))
            with self._lock:
                self._curve, self._keys = value, []
        else:
            checked = self._checked(value)
            with self._lock:
                self._curve, self._keys, self._value = None, [], checked
        self._tell_animation()

    def write(self, values: Sequence[Value], time: float | None = None) -> None:
        """Sets it from the plug-in's side: everywhere, or as a key at a time (frames)."""
        with self._lock:
            self._curve = None
            if time is None or not self.animates:
                self._value, self._keys = tuple(values), []
            else:
                self._keys = [key for key in self._keys if abs(key[0] - time) > _SAME_TIME]
                self._keys.append((time, tuple(values)))
                self._keys.sort(key=lambda key: key[0])
        self._tell_animation()

    def delete_keys(self, time: float | None = None) -> bool:
        """Removes the key at a time, or all; False when there was none.

        The last key's value stays as that of the whole parameter.
        """
        with self._lock:
            kept = [] if time is None else [key for key in self._keys if abs(key[0] - time) > _SAME_TIME]
            gone = len(kept) < len(self._keys)
            if gone and not kept:
                self._value = self._keys[-1][1]
            self._keys = kept
        self._tell_animation()
        return gone

    def snapshot(self) -> tuple[Curve | None, list[tuple[float, tuple[Value, ...]]], tuple[Value, ...]]:
        """Its curve, its keys and its value."""
        with self._lock:
            return self._curve, list(self._keys), self._value

    def copy(self, other: "Parameter", offset: float, first: float | None, last: float | None) -> None:
        """Takes over another's value and animation, keys moved by an offset and kept between two times (frames)."""
        curve, keys, value = other.snapshot()
        with self._lock:
            self._value = value
            self._curve = None if curve is None else lambda time: curve(time - offset)
            self._keys = [
                (time + offset, values)
                for time, values in keys
                if first is None or last is None or first <= time <= last
            ]
        self._tell_animation()

    def close(self) -> None:
        """Makes its handles bad."""
        HANDLES.drop(self.handle)
        self.properties.close()

    def _tell_animation(self) -> None:
        if self.kind.storage != "none":
            self.properties.put("OfxParamPropIsAnimating", int(self._curve is not None or bool(self._keys)))

    def _between_keys(self, time: float) -> tuple[Value, ...]:
        index = bisect_left(self.key_times, time)
        if index == len(self._keys):
            return self._keys[-1][1]
        if index == 0 or abs(self._keys[index][0] - time) <= _SAME_TIME:
            return self._keys[index][1]
        (start, before), (end, after) = self._keys[index - 1], self._keys[index]
        amount = (time - start) / (end - start)
        if self.kind.name == "Custom":
            return self._custom_between(time, (start, end), (before[0], after[0]), amount)
        if self.kind.storage != "double" and not self.kind.numeric:
            return before
        mixed = [float(a) + (float(b) - float(a)) * amount for a, b in zip(before, after, strict=True)]
        return tuple(mixed) if self.kind.storage == "double" else tuple(round(value) for value in mixed)

    def _custom_between(
        self, time: float, times: tuple[float, float], texts: tuple[Value, Value], amount: float
    ) -> tuple[Value, ...]:
        callback = self.properties.integer("OfxParamPropCustomCallbackV1")
        if not callback:
            return (texts[0],)
        given = PropertySet(
            "custom interpolation",
            {
                "OfxPropName": Rule("string", 1, (self.name,)),
                "OfxPropTime": Rule("double", 1, (time,)),
                "OfxParamPropCustomValue": Rule("string", 2, texts),
                "OfxParamPropInterpolationTime": Rule("double", 2, times),
                "OfxParamPropInterpolationAmount": Rule("double", 1, (amount,)),
            },
        )
        answer = PropertySet("custom interpolation", {"OfxParamPropCustomValue": Rule("string")})
        try:
            status = CustomInterpolation(callback)(0, given.handle, answer.handle)
            return answer.values("OfxParamPropCustomValue") if status == Status.OK else (texts[0],)
        finally:
            given.close()
            answer.close()

    def _checked(self, value: ParameterValue) -> tuple[Value, ...]:
        if self.kind.storage == "none":
            raise UsageError(f"is a {self.kind.name} and has no value", where=self.name, fix="set another parameter")
        items: Sequence[object] = [value] if isinstance(value, str | bool | int | float) else list(value)
        if len(items) != self.kind.size:
            raise UsageError(f"takes {self.kind.size} values, not {len(items)}", where=self.name, fix="give that many")
        values = tuple(self._one(item) for item in items)
        if self.kind.numeric:
            low, high = self.properties.numbers("OfxParamPropMin"), self.properties.numbers("OfxParamPropMax")
            for number, least, most in zip(values, low, high, strict=True):
                if not least <= float(number) <= most:
                    raise UsageError(f"{number} is out of range", where=self.name, fix=f"use {least:g} to {most:g}")
        return values

    def _one(self, item: object) -> Value:
        if self.kind.name == "Choice":
            return self._option(item)
        if self.kind.storage == "string":
            if not isinstance(item, str) or "\0" in item:
                raise UsageError(f"takes a text, not {item!r}", where=self.name, fix="give a text")
            if self.kind.name == "StrChoice" and item not in self.properties.texts("OfxParamPropChoiceEnum"):
                known = ", ".join(self.properties.texts("OfxParamPropChoiceEnum"))
                raise UsageError(f"has no option '{item}'", where=self.name, fix=f"use one of {known}")
            return item
        if isinstance(item, str) or not hasattr(item, "__float__"):
            raise UsageError(f"takes a number, not {item!r}", where=self.name, fix="give a number")
        number = float(item)
        if self.kind.storage == "double":
            return number
        if number != int(number):
            raise UsageError(f"takes a whole number, not {item!r}", where=self.name, fix="round it")
        return bool(number) + 0 if self.kind.name == "Boolean" else int(number)

    def _option(self, item: object) -> int:
        options = self.options
        if isinstance(item, str) and item in options:
            return options.index(item)
        if isinstance(item, int) and 0 <= item < max(len(options), 1):
            return int(item)
        raise UsageError(f"has no option {item!r}", where=self.name, fix=f"use one of {', '.join(options)}")


class Parameters:
    """The parameters of an instance, by name: ``params["scale"] = 2.0``.

    Reading gives the value at the instance's time. Setting tells the plug-in, as when a person edits.

    Args:
        table: What the plug-in defined for the context.
        owner: The instance.
        clock: The instance's time (frames).
        changed: Told the name of what was set by the host.

    Attributes:
        handle: The plug-in's (``OfxParamSetHandle``).
    """

    def __init__(
        self, table: ParameterTable, owner: object, clock: Callable[[], float], changed: Callable[[str], None]
    ) -> None:
        self._parameters = {
            name: Parameter(kind, type_name, described, owner)
            for name, (kind, type_name, described) in table.defined.items()
        }
        self._clock = clock
        self._changed = changed
        self.properties_handle = 0
        self.handle = HANDLES.add(self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __contains__(self, name: str) -> bool:
        return name in self._parameters

    def __getitem__(self, name: str) -> bool | int | float | str | tuple[Value, ...] | None:
        return self.parameter(name).shown_at(self._clock())

    def __setitem__(self, name: str, value: ParameterValue | Curve) -> None:
        self.parameter(name).assign(value)
        self._changed(name)

    def parameter(self, name: str) -> Parameter:
        """One parameter, with all that is known of it.

        Raises:
            UsageError: There is none of that name.
        """
        if name not in self._parameters:
            raise UsageError(
                f"the effect has no parameter '{name}'", fix=f"it has {', '.join(self._parameters) or 'none'}"
            )
        return self._parameters[name]

    def restore(self, values: Mapping[str, ParameterValue | Curve]) -> None:
        """Sets values without telling the plug-in, as before an instance is created."""
        for name, value in values.items():
            self.parameter(name).assign(value)

    def saved(self) -> dict[str, bool | int | float | str | tuple[Value, ...]]:
        """The values that belong into a saved document, at the instance's time."""
        found = {name: self[name] for name, parameter in self._parameters.items() if parameter.persistent}
        return {name: value for name, value in found.items() if value is not None}

    def close(self) -> None:
        """Makes all handles bad."""
        HANDLES.drop(self.handle)
        for parameter in self._parameters.values():
            parameter.close()
