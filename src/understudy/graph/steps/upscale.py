# SPDX-License-Identifier: Apache-2.0
"""The upscale step."""

from dataclasses import replace
from functools import cached_property

from understudy.contracts.jobs import UpscaleParams
from understudy.contracts.outline import Outline
from understudy.graph.document import UpscaleNode
from understudy.graph.steps.step import Ask, Cause, Fetch, Frame, Key, Outcome, Setting, Step, at, numbered
from understudy.roles.proxy import standing_for_scaled

CONFIDENCE = "confidence.Y"


class UpscaleStep:
    """A larger picture of each frame."""

    kind = "upscale"

    def __init__(self, name: str, node: UpscaleNode, setting: Setting, source: Step) -> None:
        self.name = name
        self._node = node
        self._setting = setting
        self._source = source

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Those of the input."""
        return self._source.frames

    @cached_property
    def outline(self) -> Outline:
        """That of the input, scaled."""
        given = self._source.outline
        windows = {name: getattr(given, name).scaled(self._node.scale) for name in ("data_window", "display_window")}
        scored = self._node.confidence and self._node.scale >= 1
        return replace(given.plus((CONFIDENCE,) if scored else (), "half"), **windows)

    def asks(self, frame: Frame) -> tuple[Ask, ...]:
        """One picture."""
        return (Ask(node=self.name, name=(frame,), params=self._params, plates={"plate": self._source.outline}),)

    @property
    def _params(self) -> UpscaleParams:
        return UpscaleParams(
            **self._setting.shared_params(self._node),
            scale=self._node.scale,
            confidence=self._node.confidence,
        )

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """The same frame of the input."""
        return (at(self._source, frame),)

    def cause(self, frame: Frame) -> Cause:
        """The node and its pack."""
        del frame
        return Cause(facts=self._setting.facts(self._node, self.name))

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """One picture."""
        plates = {"plate": fetch(*at(self._source, frame))}
        result = self._setting.ask(self.name, frame, self._params, plates)
        plate = standing_for_scaled(numbered(result.plates["plate"], frame), self._node.scale)
        return Outcome(plate=plate, confidence=result.confidence, report=result.report)
