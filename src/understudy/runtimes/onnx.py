# SPDX-License-Identifier: Apache-2.0
"""Runs ``.onnx`` models through ONNX Runtime, or through OpenVINO where it is asked for.

What a graph must look like (tensors NCHW with N = 1, or free where ``contract.max_batch`` is over 1; float32, or
float16 where ``contract.precisions`` has it; names as in ``understudy.contracts.model``):

- Inputs: the role's tensors (``image``; ``a b``; ``a b forward backward``). A graph with one input and a role with one
  tensor may name it as it likes, and so may a graph with one output and a role that requires one tensor. Further
  inputs may be ``scale`` or ``time`` (float32 scalar or shape [1]) and the pack's options by name (float32, int64 or
  bool scalar; for a choice the index of it, int64).
- ``contract.channels`` 1 or 3 must be the graph's channel axis; 0 needs a free channel axis.
- Height and width are free or fixed. A fixed size is tiled over the image here, overlapped by the radius and with the
  edges repeated, so it needs a radius that leaves something in the middle.
- A motion graph without ``backward`` is run twice, the second time with a and b exchanged.
- An upscaler returns its input's size times the scale; the region is cropped here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from understudy.contracts.errors import PackError
from understudy.contracts.manifest import PackManifest, Role, RuntimeSpec, WeightFile
from understudy.contracts.model import Call, Tensor, Tensors
from understudy.contracts.plate import FloatImage
from understudy.runtimes.foreign_graph import ForeignGraph
from understudy.runtimes.hwc_tensors import HwcTensors
from understudy.runtimes.load import LoadedModel, PackFiles, Precision
from understudy.runtimes.onnx_session import OnnxSession, open_session, without_cuda
from understudy.runtimes.onnx_source import OnnxSource, read_source
from understudy.runtimes.onnx_tensors import DTYPES, OnnxTensors, knob_tensor
from understudy.runtimes.outputs import input_names, output_channels
from understudy.runtimes.providers import cuda_problem
from understudy.runtimes.tensor_shapes import as_type
from understudy.runtimes.warm_up import warm_up_call

_KNOB_TYPES = ("tensor(float)", "tensor(int64)", "tensor(bool)")
_MOST_FIXED_PIXELS = 1 << 26  # every image is padded to a graph's fixed size
GraphRun = Callable[[Sequence[str], Mapping[str, Tensor], bool], list[Tensor]]
"""Outputs by name, arrays by input name, whether it is a draft."""

_EXCHANGED = {"a": "b", "b": "a"}


def load_onnx(pack: PackFiles, device: str, *, precision: Precision = "float32", vram_bytes: int = 0) -> LoadedModel:
    """A pack's graph in a runtime, after it was checked against the manifest.

    A GPU that turns out to have no kernels for the graph is left for the CPU where ``auto`` was asked for, with a note.

    Args:
        pack: A pack of kind ``onnx``, its hashes verified.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``openvino``.
        precision: ``float16`` takes the pack's float16 graph where it has one, and says so.
        vram_bytes: The most that it may take of a GPU's memory; 0 sets no bound.

    Raises:
        PackError: ONNX Runtime is missing, or the file is broken, unsafe or not what the manifest says.
        DeviceUnavailableError: CUDA was asked for by name and is not there.
    """
    graph, note = _chosen(pack.manifest, precision)
    used: Precision = "float32" if graph is pack.manifest.runtime else "float16"
    source = read_source(pack.folder, graph, pack.manifest.weights)
    if device == "openvino":
        return _noted(_in_openvino(pack, source), note, used)
    opened = open_session(source, device, vram_bytes=vram_bytes)
    loaded = _in_onnxruntime(pack, opened)
    if opened.device != "cpu":
        try:
            loaded.model.run(*warm_up_call(pack.manifest))  # a GPU shows only now that it lacks a kernel
        except PackError as error:
            if not (problem := cuda_problem(str(error))):
                raise
            loaded.model.close()
            loaded = _in_onnxruntime(pack, without_cuda(source, device, problem))
    return _noted(loaded, note, used)


def _chosen(manifest: PackManifest, precision: Precision) -> tuple[RuntimeSpec | WeightFile, str]:
    """The graph of a precision, and what to say of the choice."""
    if precision == "float32":
        return manifest.runtime, ""
    if manifest.runtime.float16 is None:
        return manifest.runtime, f"{manifest.id} has no float16 graph"
    return manifest.runtime.float16, "computes in float16"


def _noted(loaded: LoadedModel, note: str, precision: Precision) -> LoadedModel:
    return replace(loaded, note="; ".join(text for text in (loaded.note, note) if text), precision=precision)


def _in_onnxruntime(pack: PackFiles, opened: OnnxSession) -> LoadedModel:
    if (spec := pack.manifest.runtime.tensors) is not None:
        graph = ForeignGraph(opened, pack.manifest, spec, opened.where)
        model = GraphModel(graph.run, pack.manifest, graph_plan(pack.manifest, graph, opened.where), opened.where)
        given = HwcTensors(model, pack.manifest, "onnxruntime_onnx")
        return LoadedModel(
            model=model, device=opened.device, tensors=given, providers=opened.providers, note=opened.note
        )
    plan = graph_plan(pack.manifest, opened.session, opened.where)
    tensors = OnnxTensors(opened.session, pack.manifest, images=plan.images, outputs=plan.outputs, where=opened.where)
    model = GraphModel(opened.run, pack.manifest, plan, opened.where, tensors.close)
    return LoadedModel(model=model, device=opened.device, tensors=tensors, providers=opened.providers, note=opened.note)


def _in_openvino(pack: PackFiles, source: OnnxSource) -> LoadedModel:
    from understudy.runtimes.openvino import OpenVinoSession

    session = OpenVinoSession(source)
    spec = pack.manifest.runtime.tensors
    graph = session if spec is None else ForeignGraph(session, pack.manifest, spec, source.where)
    plan = graph_plan(pack.manifest, graph, source.where)
    model = GraphModel(graph.run, pack.manifest, plan, source.where)
    return LoadedModel(
        model=model,
        device="openvino",
        tensors=HwcTensors(model, pack.manifest, "openvino"),
        draft_note=f"OpenVINO computed this draft in {session.draft_precision}",
        draft_precision=session.draft_precision,
    )


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """How tensors map to a graph.

    Attributes:
        images: Tensor name to graph input.
        knobs: ``scale``, ``time`` or option name to the type and rank of its graph input.
        outputs: Tensor name to graph output.
        channels: The image's channel axis; 0 is free.
        size: Fixed (height, width), or None.
        dtype: What the images are.
    """

    images: Mapping[str, str]
    knobs: Mapping[str, tuple["np.dtype[Any]", int]]
    outputs: Mapping[str, str]
    channels: int
    size: tuple[int, int] | None
    dtype: "np.dtype[Any]"


def graph_plan(manifest: PackManifest, session: Any, where: str) -> GraphPlan:
    """How a role's tensors map to a graph, once both fit.

    Args:
        manifest: The pack's.
        session: The graph: ``get_inputs()`` and ``get_outputs()``, as ONNX Runtime has them.
        where: How messages name it.

    Raises:
        PackError: The graph is not what the manifest says.
    """
    role, wanted = manifest.role, input_names(manifest.role)
    inputs = {node.name: node for node in session.get_inputs()}
    knob_names = {"scale", "time", *manifest.options}
    pictures = [name for name in inputs if name not in knob_names]
    images = {name: name for name in wanted}
    if len(wanted) == 1 and len(pictures) == 1:
        images = {wanted[0]: pictures[0]}
    if set(images.values()) != set(pictures):
        fix = f"name them {', '.join(wanted)}; others may be scale, time or options"
        raise PackError(f"its inputs are {', '.join(inputs)}", where=where, fix=fix)
    types = _image_types(manifest)
    axes = [_axes(inputs[name], types, where) for name in images.values()]
    channels, height, width = axes[0]
    if any(other[1:] != (height, width) for other in axes[1:]) or (height == 0) != (width == 0):
        fix = "give every input the same height and width, all fixed or all free"
        raise PackError("its inputs differ in height or width", where=where, fix=fix)
    if channels != manifest.contract.channels:
        took = f"{channels} channels" if channels else "any number of channels"
        fix = f"write contract.channels = {channels}" if channels in {0, 1, 3} else "export it for 1 or 3 channels"
        raise PackError(f"its input takes {took}, the manifest says {manifest.contract.channels}", where=where, fix=fix)
    if height and (manifest.contract.radius < 0 or min(height, width) <= 2 * _overlap(manifest)):
        fix = "export it with free height and width, or state its true radius"
        problem = f"takes {width}x{height} only, which a radius of {manifest.contract.radius} leaves nothing of"
        raise PackError(problem, where=where, fix=fix)
    batches = [inputs[name].shape[0] for name in images.values()]
    if manifest.contract.max_batch > 1 and 1 in batches:
        problem = f"takes one image a call, and the manifest says contract.max_batch = {manifest.contract.max_batch}"
        raise PackError(problem, where=where, fix="export it with a free batch axis, or leave contract.max_batch out")
    if height * width > _MOST_FIXED_PIXELS:
        raise PackError(f"takes {width}x{height} only", where=where, fix="export it with free height and width")
    if role is Role.UPSCALE and "scale" not in inputs and len(manifest.contract.scales) != 1:
        fix = "write contract.scales with its one factor, or give the graph an input named scale"
        raise PackError("has one scale factor, and the manifest does not name it", where=where, fix=fix)
    return GraphPlan(images, _knobs(inputs, knob_names, where), _outputs(role, session, types, where), channels,
                 (height, width) if height else None, DTYPES[inputs[images[wanted[0]]].type])  # fmt: skip


def _image_types(manifest: PackManifest) -> tuple[str, ...]:
    return ("tensor(float)", "tensor(float16)") if "float16" in manifest.contract.precisions else ("tensor(float)",)


def _axes(node: Any, types: Sequence[str], where: str) -> tuple[int, int, int]:
    """Channels, height and width of an image input; 0 for a free axis."""
    shape = node.shape
    if node.type not in types or len(shape) != 4 or (isinstance(shape[0], int) and shape[0] != 1):
        fix = "export it with float32 inputs of shape (1, channels, height, width)"
        raise PackError(f'its input "{node.name}" is {node.type} {shape}', where=where, fix=fix)
    channels, height, width = (axis if isinstance(axis, int) else 0 for axis in shape[1:])
    return channels, height, width


def _knobs(inputs: Mapping[str, Any], names: set[str], where: str) -> dict[str, tuple["np.dtype[Any]", int]]:
    knobs: dict[str, tuple[np.dtype[Any], int]] = {}
    for name in inputs.keys() & names:
        node = inputs[name]
        if node.type not in _KNOB_TYPES or len(node.shape) > 1:
            fix = "make it a float32, int64 or bool scalar"
            raise PackError(f'its input "{name}" is {node.type} {node.shape}', where=where, fix=fix)
        knobs[name] = (DTYPES[node.type], len(node.shape))
    return knobs


def _outputs(role: Role, session: Any, types: Sequence[str], where: str) -> dict[str, str]:
    nodes = {node.name: node for node in session.get_outputs()}
    if role is Role.UPSCALE and len(nodes) == 1:
        found = {"image": next(iter(nodes))}
    else:
        found = {name: name for name in output_channels(role) if name in nodes}
        if len(found) != len(nodes) or (role is Role.MOTION and "forward" not in found):
            fix = f"name them {', '.join(output_channels(role))}"
            raise PackError(f"its outputs are {', '.join(nodes)}", where=where, fix=fix)
    for name in found.values():
        if nodes[name].type not in types or len(nodes[name].shape or [0, 0, 0, 0]) != 4:
            fix = "export it with float32 outputs of shape (1, channels, height, width)"
            raise PackError(f'its output "{name}" is {nodes[name].type} {nodes[name].shape}', where=where, fix=fix)
    return found


def _overlap(manifest: PackManifest) -> int:
    """The radius grown to a whole number of the network's own cells, so that windows keep their phase."""
    cell = manifest.contract.multiple_of
    return -(-max(manifest.contract.radius, 0) // cell) * cell


class GraphModel:
    """A graph as a model."""

    def __init__(
        self,
        graph: GraphRun,
        manifest: PackManifest,
        plan: GraphPlan,
        where: str,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._graph: GraphRun | None = graph
        self._manifest = manifest
        self._plan = plan
        self._where = where
        self._close = close

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """One call; a graph of one channel is run for each channel of the input."""
        images = {name: tensors[name] for name in self._plan.images}
        first = next(iter(images.values()))
        channels = first.shape[2]
        if self._plan.channels == 1 and channels > 1:
            each = [self._run_whole({k: v[..., c : c + 1] for k, v in images.items()}, call) for c in range(channels)]
            return {name: np.concatenate([out[name] for out in each], axis=2) for name in each[0]}
        if self._plan.channels not in {0, channels}:
            fix = f"give it {self._plan.channels}"
            raise PackError(f"was given {channels} channels", where=self._where, fix=fix)
        out = self._run_whole(images, call)
        if self._manifest.role is Role.MOTION and "backward" not in out:
            back = self._run_whole({_EXCHANGED[name]: image for name, image in images.items()}, call)
            out["backward"] = back["forward"]
            if "forward_confidence" in back:
                out["backward_confidence"] = back["forward_confidence"]
        return out

    def run_batch(self, batch: Sequence[Mapping[str, FloatImage]], calls: Sequence[Call], /) -> Sequence[Tensors]:
        """Several calls as one run of the graph, where one call is one run."""
        channels = next(iter(batch[0].values())).shape[2]
        several = self._manifest.role is Role.MOTION or self._plan.channels not in {0, channels}
        if several or self._plan.size is not None:
            return [self.run(tensors, call) for tensors, call in zip(batch, calls, strict=True)]
        images = {name: np.concatenate([_to_nchw(tensors[name]) for tensors in batch]) for name in self._plan.images}
        outs = self._run_graph(images, calls[0])
        return [
            {name: self._cropped(image, call) for name, image in out.items()}
            for out, call in zip(outs, calls, strict=True)
        ]

    def close(self) -> None:
        """Drops the session."""
        self._graph = None
        self._close()

    def _run_whole(self, images: Mapping[str, FloatImage], call: Call) -> Tensors:
        if self._plan.size is None:
            (out,) = self._run_graph({name: _to_nchw(image) for name, image in images.items()}, call)
        else:
            out = self._run_windows(images, call, self._plan.size)
        return {name: self._cropped(image, call) for name, image in out.items()}

    def _cropped(self, image: FloatImage, call: Call) -> FloatImage:
        region = call.region
        if region is None:
            return image
        left, top = region.x - region.in_x * call.scale, region.y - region.in_y * call.scale
        if left.denominator != 1 or top.denominator != 1:
            problem = f"can't start at input pixel {region.in_x}, {region.in_y} at a scale of {call.scale}"
            raise PackError(problem, where=self._where, fix="use a whole scale factor")
        return image[int(top) : int(top) + region.height, int(left) : int(left) + region.width]

    def _run_windows(self, images: Mapping[str, FloatImage], call: Call, size: tuple[int, int]) -> Tensors:
        """Runs a fixed size over the image; every pixel kept lies at least the radius within its window."""
        overlap = _overlap(self._manifest)
        height, width = next(iter(images.values())).shape[:2]
        step_y, step_x = (side - 2 * overlap for side in size)
        cell = self._manifest.contract.multiple_of
        step_y, step_x = max(step_y // cell * cell, 1), max(step_x // cell * cell, 1)
        rows, columns = range(0, height, step_y), range(0, width, step_x)
        below = rows[-1] + size[0] - overlap - height
        right = columns[-1] + size[1] - overlap - width
        pads = ((overlap, max(below, 0)), (overlap, max(right, 0)), (0, 0))
        padded = {name: np.pad(image, pads, mode="edge") for name, image in images.items()}
        scale = call.scale
        if scale.denominator != 1:
            problem = f"has a fixed size, which can't be tiled at a scale of {scale}"
            raise PackError(problem, where=self._where, fix="use a whole scale factor")
        whole: Tensors = {}
        for y in rows:
            for x in columns:
                window = {k: _to_nchw(v[y : y + size[0], x : x + size[1]]) for k, v in padded.items()}
                kept_h, kept_w = min(step_y, height - y), min(step_x, width - x)
                (parts,) = self._run_graph(window, call)
                for name, out in parts.items():
                    if name not in whole:
                        shape = (int(height * scale), int(width * scale), out.shape[2])
                        whole[name] = np.empty(shape, np.float32)
                    top, left = int(overlap * scale), int(overlap * scale)
                    part = out[top : top + int(kept_h * scale), left : left + int(kept_w * scale)]
                    whole[name][int(y * scale) :, int(x * scale) :][: part.shape[0], : part.shape[1]] = part
        return whole

    def _run_graph(self, images: Mapping[str, FloatImage], call: Call) -> list[Tensors]:
        """One run of the graph on NCHW arrays; for each of the N its outputs as (height, width, channels)."""
        feeds = {self._plan.images[name]: as_type(image, self._plan.dtype) for name, image in images.items()}
        for name, (dtype, rank) in self._plan.knobs.items():
            feeds[name] = knob_tensor(self._manifest, name, dtype, rank, call)
        if self._graph is None:
            raise PackError("the model was closed", where=self._where)
        results = self._graph(list(self._plan.outputs.values()), feeds, call.draft)
        count, _, height, width = next(iter(images.values())).shape
        expected = (int(height * call.scale), int(width * call.scale))
        for name, result in zip(self._plan.outputs, results, strict=True):
            if result.ndim != 4 or result.shape[0] != count or result.shape[2:] != expected:
                problem = f'its output "{name}" has the shape {_shape(result.shape)}'
                size = f"({count}, channels, {expected[0]}, {expected[1]})"
                fix = f"it must be {size} for {'an input' if count == 1 else f'{count} inputs'} of {width}x{height}"
                raise PackError(problem, where=self._where, fix=fix)
        return [
            {
                name: np.ascontiguousarray(result[at].transpose(1, 2, 0), dtype=np.float32)
                for name, result in zip(self._plan.outputs, results, strict=True)
            }
            for at in range(count)
        ]


def _to_nchw(image: FloatImage) -> FloatImage:
    return np.ascontiguousarray(image.transpose(2, 0, 1)[np.newaxis])


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))})"
