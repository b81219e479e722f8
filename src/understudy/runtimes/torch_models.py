# SPDX-License-Identifier: Apache-2.0
"""Runs packs of TorchScript, and of PyTorch weights whose network spandrel knows.

Nothing is unpickled by Python: TorchScript is read by torch's own reader from bytes whose hash was compared, and
weights are ``.safetensors``. Shapes, names and regions are handled as for a graph (``runtimes.onnx``): a module's
arguments are its inputs, under the names that its ``forward`` gives them.
"""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.contracts.errors import PackError
from understudy.contracts.manifest import TensorsSpec
from understudy.contracts.model import Tensor
from understudy.runtimes.foreign_graph import ForeignGraph, Node
from understudy.runtimes.hwc_tensors import HwcTensors
from understudy.runtimes.load import LoadedModel, PackFiles, Precision
from understudy.runtimes.onnx import GraphModel, graph_plan
from understudy.runtimes.torch_device import import_torch, quiet, torch_device, torch_failure
from understudy.runtimes.torchscript_file import check_torchscript

_FLOAT = "tensor(float)"
_KNOBS = {"float": _FLOAT, "int": "tensor(int64)", "bool": "tensor(bool)"}


@dataclass(frozen=True, slots=True)
class TorchNetwork:
    """A module that is ready to run, on the CPU until it is moved.

    Attributes:
        module: In evaluation mode, float32.
        call: What runs it, with its inputs in order.
        inputs: Name and type of each; ``Tensor``, ``float``, ``int`` or ``bool``.
        outputs: Names of what it returns, in order.
    """

    module: Any
    call: Callable[..., Any]
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]


def load_torch(pack: PackFiles, device: str, *, precision: Precision = "float32") -> LoadedModel:
    """A pack's module on a device, once it was checked against the manifest.

    Args:
        pack: A pack of kind ``torchscript`` or ``spandrel``, its hashes verified.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``openvino``.
        precision: What a service is set to; these packs compute in float32, and say so.

    Raises:
        PackError: Torch or spandrel is missing, or the file is broken or not what the manifest says.
        DeviceUnavailableError: CUDA was asked for by name and is not there.
        MemoryBudgetError: It does not fit.
    """
    manifest, where = pack.manifest, (pack.folder / pack.manifest.runtime.file).as_posix()
    torch = import_torch()
    place, note = torch_device(torch, device)
    network = open_network(pack, where)
    spec = manifest.runtime.tensors or TensorsSpec()
    named = list(spec.inputs.values())
    channels = {name: manifest.contract.channels * max(named.count(name), 1) for name, _ in network.inputs}
    session = TorchSession(torch, network, place, where, channels)
    graph = ForeignGraph(session, manifest, spec, where)
    model = GraphModel(graph.run, manifest, graph_plan(manifest, graph, where), where, session.close)
    notes = [note, f"{manifest.id} has no float16 graph" if precision == "float16" else ""]
    tensors = HwcTensors(model, manifest, "pytorch_libtorch")
    return LoadedModel(model=model, device=place, tensors=tensors, note="; ".join(text for text in notes if text))


def open_network(pack: PackFiles, where: str) -> TorchNetwork:
    """The module of a pack.

    Raises:
        PackError: Its file is broken or changed, or its network is unknown.
    """
    runtime = pack.manifest.runtime
    data = _read(pack.folder / runtime.file, runtime.sha256, where)
    if runtime.kind == "torchscript":
        return open_torchscript(data, where)
    from understudy.runtimes.torch_spandrel import open_weights

    return open_weights(data, where).network


