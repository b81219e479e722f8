# SPDX-License-Identifier: Apache-2.0
"""Runs ONNX packs through OpenVINO on the CPU, where the device ``openvino`` is asked for by name.

OpenVINO computes in bfloat16 by itself where a machine can, with an error of a hundredth; here it computes in float32
but for drafts. Its results are close to ONNX Runtime's and not the same bytes, so it is never chosen silently.
"""

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import MemoryBudgetError, PackError, UnderstudyError
from understudy.contracts.model import Tensor
from understudy.runtimes.onnx_source import OnnxSource

_TYPES = {"f32": "tensor(float)", "f16": "tensor(float16)", "i64": "tensor(int64)", "boolean": "tensor(bool)"}
_DRAFTS = (("BF16", "bf16"), ("FP16", "f16"))


@dataclass(frozen=True, slots=True)
class Node:
    """An input or output, as ONNX Runtime tells of one.

    Attributes:
        name: The graph's name for it.
        type: ``tensor(float)``.
        shape: Sides; text for a free one.
    """

    name: str
    type: str
    shape: list[int | str]


class OpenVinoSession:
    """A compiled model.

    Args:
        source: A model that was looked into.

    Raises:
        PackError: OpenVINO is missing, or can't load the model.
    """

    def __init__(self, source: OnnxSource) -> None:
        if source.files:
            fix = "save the model as one file, or choose the device cpu"
            raise PackError("OpenVINO is given models of one file only", where=source.where, fix=fix)
        self._where = source.where
        core = import_openvino().Core()
        self._core = core
        try:
            self._model = core.read_model(source.data)
            self._exact = self._compiled("f32")
        except Exception as error:
            raise _failure(error, source.where, "can't load it") from None
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.draft_precision = next((hint for name, hint in _DRAFTS if name in able), "f32")
        """What drafts are computed in."""
        self._draft: Any = None
        self._compiling = threading.Lock()

    def get_inputs(self) -> list[Node]:
        """The graph's inputs."""
        return [_node(port) for port in self._model.inputs]

    def get_outputs(self) -> list[Node]:
        """The graph's outputs."""
        return [_node(port) for port in self._model.outputs]

    def run(self, names: Sequence[str], feeds: Mapping[str, Tensor], draft: bool) -> list[Tensor]:  # noqa: FBT001
        """One run of the graph, in float32 or, for a draft, in what the machine is fastest in.

        Raises:
            PackError: It failed.
            MemoryBudgetError: It ran out of memory.
        """
        try:
            compiled = self._drafting() if draft and self.draft_precision != "f32" else self._exact
            found = compiled.create_infer_request().infer(dict(feeds))
            return [np.array(found[compiled.output(name)]) for name in names]
        except Exception as error:
            raise _failure(error, self._where, "failed") from None

    def _drafting(self) -> Any:
        with self._compiling:
            if self._draft is None:
                self._draft = self._compiled(self.draft_precision)
            return self._draft

    def _compiled(self, precision: str) -> Any:
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": available_cores(),
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # other models want the cores too
        }
        return self._core.compile_model(self._model, "CPU", settings)


def import_openvino() -> Any:
    """The module, without its telemetry: importing it would tell Intel's server that it was imported.

    Raises:
        PackError: It is not installed, or does not import.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes an import fail
    try:
        import openvino
    except ImportError as error:
        text = " ".join(str(error).split())
        fix = "pip install 'understudy[openvino]', or choose the device cpu"
        raise PackError(f"OpenVINO does not import: {text}", where="device openvino", fix=fix) from None
    return openvino


def openvino_version() -> str:
    """Its version; empty when it is not installed."""
    try:
        return metadata.version("openvino")
    except metadata.PackageNotFoundError:
        return ""


def _node(port: Any) -> Node:
    shape: list[int | str] = [side.get_length() if side.is_static else "free" for side in port.partial_shape]
    kind = port.element_type.get_type_name()
    return Node(port.get_any_name(), _TYPES.get(kind, f"tensor({kind})"), shape)


def _failure(error: Exception, where: str, what: str) -> UnderstudyError:
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "bad_alloc" in text or "out of memory" in text.lower():
        return MemoryBudgetError("OpenVINO ran out of memory", where=where, fix="use smaller tiles")
    return PackError(f"OpenVINO {what}: {text}"[:500], where=where)
