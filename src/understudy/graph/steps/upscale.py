# SPDX-License-Identifier: Apache-2.0
"""The upscale step."""

from understudy.contracts.jobs import UpscaleParams
from understudy.graph.document import UpscaleNode
from understudy.graph.steps.step import Cause, Fetch, Frame, Key, Outcome, Setting, Step, at, numbered


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

    def cause(self, frame: Frame) -> Cause:
        """The node and its pack."""
        del frame
        return Cause(facts=self._setting.facts(self._node, self.name))

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """One picture."""
        params = UpscaleParams(
            **self._setting.shared_params(self._node),
            scale=self._node.scale,
            confidence=self._node.confidence,
        )
        plates = {"plate": fetch(*at(self._source, frame))}
        result = self._setting.ask(self.name, frame, params, plates)
        plate = numbered(result.plates["plate"], frame)
        return Outcome(plate=plate, confidence=result.confidence, report=result.report)
