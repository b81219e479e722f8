# SPDX-License-Identifier: Apache-2.0
"""Opens a model in ONNX Runtime, on the CPU or a GPU, with settings under which the same input gives the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import DeviceUnavailableError, PackError, UnderstudyError
from understudy.contracts.model import Tensor
from understudy.runtimes.onnx_source import OnnxSource
from understudy.runtimes.onnx_tensors import run_failure
from understudy.runtimes.providers import CPU, CUDA, cuda_problem, import_onnxruntime, settled_device, wanted_providers


@dataclass(frozen=True, slots=True)
class OnnxSession:
    """An open session.

    Attributes:
        session: Of ONNX Runtime.
        device: Where it runs: ``cpu``, ``cuda:0``.
        providers: ONNX Runtime's execution providers in use.
        note: What the caller should show; empty if there is nothing to say.
        where: How messages name the model.
    """

    session: Any
    device: str
    providers: tuple[str, ...]
    note: str
    where: str

    def get_inputs(self) -> Sequence[Any]:
        """The graph's inputs."""
        return list(self.session.get_inputs())

    def get_outputs(self) -> Sequence[Any]:
        """The graph's outputs."""
        return list(self.session.get_outputs())

    def run(self, names: Sequence[str], feeds: Mapping[str, Tensor], draft: bool) -> list[Tensor]:  # noqa: FBT001
        """One run of the graph; a draft is no different.

        Raises:
            PackError: It failed.
            MemoryBudgetError: It ran out of memory.
        """
        del draft
        try:
            return list(self.session.run(list(names), dict(feeds)))
        except Exception as error:
            raise run_failure(error, self.where) from None


def open_session(source: OnnxSource, device: str, *, vram_bytes: int = 0, reason: str = "") -> OnnxSession:
    """A session for a model that was looked into.

    Args:
        source: The model.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        vram_bytes: The most that it may take of a GPU's memory; 0 sets no bound.
        reason: Why it is opened on the CPU though a GPU was wanted; told in the note.

    Raises:
        PackError: ONNX Runtime is missing, or can't load the model.
        DeviceUnavailableError: CUDA was asked for by name and is not there.
        MemoryBudgetError: It does not fit in the GPU's memory.
    """
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = available_cores()
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    wanted = wanted_providers(ort, device, vram_bytes=vram_bytes)
    if source.files:
        names, held = list(source.files), list(source.files.values())
        options.add_external_initializers_from_files_in_memory(names, held, [len(data) for data in held])
    try:
        session = ort.InferenceSession(source.data, options, providers=wanted)
    except Exception as error:
        if len(wanted) > 1 and (problem := cuda_problem(str(error))):
            return without_cuda(source, device, problem)
        raise _load_failure(error, source.where) from None
    providers = tuple(session.get_providers())
    where, note = settled_device(device, providers, has_cuda=CUDA in ort.get_available_providers())
    return OnnxSession(
        session, where, providers or (CPU,), f"runs on the CPU: {reason}" if reason else note, source.where
    )


def without_cuda(source: OnnxSource, device: str, problem: str) -> OnnxSession:
    """The session on the CPU for a GPU that can't run the model, where that is what ``auto`` asked for.

    Raises:
        DeviceUnavailableError: CUDA was asked for by name.
    """
    if device != "auto":
        fix = "install an ONNX Runtime made for this GPU, or choose the device cpu"
        raise DeviceUnavailableError(problem, where=f"device {device}", fix=fix)
    return open_session(source, "cpu", reason=problem)


def _load_failure(error: Exception, where: str) -> UnderstudyError:
    failed = run_failure(error, where)
    if not isinstance(failed, PackError):
        return failed
    text = " ".join(str(error).split())
    return PackError(f"ONNX Runtime can't load it: {text}"[:500], where=where)