def open_torchscript(data: bytes, where: str) -> TorchNetwork:
    """A module from the bytes of an archive. **This makes its code runnable**: the caller trusts it.

    Raises:
        PackError: It is broken, or takes or returns something else than tensors and numbers.
    """
    check_torchscript(data, where=where)
    torch = import_torch()
    try:
        with quiet():
            module = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
        schema = module.forward.schema
    except Exception as error:
        raise torch_failure(error, where, "torch can't load it") from None
    inputs = tuple((argument.name, _kind(argument.type)) for argument in schema.arguments[1:])
    for name, kind in inputs:
        if kind != "Tensor" and kind not in _KNOBS:
            fix = "wrap it in a module that takes tensors and numbers"
            raise PackError(f'its argument "{name}" is a {kind}', where=where, fix=fix)
    (returned,) = schema.returns
    kind = _kind(returned.type)
    count = 1 if kind == "Tensor" else kind.removeprefix("Tuple[").removesuffix("]").count("Tensor")
    if kind not in {"Tensor", f"Tuple[{', '.join(['Tensor'] * count)}]"}:
        fix = "wrap it in a module that returns one tensor, or a tuple of them"
        raise PackError(f"it returns a {kind}"[:120], where=where, fix=fix)
    outputs = ("output",) if kind == "Tensor" else tuple(f"output{n}" for n in range(count))
    return TorchNetwork(module, module, inputs, outputs)


class TorchSession:
    """A module as a graph: inputs and outputs by name. One thread at a time.

    Args:
        torch: The module torch.
        network: What runs.
        device: ``cpu`` or ``cuda:N``.
        where: How messages name it.
        channels: Of each input, which a module does not tell; 0 for any number.

    Raises:
        MemoryBudgetError: It does not fit on the device.
    """

    def __init__(
        self, torch: Any, network: TorchNetwork, device: str, where: str, channels: Mapping[str, int] | None = None
    ) -> None:
        self._torch = torch
        self._network: TorchNetwork | None = network
        self._device = device
        self._where = where
        self._inputs = network.inputs
        self._outputs = network.outputs
        known = channels or {}
        self._shapes: dict[str, list[int | str]] = {
            name: ["n", known.get(name) or "c", "h", "w"] for name, _ in network.inputs
        }
        try:
            network.module.to(device)
        except Exception as error:
            raise torch_failure(error, where, f"does not go to {device}") from None

    def get_inputs(self) -> list[Node]:
        """The arguments of ``forward``; a lone ``time`` tensor is a picture of it."""
        return [
            Node(name, _KNOBS.get(kind, _FLOAT), self._shapes[name] if kind == "Tensor" else [])
            for name, kind in self._inputs
        ]

    def get_outputs(self) -> list[Node]:
        """What ``forward`` returns."""
        return [Node(name, _FLOAT, ["n", "c", "h", "w"]) for name in self._outputs]

    def run(self, names: Sequence[str], feeds: Mapping[str, Tensor], draft: bool) -> list[Tensor]:  # noqa: FBT001
        """One call; a draft is no different.

        Raises:
            PackError: It failed, or returned something else than it declares.
            MemoryBudgetError: It ran out of memory.
        """
        del draft
        if self._network is None:
            raise PackError("the model was closed", where=self._where)
        torch = self._torch
        try:
            with torch.inference_mode(), quiet():
                given = [self._argument(feeds[name], kind) for name, kind in self._inputs]
                found = self._network.call(*given)
                found = found if isinstance(found, tuple | list) else (found,)
                arrays = [np.ascontiguousarray(tensor.detach().to("cpu", torch.float32).numpy()) for tensor in found]
        except Exception as error:
            raise torch_failure(error, self._where, "it failed") from None
        if len(arrays) != len(self._outputs):
            raise PackError(f"it returned {len(arrays)} tensors, not {len(self._outputs)}", where=self._where)
        by_name = dict(zip(self._outputs, arrays, strict=True))
        return [by_name[name] for name in names]

    def close(self) -> None:
        """Drops the module, and gives a GPU's memory back."""
        self._network = None
        if self._device != "cpu":
            self._torch.cuda.empty_cache()

    def _argument(self, value: Tensor, kind: str) -> Any:
        if kind != "Tensor":
            return {"float": float, "int": int, "bool": bool}[kind](value.reshape(-1)[0])
        return self._torch.from_numpy(np.require(value, requirements=["C", "W"])).to(self._device)


def _kind(type_: Any) -> str:
    return str(type_.annotation_str if hasattr(type_, "annotation_str") else type_)


def _read(path: Path, sha256: str, where: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PackError(f"can't be read: {error.strerror}", where=where) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PackError("changed while the pack was loading", where=where, fix="load the pack again")
    return data
