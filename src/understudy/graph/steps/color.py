# SPDX-License-Identifier: Apache-2.0
"""The color step: another scene-linear space."""

from dataclasses import replace

from understudy.contracts.errors import GraphError
from understudy.contracts.outline import Outline
from understudy.graph.document import ColorNode
from understudy.graph.steps.step import Ask, Cause, Fetch, Frame, Key, Outcome, Setting, Step, at
from understudy.graph.working_space import convert


class ColorStep:
    """Converts each frame."""

    kind = "color"

    def __init__(self, name: str, node: ColorNode, setting: Setting, source: Step) -> None:
        self.name = name
        self._source = source
        self._color = setting.color
        self._target = setting.color.resolve(node.to)
        if not setting.color.is_scene_linear(self._target):
            raise GraphError(
                f"{self._target!r} is not scene-linear, and nodes compute in scene-linear light",
                where=f"nodes.{name}.to",
                fix="set colorspace on the write node instead",
            )

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Those of the input."""
        return self._source.frames

    @property
    def outline(self) -> Outline:
        """That of the input."""
        return self._source.outline

    def asks(self, frame: Frame) -> tuple[Ask, ...]:
        """Nothing of the engine."""
        del frame
        return ()

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """The same frame of the input."""
        return (at(self._source, frame),)

    def cause(self, frame: Frame) -> Cause:
        """The space."""
        del frame
        return Cause(facts={"type": "color", "to": self._target})

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """One converted picture."""
        plate = convert(fetch(*at(self._source, frame)), self._target, self._color)
        return Outcome(plate=replace(plate, storage=replace(plate.storage, colorspace=self._target)))
