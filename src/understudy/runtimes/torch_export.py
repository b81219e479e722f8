# SPDX-License-Identifier: Apache-2.0
"""Writes modules for other programs, and reads them back to see that they still say the same."""

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.contracts.errors import PackError
from understudy.contracts.manifest import PackManifest
from understudy.runtimes.load import PackFiles
from understudy.runtimes.onnx_graph import read_graph
from understudy.runtimes.onnx_source import read_source
from understudy.runtimes.torch_device import import_torch, quiet, torch_failure
from understudy.runtimes.torch_from_onnx import module_of
from understudy.runtimes.torch_models import open_network

OPSET = 17
INPUT, OUTPUT = "frame", "result"

_EXAMPLE = (64, 80)


@dataclass(frozen=True, slots=True)
class Written:
    """What a module became.

    Attributes:
        data: The file's bytes.
        torch: The version of torch that wrote it.
    """

    data: bytes
    torch: str


def network_of(pack: PackFiles, scale: int) -> Any:
    """The network of a pack as a torch module, its values still in the pack's encoding and range.

    Args:
        pack: A pack of kind ``onnx``, ``torchscript`` or ``spandrel``, or a Python pack with a graph for each factor;
            its hashes verified.
        scale: The factor: which graph is taken, and what a graph's input ``scale`` becomes.

    Raises:
        PackError: Torch is missing, the file is broken, or it has operators that can't be written for others.
    """
    manifest = pack.manifest
    chosen = manifest.runtime.graphs.get(f"x{scale}", manifest.runtime)
    where = (pack.folder / chosen.file).as_posix()
    if manifest.runtime.kind in {"torchscript", "spandrel"}:
        return open_network(pack, where).module
    graph = read_graph(read_source(pack.folder, chosen, manifest.weights))
    knobs = {name: _knob(manifest, name, scale, graph.ranks.get(name, 0)) for name in graph.inputs}
    constants = {name: value for name, value in knobs.items() if value is not None}
    pictures = [name for name in graph.inputs if name not in constants]
    if len(pictures) != 1:
        raise PackError(f"takes {', '.join(pictures)}", where=where, fix="only a pack of one picture can be exported")
    return module_of(graph, pictures[0], constants, where)


def write_torchscript(module: Any, channels: int, where: str) -> Written:
    """A traced module as an archive that ``torch.jit.load`` reads.

    Raises:
        PackError: It can't be traced.
    """
    torch = import_torch()
    # In double: a conversion that changes nothing leaves no trace, and a host may ask for half floats.
    example = torch.rand(1, channels, *_EXAMPLE, dtype=torch.float64)
    stream = io.BytesIO()
    try:
        with torch.no_grad(), quiet():
            torch.jit.save(torch.jit.trace(module, example, check_trace=False), stream)
    except PackError:
        raise
    except Exception as error:
        raise torch_failure(error, where, "torch can't trace it") from None
    return Written(stream.getvalue(), str(torch.__version__))


def write_onnx(module: Any, channels: int, where: str) -> Written:
    """A module as an ONNX graph of free height and width, opset 17, float32.

    Raises:
        PackError: It can't be exported.
    """
    torch = import_torch()
    stream = io.BytesIO()
    axes = {name: {2: f"{name}_height", 3: f"{name}_width"} for name in (INPUT, OUTPUT)}
    try:
        with torch.no_grad(), quiet(), redirect_stdout(io.StringIO()):  # it prints the graph when it fails
            if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
                module = torch.jit.trace(module, torch.rand(1, channels, *_EXAMPLE), check_trace=False)
            torch.onnx.export(
                module, (torch.rand(1, channels, *_EXAMPLE),), stream, input_names=[INPUT], output_names=[OUTPUT],
                dynamic_axes=axes, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
    except PackError:
        raise
    except Exception as error:
        raise torch_failure(error, where, "torch can't write it as ONNX") from None
    return Written(stream.getvalue(), str(torch.__version__))


def run_torchscript(data: bytes, frame: NDArray[Any], where: str, *, half: bool = False) -> NDArray[np.float32]:
    """What an archive that we wrote makes of a picture ``(1, c, h, w)``, on the CPU.

    Args:
        data: The archive.
        frame: The picture.
        where: How messages name it.
        half: As a host runs it that optimizes for speed: module and picture in half floats.

    Raises:
        PackError: It fails, or does not return what it was given: half for half.
    """
    torch = import_torch()
    try:
        with torch.inference_mode(), quiet():
            module = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
            given = torch.from_numpy(np.ascontiguousarray(frame, np.float32))
            module, given = (module.half(), given.half()) if half else (module, given)
            found = module(given)
    except Exception as error:
        raise torch_failure(error, where, "the written module fails") from None
    if found.dtype != given.dtype:
        raise PackError(f"the written module made {found.dtype} of {given.dtype}", where=where)
    return np.asarray(found.float().numpy(), np.float32)


def run_onnx(path: Path, frame: NDArray[Any]) -> NDArray[np.float32]:
    """What a graph that we wrote makes of a picture, in ONNX Runtime on the CPU.

    Raises:
        PackError: It fails.
    """
    from understudy.runtimes.raw_model import open_onnx

    model = open_onnx(path, path.read_bytes())
    return np.asarray(model.run({INPUT: np.ascontiguousarray(frame, np.float32)})[OUTPUT], np.float32)


def _knob(manifest: PackManifest, name: str, scale: int, rank: int) -> NDArray[Any] | None:
    """The value of an input that is no picture; options have their defaults."""
    if name == "scale":
        return np.full((1,) * rank, scale, np.float32)
    if name not in manifest.options:
        return None
    spec = manifest.options[name]
    value = spec.choices.index(str(spec.default)) if spec.type == "choice" else float(spec.default)
    return np.full((1,) * rank, value, np.float32)
