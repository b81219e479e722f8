# SPDX-License-Identifier: Apache-2.0
"""A draft node in a render that is none: its inputs are made smaller around it, and its result large again."""

from dataclasses import replace

from understudy.contracts.outline import Outline
from understudy.contracts.plate import Plate
from understudy.graph.steps.step import Ask, Cause, Fetch, Frame, Key, Outcome, Step
from understudy.roles.proxy import Proxy


class DraftedStep:
    """A step that computes on proxies of what it needs.

    Attributes:
        name: The node's name.
        kind: What the step does.
        inner: The step that computes.
    """

    def __init__(self, inner: Step, proxy: Proxy) -> None:
        self.name = inner.name
        self.kind = inner.kind
        self.inner = inner
        self._proxy = proxy

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Those of the step."""
        return self.inner.frames

    @property
    def outline(self) -> Outline:
        """That of the step in a final."""
        return self.inner.outline

    def asks(self, frame: Frame) -> tuple[Ask, ...]:
        """What the step asks, of proxies."""
        asks = self.inner.asks(frame)
        small = self._proxy.small_outline
        return tuple(replace(a, plates={name: small(plate) for name, plate in a.plates.items()}) for a in asks)

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """What the step needs, whole."""
        return self.inner.needs(frame)

    def cause(self, frame: Frame) -> Cause:
        """The step's own, and the size of its proxies."""
        cause = self.inner.cause(frame)
        return replace(cause, facts={**cause.facts, **self._proxy.facts})

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """The step's plate, over the windows that it has in a final."""
        small: dict[Key, Plate] = {}

        def proxies(name: str, number: Frame) -> Plate:
            if (name, number) not in small:
                small[name, number] = self._proxy.shrink(fetch(name, number))
            return small[name, number]

        outcome = self.inner.compute(frame, proxies)
        return replace(outcome, plate=self._proxy.grow(outcome.plate))


def undrafted(step: Step) -> Step:
    """The step itself, or the one that computes within a draft node."""
    return step.inner if isinstance(step, DraftedStep) else step
