# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph as itself: its own names, types and NCHW layout, memory of the caller's on both sides.

Inputs are read where they lie, and ONNX Runtime writes outputs where they are wanted (IO binding), so a frame in shared
memory is copied by nothing but the graph. Memory is copied only where type or alignment differ.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from understudy.contracts.errors import JobCancelledError, MemoryBudgetError, PackError, UnderstudyError, UsageError
from understudy.contracts.manifest import PackManifest
from understudy.contracts.model import Call, Tensor, TensorSignature, TensorSpec, WhenCancelled
from understudy.runtimes.outputs import output_channels
from understudy.runtimes.providers import import_onnxruntime
from understudy.runtimes.tensor_shapes import (
    as_type,
    check_float,
    check_names,
    check_shape,
    check_sides,
    copy_tensor,
    scaled_sides,
)

DTYPES: Mapping[str, "np.dtype[Any]"] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(bool)": np.dtype(np.bool_),
}
"""NumPy's type for each of ONNX Runtime's that a pack may use."""


class OnnxTensors:
    """A session's own tensors.

    Args:
        session: Of ONNX Runtime; its graph was checked against the manifest.
        manifest: The pack's.
        images: The role's tensor names to graph inputs.
        outputs: The role's tensor names to graph outputs.
        where: How messages name it.
    """

    def __init__(
        self,
        session: Any,
        manifest: PackManifest,
        *,
        images: Mapping[str, str],
        outputs: Mapping[str, str],
        where: str,
    ) -> None:
        self._session = session
        self._run_options = import_onnxruntime().RunOptions
        self._manifest = manifest
        self._images = tuple(images.values())
        self._where = where
        self._channels = {graph: output_channels(manifest.role)[name] for name, graph in outputs.items()}
        self._signature = TensorSignature(
            platform="onnxruntime_onnx",
            layout="NCHW",
            inputs=tuple(_spec(node, optional=node.name not in self._images) for node in session.get_inputs()),
            outputs=tuple(_spec(node) for node in session.get_outputs()),
        )
        self._inputs = {spec.name: spec for spec in self._signature.inputs}
        self._outputs = {spec.name: spec for spec in self._signature.outputs}

    def signature(self) -> TensorSignature:
        """The graph's inputs and outputs; its ``scale``, ``time`` and options are optional."""
        return self._signature

    def output_shapes(self, shapes: Mapping[str, tuple[int, ...]], call: Call, /) -> dict[str, tuple[int, ...]]:
        """The shape of every output.

        Raises:
            UsageError: An input is unknown, missing, or of a shape that the graph does not take.
        """
        check_names(shapes, self._signature.inputs, "input")
        for name, shape in shapes.items():
            check_shape(self._inputs[name], shape)
        sides = {name: (shapes[name][2], shapes[name][3]) for name in self._images}
        height, width = scaled_sides(self._manifest, call, *check_sides(self._manifest, sides))
        channels = shapes[self._images[0]][1]
        found: dict[str, tuple[int, ...]] = {}
        for name, spec in self._outputs.items():
            depth = spec.shape[1] if spec.shape and spec.shape[1] > 0 else self._channels[name] or channels
            found[name] = (1, depth, height, width)
        return found

    def run_tensors(
        self,
        inputs: Mapping[str, Tensor],
        outputs: Mapping[str, Tensor],
        call: Call,
        /,
        *,
        when_cancelled: WhenCancelled | None = None,
    ) -> None:
        """One run of the graph; it stops between two operators.

        Raises:
            UsageError: An input has a type that the graph does not take.
            PackError: The graph failed, or gave an output of another shape.
            MemoryBudgetError: ONNX Runtime ran out of memory.
            JobCancelledError: It was stopped.
        """
        session = self._session
        if session is None:
            raise PackError("the model was closed", where=self._manifest.id)
        binding = session.io_binding()
        for name, tensor in self._feeds(inputs, call).items():
            binding.bind_cpu_input(name, tensor)
        buffers = {name: self._buffer(name, target) for name, target in outputs.items()}
        for name, buffer in buffers.items():
            binding.bind_output(name, "cpu", 0, buffer.dtype, buffer.shape, buffer.ctypes.data)
        options = self._run_options()
        stopped: list[bool] = []

        def stop() -> None:
            stopped.append(True)
            options.terminate = True

        if when_cancelled is not None:
            when_cancelled(stop)
        try:
            session.run_with_iobinding(binding, options)
        except Exception as error:
            if stopped:
                raise JobCancelledError("the job was cancelled") from None
            raise run_failure(error, self._where) from None
        for name, buffer in buffers.items():
            if buffer is not outputs[name]:
                copy_tensor(outputs[name], buffer)

    def close(self) -> None:
        """Drops the session."""
        self._session = None

    def _feeds(self, inputs: Mapping[str, Tensor], call: Call) -> dict[str, Tensor]:
        feeds: dict[str, Tensor] = {}
        for spec in self._signature.inputs:
            if spec.name in self._images:
                check_float(spec.name, inputs[spec.name])
                feeds[spec.name] = as_type(inputs[spec.name], spec.dtype)
            elif spec.name in inputs:
                if inputs[spec.name].dtype != spec.dtype:
                    problem = f"its samples are {inputs[spec.name].dtype}"
                    raise UsageError(problem, where=spec.name, fix=f"send {spec.dtype}")
                feeds[spec.name] = np.require(inputs[spec.name], requirements=["C", "A"])
            else:
                feeds[spec.name] = knob_tensor(self._manifest, spec.name, spec.dtype, len(spec.shape), call)
        return feeds

    def _buffer(self, name: str, target: Tensor) -> Tensor:
        """Where ONNX Runtime writes: the target itself where it can."""
        spec = self._outputs[name]
        if target.dtype == spec.dtype and target.flags.c_contiguous and target.flags.aligned:
            return target
        return np.empty(target.shape, spec.dtype)


def knob_tensor(manifest: PackManifest, name: str, dtype: "np.dtype[Any]", rank: int, call: Call) -> Tensor:
    """A call's ``scale``, ``time`` or option as a graph takes it: a scalar, or one value in a list."""
    value: float | int | bool
    if name == "scale":
        value = float(call.scale)
    elif name == "time":
        value = call.time
    else:
        spec, given = manifest.options[name], call.options[name]
        value = spec.choices.index(str(given)) if spec.type == "choice" else float(given)
    return np.full((1,) * rank, value, dtype=dtype)


_SMALLER = "use smaller tiles, or unload other packs"


def run_failure(error: Exception, where: str) -> UnderstudyError:
    """What ONNX Runtime raised in a run, as our error."""
    text = " ".join(str(error).split())
    if "Failed to allocate memory" in text or "out of memory" in text.lower() or "Available memory of" in text:
        return MemoryBudgetError(f"ONNX Runtime ran out of memory{_wanted(text)}", where=where, fix=_SMALLER)
    return PackError(f"ONNX Runtime failed: {text}"[:500], where=where)


def _wanted(text: str) -> str:
    """How much it wanted, where it says so."""
    if found := re.search(r"requested (?:buffer of size|bytes of) (\d+)", text):
        return f": it wanted {int(found[1]) / 2**20:.0f} MiB more"
    return ""


def _spec(node: Any, *, optional: bool = False) -> TensorSpec:
    shape = tuple(side if isinstance(side, int) and side > 0 else -1 for side in node.shape or ())
    if not optional and len(shape) == 4:
        shape = (1, *shape[1:])
    return TensorSpec(name=node.name, dtype=DTYPES[node.type], shape=shape, optional=optional)
