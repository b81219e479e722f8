# SPDX-License-Identifier: Apache-2.0
"""Loads the model of a pack on a device, and guards what it returns."""

import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from understudy.contracts.errors import MemoryBudgetError, PackError, UnderstudyError, UsageError
from understudy.contracts.manifest import PackManifest
from understudy.contracts.model import BatchModel, Call, Model, TensorModel, Tensors
from understudy.contracts.plate import FloatImage
from understudy.runtimes.hwc_tensors import HwcTensors
from understudy.runtimes.libraries import libraries_of
from understudy.runtimes.outputs import checked_outputs
from understudy.runtimes.safetensors_file import check_safetensors

_DEVICE = re.compile(r"^(auto|cpu|openvino|cuda(:\d+)?)$")

Precision = Literal["float32", "float16"]
"""What a network computes in."""


class PackFiles(Protocol):
    """What a runtime needs of a pack; ``understudy.packs.Pack`` is one."""

    @property
    def manifest(self) -> PackManifest:
        """What the pack promises."""
        ...

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 over the manifest and its files, 64 hexadecimal digits."""
        ...

    def verify(self) -> None:
        """Compares its files with their hashes; raises PackError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that is ready to run.

    Attributes:
        model: Its ``run`` raises nothing but our errors, and returns tensors of the right names and shapes.
            One thread at a time.
        device: Where it runs: ``cpu``, ``cuda:0``.
        tensors: The same model without its role: its own names, types and layout. One thread at a time.
        providers: ONNX Runtime's execution providers in use; empty for Python packs.
        note: What the caller should show, such as a fallback to the CPU; empty if there is nothing to say.
        draft_note: The same of drafts alone.
        precision: What it computes in; empty for a model on another server, which does not say.
        draft_precision: What it computes drafts in, where that is something else.
        libraries: Modules that decide what it computes.
    """

    model: Model
    device: str
    tensors: TensorModel
    providers: tuple[str, ...] = ()
    note: str = ""
    draft_note: str = ""
    precision: str = "float32"
    draft_precision: str = ""
    libraries: frozenset[str] = frozenset()


def load_model(
    pack: PackFiles,
    *,
    device: str = "auto",
    precision: Precision = "float32",
    vram_bytes: int = 0,
    allow_remote: bool = False,
) -> LoadedModel:
    """Verifies the hashes of a pack's files and loads its model.

    Args:
        pack: The pack.
        device: ``auto`` (CUDA where it works, else the CPU), ``cpu``, ``cuda``, ``cuda:N`` or ``openvino`` (ONNX packs
            through OpenVINO on the CPU). A Python pack runs on the CPU whatever is asked for, and says so in ``note``.
        precision: ``float16`` takes the float16 graph of a pack that has one.
        vram_bytes: The most that the model may take of a GPU's memory; 0 sets no bound.
        allow_remote: Let a model on another server play a pack that says so; UNDERSTUDY_ALLOW_REMOTE_PACKS=1 does too.

    Raises:
        RightsError: The pack is played by another server, and nobody allowed it.
        UnavailableError: That server does not answer.
        PackError: A file is not the declared one, the model is broken or unsafe, or its runtime is not installed.
        DeviceUnavailableError: CUDA was asked for by name and an ONNX pack can't have it.
        UsageError: The device has another name.
    """
    if not _DEVICE.match(device):
        raise UsageError(f'"{device}" is no device', where="device", fix="choose auto, cpu, cuda, cuda:N or openvino")
    pack.verify()
    for weight in pack.manifest.weights:
        if weight.file.endswith(".safetensors"):
            check_safetensors(pack.folder / weight.file)
    loaded = _by_kind(pack, device, precision, vram_bytes, allow_remote=allow_remote)
    return replace(loaded, libraries=libraries_of(pack.manifest, pack.folder, loaded.device))


def _by_kind(pack: PackFiles, device: str, precision: Precision, vram_bytes: int, *, allow_remote: bool) -> LoadedModel:
    """The model in the runtime that its manifest names."""
    if pack.manifest.runtime.kind == "python":
        return _in_python(pack, device, vram_bytes)
    if pack.manifest.runtime.kind == "remote":
        from understudy.runtimes.remote import load_remote

        loaded = load_remote(pack, allowed=allow_remote)
        return replace(loaded, model=_Guarded(loaded.model, pack))
    if pack.manifest.runtime.kind in {"torchscript", "spandrel"}:
        if pack.manifest.runtime.kind == "spandrel":
            check_safetensors(pack.folder / pack.manifest.runtime.file)
        from understudy.runtimes.torch_models import load_torch

        loaded = load_torch(pack, device, precision=precision)
        return replace(loaded, model=_Guarded(loaded.model, pack))
    from understudy.runtimes.onnx import load_onnx

    loaded = load_onnx(pack, device, precision=precision, vram_bytes=vram_bytes)
    return replace(loaded, model=_Guarded(loaded.model, pack))


def _in_python(pack: PackFiles, device: str, vram_bytes: int) -> LoadedModel:
    """A pack's adapter on the CPU, with its graphs, where it has some, on the device."""
    from understudy.runtimes.python import load_adapter

    runtime = pack.manifest.runtime
    files = {"": runtime.graph} if runtime.graph is not None else runtime.graphs
    if files:
        from understudy.runtimes.adapter_graph import open_graph

        graphs = {name: open_graph(pack, file, device, vram_bytes=vram_bytes) for name, file in files.items()}
        given = graphs[""] if runtime.graph is not None else graphs
        model = _Guarded(load_adapter(pack, given), pack)
        opened = next(iter(graphs.values())).opened
        device, providers, note = opened.device, opened.providers, opened.note
    else:
        note = f"{pack.manifest.id} runs on the CPU only" if device.startswith("cuda") else ""
        model, device, providers = _Guarded(load_adapter(pack), pack), "cpu", ()
    tensors = HwcTensors(model, pack.manifest, "python")
    return LoadedModel(model=model, device=device, tensors=tensors, providers=providers, note=note)


