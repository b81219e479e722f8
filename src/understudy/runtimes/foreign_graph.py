# SPDX-License-Identifier: Apache-2.0
"""A graph made elsewhere, seen under the role's names and in the pack's encoding, by ``[runtime.tensors]``.

What other people's exporters do differently: names of their own, both frames in one input of six channels, values of
0-255 or -1 to 1, blue before red, vectors at a fraction of the size, the time as a whole picture. Each is a line in
the manifest, and undone here around every run of the graph.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from understudy.contracts.errors import PackError
from understudy.contracts.manifest import PackManifest, Role, TensorsSpec
from understudy.contracts.model import Tensor
from understudy.runtimes.outputs import input_names, output_channels

_PICTURES = frozenset({"image", "a", "b"})
_VECTORS = frozenset({"forward", "backward", "to_a", "to_b"})
_MOTION = frozenset({"forward", "backward"})


@dataclass(frozen=True, slots=True)
class Node:
    """An input or output of a graph, as ONNX Runtime has it.

    Attributes:
        name: Its name.
        type: ``tensor(float)`` and so on.
        shape: Sides; a text for a free one.
    """

    name: str
    type: str
    shape: Sequence[int | str]


class Graph(Protocol):
    """What a runtime offers of an open graph."""

    def get_inputs(self) -> Sequence[Any]:
        """Its inputs, `Node` or alike."""
        ...

    def get_outputs(self) -> Sequence[Any]:
        """Its outputs, `Node` or alike."""
        ...

    def run(self, names: Sequence[str], feeds: Mapping[str, Tensor], draft: bool) -> list[Tensor]:  # noqa: FBT001
        """Outputs by name for arrays by input name."""
        ...


class ForeignGraph:
    """A graph under the role's names.

    Args:
        graph: The graph as it is.
        manifest: Its pack's.
        spec: How it differs.
        where: How messages name it.

    Raises:
        PackError: It has no input or output that the manifest names.
    """

    def __init__(self, graph: Graph, manifest: PackManifest, spec: TensorsSpec, where: str) -> None:
        self._graph = graph
        self._spec = spec
        self._where = where
        there = {node.name: node for node in graph.get_inputs()}
        wanted, knobs = input_names(manifest.role), ("scale", "time", *manifest.options)
        known = output_channels(manifest.role)
        for named, ours in ((spec.inputs, (*wanted, *knobs)), (spec.outputs, known)):
            if unknown := [name for name in named if name not in ours]:
                problem = f'the role {manifest.role} has no tensor "{unknown[0]}"'
                raise PackError(problem, where=where, fix=f"it has {', '.join(ours)}; correct [runtime.tensors]")
        named = {name: spec.inputs.get(name, name) for name in knobs}
        self._knobs = {name: there[graph_name] for name, graph_name in named.items() if graph_name in there}
        taken = {node.name for node in self._knobs.values()}
        others = [name for name in there if name not in taken]
        inputs = {name: spec.inputs.get(name, name) for name in wanted}
        if len(wanted) == 1 and len(others) == 1 and wanted[0] not in spec.inputs:
            inputs = {wanted[0]: others[0]}
        # A model between two frames may find its motion itself.
        self._unseen = [n for n in wanted if n in _MOTION and n not in spec.inputs and n not in there]
        inputs = {name: graph_name for name, graph_name in inputs.items() if name not in self._unseen}
        given = {node.name: node for node in graph.get_outputs()}
        outputs = dict(spec.outputs) or {name: name for name in known if name in given}
        if not outputs and len(given) == 1 and manifest.role is Role.UPSCALE:
            outputs = {"image": next(iter(given))}
        for names, found, what in ((inputs, there, "input"), (outputs, given, "output")):
            for name in names.values():
                if name not in found:
                    fix = f"it has {', '.join(found)}; correct [runtime.tensors]"
                    raise PackError(f'it has no {what} "{name}"', where=where, fix=fix)
        if unfed := [name for name in others if name not in inputs.values()]:
            fix = f"the role gives {', '.join((*wanted, *knobs))}; map it in [runtime.tensors]"
            raise PackError(f'nothing feeds its input "{unfed[0]}"', where=where, fix=fix)
        self._inputs, self._outputs = inputs, outputs
        self._sharing = {at: [name for name in inputs if inputs[name] == at] for at in inputs.values()}
        self._shared = {at: [name for name in outputs if outputs[name] == at] for at in outputs.values()}
        self._nodes, self._given, self._order = there, given, wanted

    def get_inputs(self) -> list[Node]:
        """The role's tensors, then what else the graph takes."""
        nodes: list[Node] = []
        for name in self._order:
            if name in self._unseen:
                nodes.append(Node(name, nodes[0].type, ["n", 2, *nodes[0].shape[2:]]))
                continue
            graph_name = self._inputs[name]
            node, shared = self._nodes[graph_name], len(self._sharing[graph_name])
            shape = list(node.shape)
            if len(shape) == 4 and isinstance(shape[1], int):
                if shape[1] % shared:
                    problem = f'its input "{graph_name}" has {shape[1]} channels for {shared} pictures'
                    raise PackError(problem, where=self._where, fix="correct [runtime.tensors]")
                shape[1] //= shared
            nodes.append(Node(name, node.type, shape))
        knobs = self._knobs.items()
        return nodes + [Node(name, node.type, [] if len(node.shape) == 4 else node.shape) for name, node in knobs]

    def get_outputs(self) -> list[Node]:
        """The role's tensors that it gives."""
        given = self._given
        return [Node(name, given[graph].type, given[graph].shape) for name, graph in self._outputs.items()]

    def run(self, names: Sequence[str], feeds: Mapping[str, Tensor], draft: bool) -> list[Tensor]:  # noqa: FBT001
        """One run, by the role's names and in the pack's encoding on both sides."""
        first = feeds[next(iter(self._inputs))]
        whole: dict[str, Tensor] = {}
        for graph_name, shared in self._sharing.items():
            parts = [self._shown(name, feeds[name]) for name in shared]
            whole[graph_name] = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        for name, node in self._knobs.items():
            value = feeds[name]
            if len(node.shape) == 4:  # the time as a picture
                value = np.broadcast_to(value, (first.shape[0], 1, *first.shape[2:]))
            whole[node.name] = np.ascontiguousarray(value)
        wanted = list(dict.fromkeys(self._outputs[name] for name in names))
        results = dict(zip(wanted, self._graph.run(wanted, whole, draft), strict=True))
        answers = ((name, self._part(name, results[self._outputs[name]])) for name in names)
        return [self._taken(name, part, first.shape[2:]) if part.ndim == 4 else part for name, part in answers]

    def _part(self, name: str, result: Tensor) -> Tensor:
        """A tensor's share of an output that holds several."""
        sharing = self._shared[self._outputs[name]]
        if len(sharing) == 1 or result.ndim != 4:
            return result
        if result.shape[1] % len(sharing):
            problem = f'its output "{self._outputs[name]}" has {result.shape[1]} channels for {len(sharing)} tensors'
            raise PackError(problem, where=self._where, fix="correct [runtime.tensors]")
        depth = result.shape[1] // len(sharing)
        at = sharing.index(name) * depth
        return result[:, at : at + depth]

    def _shown(self, name: str, tensor: Tensor) -> Tensor:
        """What the graph sees of a picture."""
        if name not in _PICTURES:
            return tensor
        spec = self._spec
        seen = self._ordered(tensor)
        if (spec.input_gain, spec.input_offset) != (1.0, 0.0):
            seen = seen * seen.dtype.type(spec.input_gain) + seen.dtype.type(spec.input_offset)
        return np.ascontiguousarray(seen)

    def _taken(self, name: str, tensor: Tensor, size: tuple[int, ...]) -> Tensor:
        """What the role sees of the graph's answer."""
        spec = self._spec
        if name in _VECTORS:
            tensor = tensor.astype(np.float32) * np.float32(spec.vectors_gain)
            return _enlarged(tensor, size) if spec.vectors_step > 1 else tensor
        if name not in {"image", "albedo"}:
            return tensor
        if (spec.output_gain, spec.output_offset) != (1.0, 0.0):
            tensor = tensor.astype(np.float32) * np.float32(spec.output_gain) + np.float32(spec.output_offset)
        return self._ordered(tensor)

    def _ordered(self, tensor: Tensor) -> Tensor:
        return tensor[:, ::-1] if self._spec.order == "BGR" and tensor.shape[1] == 3 else tensor


def _enlarged(vectors: Tensor, size: tuple[int, ...]) -> Tensor:
    """Vectors of a smaller field over the whole picture, bilinear; their lengths are left alone."""
    out = np.empty((*vectors.shape[:2], *size), np.float32)
    for batch, field in enumerate(vectors):
        for axis, values in enumerate(field):
            out[batch, axis] = cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return out
