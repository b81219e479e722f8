# SPDX-License-Identifier: Apache-2.0
"""Property sets: named, typed, numbered values on every object of OpenFX (``ofxProperty.h``)."""

import ctypes
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from understudy.ofx_host.abi import Refused, Status
from understudy.ofx_host.handles import HANDLES

Kind = Literal["int", "double", "string", "pointer"]
Value = int | float | str

_ZERO: dict[Kind, Value] = {"int": 0, "double": 0.0, "string": "", "pointer": 0}
_LONGEST = 4096
"""Most values of one property: no list of a real effect comes near, and a wild index must not fill the memory."""

_FOLLOWERS = {
    "OfxPropLabel": ("OfxPropShortLabel", "OfxPropLongLabel"),
    "OfxParamPropMin": ("OfxParamPropDisplayMin",),
    "OfxParamPropMax": ("OfxParamPropDisplayMax",),
}
"""Setting one sets the others, as the headers say."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a property may hold.

    Attributes:
        kind: Type of its values.
        size: How many there are; 0 for any number.
        default: Its values at first and after a reset; empty for zeros, empty texts and null.
        locked: The plug-in may read it only.
    """

    kind: Kind
    size: int = 1
    default: tuple[Value, ...] = ()
    locked: bool = False

    def initial(self) -> list[Value]:
        """Values at first."""
        return list(self.default) or [_ZERO[self.kind]] * self.size


class PropertySet:
    """A property set. What starts with ``plugin_`` is the plug-in's side, and answers by raising `Refused`.

    Args:
        title: What it belongs to, for people.
        rules: Its properties by name.

    Attributes:
        title: As given.
        handle: The plug-in's.
        unknown: Names that the plug-in asked for and that are not here.
        misused: Names that the plug-in used as another type, or set though they are read only.
    """

    def __init__(self, title: str, rules: Mapping[str, Rule]) -> None:
        self.title = title
        self.unknown: set[str] = set()
        self.misused: set[str] = set()
        self._rules = dict(rules)
        self._values = {name: rule.initial() for name, rule in rules.items()}
        self._strings: dict[bytes, ctypes.Array[ctypes.c_char]] = {}
        self._lock = threading.Lock()
        self.handle = HANDLES.add(self)

    def close(self) -> None:
        """Makes its handle bad."""
        HANDLES.drop(self.handle)

    def __contains__(self, name: str) -> bool:
        return name in self._rules

    def names(self) -> tuple[str, ...]:
        """All property names."""
        return tuple(self._rules)

    def values(self, name: str) -> tuple[Value, ...]:
        """All values of a property."""
        return tuple(self._values[name])

    def integer(self, name: str, index: int = 0) -> int:
        """One value of an ``int`` or ``pointer`` property."""
        return int(self._values[name][index])

    def number(self, name: str, index: int = 0) -> float:
        """One value of a ``double`` or ``int`` property."""
        return float(self._values[name][index])

    def text(self, name: str, index: int = 0) -> str:
        """One value of a ``string`` property."""
        return str(self._values[name][index])

    def numbers(self, name: str) -> tuple[float, ...]:
        """All values of a ``double`` or ``int`` property."""
        return tuple(float(value) for value in self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of a ``string`` property."""
        return tuple(str(value) for value in self._values[name])

    def put(self, name: str, *values: Value) -> None:
        """Sets a property whole, from the host's side."""
        with self._lock:
            self._values[name] = list(values)

    def define(self, name: str, rule: Rule) -> None:
        """Adds a property, or gives one another rule."""
        with self._lock:
            self._rules[name] = rule
            self._values[name] = rule.initial()

    def take(self, other: "PropertySet") -> None:
        """Copies values of properties that both have, but for what an object is (its type)."""
        with self._lock:
            for name, values in other._values.items():  # noqa: SLF001 - of its own class
                if name in self._rules and name != "OfxPropType":
                    self._values[name] = list(values)

    def _rule(self, name: str) -> Rule:
        rule = self._rules.get(name)
        if rule is None:
            self.unknown.add(name)
            raise Refused(Status.UNKNOWN)
        return rule

    def _writable(self, name: str, kind: Kind) -> Rule:
        rule = self._rule(name)
        if rule.kind != kind or rule.locked:
            self.misused.add(name)
            raise Refused(Status.VALUE)
        return rule

    def _readable(self, name: str, kind: Kind) -> list[Value]:
        if self._rule(name).kind != kind:
            self.misused.add(name)
            raise Refused(Status.UNKNOWN)
        return self._values[name]

    def plugin_set(self, name: str, kind: Kind, index: int, value: Value) -> None:
        """One value; beyond the end of a free list it grows."""
        rule = self._writable(name, kind)
        if index < 0 or index >= (rule.size or _LONGEST):
            raise Refused(Status.BAD_INDEX)
        with self._lock:
            for follower in (name, *_FOLLOWERS.get(name, ())):
                if follower in self._rules:
                    values = self._values[follower]
                    values.extend([_ZERO[kind]] * (index + 1 - len(values)))
                    values[index] = value

    def plugin_set_all(self, name: str, kind: Kind, values: Sequence[Value]) -> None:
        """The first values; a free list then has just these."""
        rule = self._writable(name, kind)
        if len(values) > (rule.size or _LONGEST):
            raise Refused(Status.BAD_INDEX)
        if not rule.size:
            self.put(name)
        for index, value in enumerate(values):
            self.plugin_set(name, kind, index, value)

    def plugin_get(self, name: str, kind: Kind, index: int) -> Value:
        """One value."""
        values = self._readable(name, kind)
        if not 0 <= index < len(values):
            raise Refused(Status.BAD_INDEX)
        return values[index]

    def plugin_get_all(self, name: str, kind: Kind, count: int) -> list[Value]:
        """The first values, as many as asked for."""
        values = self._readable(name, kind)
        if not 0 <= count <= len(values):
            raise Refused(Status.BAD_INDEX)
        return values[:count]

    def plugin_reset(self, name: str) -> None:
        """Its values at first."""
        rule = self._rule(name)
        self._writable(name, rule.kind)
        self.put(name, *rule.initial())

    def plugin_size(self, name: str) -> int:
        """How many values it has now."""
        self._rule(name)
        return len(self._values[name])

    def c_string(self, text: str) -> int:
        """The address of a text as a C string; it holds as long as the set does."""
        raw = text.encode("utf-8", "surrogateescape")
        with self._lock:
            buffer = self._strings.get(raw)
            if buffer is None:
                buffer = self._strings[raw] = ctypes.create_string_buffer(raw)
        return ctypes.addressof(buffer)
