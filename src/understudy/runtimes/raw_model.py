# SPDX-License-Identifier: Apache-2.0
"""A model file opened as it is, without a pack: to look at what it takes and gives before there is a manifest."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from understudy.contracts.manifest import WeightFile
from understudy.contracts.model import Tensor
from understudy.runtimes.foreign_graph import Graph, Node
from understudy.runtimes.onnx_file import onnx_facts
from understudy.runtimes.onnx_session import open_session
from understudy.runtimes.onnx_source import read_source
from understudy.runtimes.onnx_tensors import DTYPES
from understudy.runtimes.tensor_shapes import as_type

if TYPE_CHECKING:
    from understudy.runtimes.torch_spandrel import KnownWeights


@dataclass(frozen=True, slots=True)
class RawModel:
    """An open model.

    Attributes:
        graph: Runs it.
        files: Further files it needs, by their names beside it.
    """

    graph: Graph
    files: tuple[Path, ...] = ()

    @property
    def inputs(self) -> tuple[Node, ...]:
        """What it takes."""
        return tuple(_node(node) for node in self.graph.get_inputs())

    @property
    def outputs(self) -> tuple[Node, ...]:
        """What it gives."""
        return tuple(_node(node) for node in self.graph.get_outputs())

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs for all inputs, NCHW, in the model's own types.

        Raises:
            UnderstudyError: It failed.
        """
        types = {node.name: DTYPES.get(node.type, np.dtype(np.float32)) for node in self.inputs}
        feeds = {
            name: as_type(value, types[name]) if value.dtype.kind == "f" else value for name, value in feeds.items()
        }
        names = [node.name for node in self.outputs]
        return dict(zip(names, self.graph.run(names, feeds, False), strict=True))


class _Named(Protocol):
    name: str
    type: str
    shape: Sequence[Any] | None


def open_onnx(path: Path, data: bytes) -> RawModel:
    """A graph on the CPU; tensors outside the file lie beside it.

    Args:
        path: The file.
        data: Its bytes.

    Raises:
        PackError: It is broken, unsafe, or a file it needs is not there.
    """
    facts = onnx_facts(data, where=path.as_posix())
    names = sorted(facts.external)
    beside = [path.parent / name for name in names]
    found = [(name, file) for name, file in zip(names, beside, strict=True) if _inside(file, path.parent)]
    weights = tuple(WeightFile(file=name, sha256=_sha256(file.read_bytes())) for name, file in found)
    graph = WeightFile(file=path.name, sha256=_sha256(data))
    return RawModel(open_session(read_source(path.parent, graph, weights), "cpu"), tuple(file for _, file in found))


def open_torch(data: bytes, where: str) -> RawModel:
    """A TorchScript module on the CPU. **This makes its code runnable**: the caller trusts it.

    Raises:
        PackError: Torch is missing, or the file is broken or unsafe.
    """
    from understudy.runtimes.torch_device import import_torch
    from understudy.runtimes.torch_models import TorchSession, open_torchscript

    return RawModel(TorchSession(import_torch(), open_torchscript(data, where), "cpu", where))


def open_weights_file(data: bytes, where: str, *, pickled: bool) -> tuple[RawModel, bytes, "KnownWeights"]:
    """Weights of a network that spandrel knows.

    Args:
        data: The file's bytes.
        where: How messages name it.
        pickled: It is a ``.pth``; its tensors are read, and nothing else.

    Returns:
        The model on the CPU, its weights as a safetensors file, and what spandrel says of it.

    Raises:
        PackError: Spandrel is missing, the file is broken, holds more than weights, or its network is unknown.
    """
    from understudy.runtimes.torch_device import import_torch
    from understudy.runtimes.torch_models import TorchSession
    from understudy.runtimes.torch_spandrel import open_weights, read_pickled_weights, safetensors_of

    plain = safetensors_of(read_pickled_weights(data, where)) if pickled else data
    known = open_weights(plain, where)
    channels = {"x": known.channels}
    return RawModel(TorchSession(import_torch(), known.network, "cpu", where, channels)), plain, known


def _inside(file: Path, folder: Path) -> bool:
    return file.is_file() and file.resolve().is_relative_to(folder.resolve())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _node(node: _Named) -> Node:
    shape = [side if isinstance(side, int) and side > 0 else "free" for side in node.shape or ()]
    return Node(node.name, node.type, shape)
