# SPDX-License-Identifier: Apache-2.0
"""The relight step."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from understudy.contracts.errors import GraphError
from understudy.contracts.jobs import RelightParams
from understudy.contracts.lights import EnvironmentLight, LightRig
from understudy.contracts.outline import Outline, outline_of
from understudy.contracts.plate import Plate, SampleType
from understudy.graph.document import ReadNode, RelightNode
from understudy.graph.lights_file import load_lights
from understudy.graph.steps.read import ReadStep
from understudy.graph.steps.step import Ask, Cause, Fetch, Frame, Key, Outcome, Setting, Step, at, numbered
from understudy.roles.relight.passes import layers_of


class RelightStep:
    """New light on each frame."""

    kind = "relight"

    def __init__(
        self, name: str, node: RelightNode, setting: Setting, source: Step, passes: Mapping[str, Step]
    ) -> None:
        self.name = name
        self._node = node
        self._setting = setting
        self._source = source
        self._passes = dict(passes)
        self._lights = self._rig(node.lights)
        self._present = None if node.present is None else self._rig(node.present)
        self._environments = self._read_environments()
        self._light_frame = self._settled_light_frame()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Those of the input."""
        return self._source.frames

    @cached_property
    def outline(self) -> Outline:
        """That of the input, with the passes that are asked for."""
        given = self._source.outline
        layers = layers_of(self._node.passes, given.channels)
        kind: SampleType = "float" if given.sample_types[0] == "float" else "half"
        return given.plus(tuple(name for layer in layers.values() for name in layer), kind)

    def asks(self, frame: Frame) -> tuple[Ask, ...]:
        """One picture."""
        plates = {"plate": self._source.outline}
        plates |= {name: outline_of(plate) for name, plate in self._environments.items()}
        plates |= {name: step.outline for name, step in self._passes.items()}
        if self._light_frame not in (None, frame):
            plates["present"] = self._source.outline
        return (Ask(node=self.name, name=(frame,), params=self._params, plates=plates),)

    @cached_property
    def _params(self) -> RelightParams:
        node = self._node
        return RelightParams(
            **self._setting.shared_params(node),
            method=node.method,
            lights=self._lights,
            present=self._present,
            normal_space=node.normal_space,
            camera_to_world=node.camera_to_world,
            camera_position=node.camera_position,
            field_of_view=node.field_of_view,
            limit_stops=node.limit_stops,
            passes=node.passes,
        )

    def needs(self, frame: Frame) -> tuple[Key, ...]:
        """The same frame of the input and of each pass, and the frame whose light is the present one."""
        keys = [at(self._source, frame), *(at(step, frame) for step in self._passes.values())]
        if self._light_frame is not None:
            keys.append(at(self._source, self._light_frame))
        return tuple(dict.fromkeys(keys))

    def cause(self, frame: Frame) -> Cause:
        """The node and its pack, the lights themselves and the pictures that shine."""
        facts = dict(self._setting.facts(self._node, self.name))
        for name, rig in (("lights", self._lights), ("present", self._present)):
            facts[name] = (
                None if rig is None else rig.model_dump(mode="json", exclude={"lights": {"__all__": {"file"}}})
            )
        facts["passes_given"] = sorted(self._passes)
        facts["light_frame"] = "own" if self._light_frame in (None, frame) else "other"
        return Cause(facts=facts, files=self._environment_files)

    def compute(self, frame: Frame, fetch: Fetch) -> Outcome:
        """One relit picture."""
        plates = {"plate": fetch(*at(self._source, frame)), **self._environments}
        plates |= {name: fetch(*at(step, frame)) for name, step in self._passes.items()}
        if self._light_frame not in (None, frame):
            plates["present"] = fetch(*at(self._source, self._light_frame))
        result = self._setting.ask(self.name, frame, self._params, plates)
        plate = numbered(result.plates["plate"], frame)
        return Outcome(plate=plate, confidence=result.confidence, report=result.report)

    def _settled_light_frame(self) -> Frame:
        frames = self._source.frames
        if self._present is not None or self._node.method == "aov" or self._node.light_frame == "each":
            return None
        if isinstance(self._node.light_frame, str):
            return frames[0]
        if self._node.light_frame not in frames:
            raise GraphError(f"the input has no frame {self._node.light_frame}", where=f"nodes.{self.name}.light_frame")
        return self._node.light_frame

    def _read_environments(self) -> dict[str, Plate]:
        plates: dict[str, Plate] = {}
        files: list[Path] = []
        for light in (*self._lights.lights, *(self._present.lights if self._present else ())):
            if isinstance(light, EnvironmentLight):
                node = ReadNode(type="read", file=light.file, colorspace=light.colorspace)
                # Whole in a draft too: it is light and no picture, and twice as wide as high to the pixel.
                step = ReadStep(f"{self.name}.environment", node, replace(self._setting, draft=False))
                files += step.files()[:1]  # one for each light, so that which light has which is told
                if f"environment:{light.file}" not in plates:
                    plates[f"environment:{light.file}"] = step.read(step.frames[0]).plate
        self._environment_files = tuple(files)
        return plates

    def _rig(self, lights: str | LightRig) -> LightRig:
        if not isinstance(lights, str):
            return lights
        self._setting.files.require(Path(lights), "read")
        return load_lights(Path(lights))
