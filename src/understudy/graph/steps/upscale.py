# SPDX-License-Identifier: Apache-2.0
"""The upscale step."""

from understudy.contracts.jobs import UpscaleParams
from understudy.graph.document import UpscaleNode
from understudy.graph.steps.step import Fetch, Frame, Key, Outcome, Setting, Step, at, numbered


class UpscaleStep:
    """A larger picture of each frame."""

    def __init__(self, name: str, node: UpscaleNode, setting: Setting, source: Step) -> None:
        self.name = name
        self._node = node
        self._setting = setting
        self._source = source

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Those of the input."""
        return self._source.frames

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """The same frame of the input."""
        return (at(self._source, frame),)

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """One picture."""
        params = UpscaleParams(
            kinds=self._node.kinds,
            options=self._node.options,
            draft=self._setting.draft or self._node.quality == "draft",
            tile=self._node.tile,
            scale=self._node.scale,
            confidence=self._node.confidence,
        )
        plates = {"plate": fetch(*at(self._source, frame))}
        result = self._setting.ask(self.name, frame, self._setting.pins[self.name], params, plates)
        plate = numbered(result.plates["plate"], frame)
        return Outcome(plate=plate, confidence=result.confidence, report=result.report)
