# SPDX-License-Identifier: Apache-2.0
"""Brings a pack into memory: loads it, warms it up, and measures what it takes."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from understudy.contracts.errors import MemoryBudgetError
from understudy.contracts.manifest import OptionValue
from understudy.contracts.model import (
    BatchModel,
    Call,
    PackedModel,
    Tensor,
    TensorModel,
    Tensors,
    TensorSignature,
    WhenCancelled,
)
from understudy.contracts.plate import FloatImage
from understudy.packs.options import settle_options
from understudy.packs.pack import Pack
from understudy.roles.memory import available_bytes, give_back, resident_bytes
from understudy.roles.pack_settings import PackSettings
from understudy.runtimes.load import LoadedModel, load_model
from understudy.runtimes.vram import gpu_index, vram
from understudy.runtimes.warm_up import warm_up_call

_WORTH_GIVING_BACK = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A model in memory.

    Attributes:
        packed: The model with its promise.
        size: Bytes it takes: how much the process grew, and no less than its files.
        note: What the caller of a request should be told, such as a fallback to the CPU.
        draft_note: The same of drafts alone.
        close: Frees it; no call follows.
    """

    packed: PackedModel
    size: int
    note: str
    draft_note: str = ""
    close: Callable[[], None]


def load_resident(pack: Pack, device: str, settings: PackSettings | None = None) -> Resident:
    """Loads a pack and runs it once, so that the first request is not the slow one.

    Args:
        pack: The pack; its hashes are verified.
        device: As in :func:`understudy.runtimes.load_model`.
        settings: Precision, and the bound on a GPU's memory; None takes the defaults.

    Raises:
        PackError: A file is not the declared one, the model is broken, or its runtime is missing.
        DeviceUnavailableError: The device was asked for by name and is not there.
        MemoryBudgetError: It does not fit in memory.
    """
    settings = settings or PackSettings()
    least = file_bytes(pack)
    if least > (free := available_bytes()):
        problem = f"its files hold {least / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free"
        raise MemoryBudgetError(problem, where=str(pack.pin), fix="unload other packs, or use a smaller one")
    before, before_vram = resident_bytes(), _vram_free(device)
    try:
        loaded = load_model(
            pack,
            device=device,
            precision=settings.precision,
            vram_bytes=settings.model_vram_bytes,
            allow_remote=settings.allow_remote_packs,
        )
    except MemoryBudgetError as error:
        raise _with_free_vram(error, device) from None
    try:
        loaded.model.run(*warm_up_call(pack.manifest))
    except MemoryBudgetError as error:
        loaded.model.close()
        raise _with_free_vram(error, loaded.device) from None
    except BaseException:
        loaded.model.close()
        raise
    if resident_bytes() - before > _WORTH_GIVING_BACK:
        give_back()  # what loading took beside the model: the file's bytes, the graph before it was optimized
    grown = resident_bytes() - before
    if loaded.device.startswith("cuda"):
        after = _vram_free(loaded.device)
        grown = before_vram - after if before_vram is not None and after is not None else 0
    size = max(grown, least)

    def close() -> None:
        loaded.model.close()
        if size > _WORTH_GIVING_BACK:
            give_back()

    return Resident(
        packed=_packed(pack, loaded), size=size, note=loaded.note, draft_note=loaded.draft_note, close=close
    )


def _vram_free(device: str) -> int | None:
    """Free memory of the GPU that a device names, or that ``auto`` would take."""
    if device != "auto" and not device.startswith("cuda"):
        return None
    found = vram(gpu_index(device))
    return found[0] if found else None


def _with_free_vram(error: MemoryBudgetError, device: str) -> MemoryBudgetError:
    """The error with the memory of its GPU."""
    found = vram(gpu_index(device)) if device.startswith("cuda") else None
    if found is None:
        return error
    free, total = found
    problem = f"{error.problem}; {free / 2**30:.1f} of {total / 2**30:.1f} GiB of {device} are free"
    return MemoryBudgetError(problem, where=error.where, fix=error.fix)


def file_bytes(pack: Pack) -> int:
    """Bytes of the pack's declared files: the least that its model can take."""
    sizes = 0
    for path, _ in pack.files():
        try:
            sizes += path.stat().st_size
        except OSError:  # a missing file is told of when the pack loads
            continue
    return sizes


def _packed(pack: Pack, loaded: LoadedModel) -> PackedModel:
    lock = threading.Lock()

    def run(tensors: Mapping[str, FloatImage], call: Call) -> Tensors:
        with lock:
            return loaded.model.run(tensors, call)

    def run_batch(batch: Sequence[Mapping[str, FloatImage]], calls: Sequence[Call]) -> Sequence[Tensors]:
        assert isinstance(loaded.model, BatchModel)
        with lock:
            return loaded.model.run_batch(batch, calls)

    def settle(given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        return settle_options(pack.manifest, given)

    return PackedModel(
        manifest=pack.manifest,
        pin=pack.pin,
        device=loaded.device,
        providers=loaded.providers,
        precision=loaded.precision,
        draft_precision=loaded.draft_precision,
        libraries=loaded.libraries,
        run=run,
        tensors=_OneAtATime(loaded.tensors, lock),
        settle=settle,
        run_batch=run_batch if isinstance(loaded.model, BatchModel) else None,
    )


class _OneAtATime:
    """A model's own tensors; it runs for one thread at a time, whichever way it is asked."""

    def __init__(self, tensors: TensorModel, lock: threading.Lock) -> None:
        self._tensors = tensors
        self._lock = lock

    def signature(self) -> TensorSignature:
        """Its tensors."""
        with self._lock:
            return self._tensors.signature()

    def output_shapes(self, shapes: Mapping[str, tuple[int, ...]], call: Call, /) -> dict[str, tuple[int, ...]]:
        """The shape of every output."""
        with self._lock:
            return self._tensors.output_shapes(shapes, call)

    def run_tensors(
        self,
        inputs: Mapping[str, Tensor],
        outputs: Mapping[str, Tensor],
        call: Call,
        /,
        *,
        when_cancelled: WhenCancelled | None = None,
    ) -> None:
        """One call."""
        with self._lock:
            self._tensors.run_tensors(inputs, outputs, call, when_cancelled=when_cancelled)