class _Guarded:
    """A model whose failures are our errors."""

    def __init__(self, model: Model, pack: PackFiles) -> None:
        self._model = model
        self._manifest = pack.manifest
        self._folder = pack.folder

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """One call."""
        with self._our_errors():
            out = self._model.run(tensors, call)
        return checked_outputs(self._manifest, tensors, call, out)

    def run_batch(self, batch: Sequence[Mapping[str, FloatImage]], calls: Sequence[Call], /) -> Sequence[Tensors]:
        """Several calls in one; one by one for a model that does not offer it."""
        if not isinstance(self._model, BatchModel):
            return [self.run(tensors, call) for tensors, call in zip(batch, calls, strict=True)]
        with self._our_errors():
            out = list(self._model.run_batch(batch, calls))
        if len(out) != len(batch):
            problem = f"it returned {len(out)} results for a batch of {len(batch)}"
            raise PackError(problem, where=self._manifest.id, fix="return one for each, in their order")
        return [checked_outputs(self._manifest, *each) for each in zip(batch, calls, out, strict=True)]

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except UnderstudyError:
            raise
        except MemoryError:
            fix = "use smaller tiles or a smaller pack"
            raise MemoryBudgetError("the model ran out of memory", where=self._manifest.id, fix=fix) from None
        except (Exception, SystemExit) as error:  # a pack must not end the process
            raise failure(error, self._folder, f"{self._manifest.id} failed") from error

    def close(self) -> None:
        """Frees the model."""
        self._model.close()


def failure(error: BaseException, folder: Path, what: str) -> PackError:
    """An exception of a pack's code as a sentence that names the last line of the pack it went through."""
    root = str(folder)
    where = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(root):
            where = f"{frame.filename}:{frame.lineno}"
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(root):
        where = f"{error.filename}:{error.lineno}"
        return PackError(f"{what}: {error.msg}", where=where)
    text = " ".join(str(error).split())
    return PackError(f"{what}: {type(error).__name__}: {text}"[:600], where=where or root)
