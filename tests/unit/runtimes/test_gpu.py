# SPDX-License-Identifier: Apache-2.0
"""What happens on a GPU and without one, played by an ONNX Runtime that only says it has CUDA. No GPU is needed."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import onnxruntime as ort

from understudy.contracts.errors import DeviceUnavailableError, MemoryBudgetError, PackError
from understudy.contracts.model import Call, Region
from understudy.packs import Pack
from understudy.roles import resident
from understudy.roles.pack_settings import PackSettings
from understudy.roles.resident import load_resident
from understudy.runtimes import load_model, onnx_session, providers, vram
from understudy.runtimes.load import LoadedModel
from unit.runtimes.onnx_models import double, onnx_pack

_NO_KERNEL = "CUDA failure 209: no kernel image is available for execution on the device ; GPU=0 ; hostname=x"
_FULL = "BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 3221225472"


class FakeCuda:
    """ONNX Runtime as with CUDA: a session on the CPU that says otherwise, and fails where it is told to."""

    def __init__(self, *, loads: str = "", runs: str = "", drops: bool = False) -> None:
        self.asked: list[Any] = []
        self.loads, self.runs, self.drops = loads, runs, drops

    def __getattr__(self, name: str) -> Any:
        return getattr(ort, name)

    def get_available_providers(self) -> list[str]:
        return [providers.CUDA, providers.CPU]

    def preload_dlls(self) -> None:
        print("Failed to load libcublasLt.so.13")  # noqa: T201 - as the real one does

    def InferenceSession(self, data: bytes, options: Any, providers: list[Any]) -> Any:
        self.asked.append(providers)
        on_gpu = len(providers) > 1
        if on_gpu and self.loads:
            raise RuntimeError(self.loads)
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        return _FakeSession(session, self.runs) if on_gpu and not self.drops else session


class _FakeSession:
    def __init__(self, session: Any, runs: str) -> None:
        self._session = session
        self._runs = runs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return [providers.CUDA, providers.CPU]

    def run(self, *arguments: Any) -> Any:
        if self._runs:
            raise RuntimeError(self._runs)
        return self._session.run(*arguments)


Play = Callable[..., FakeCuda]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    def start(**how: Any) -> FakeCuda:
        fake = FakeCuda(**how)
        monkeypatch.setattr(onnx_session, "import_onnxruntime", lambda: fake)
        return fake

    return start


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return onnx_pack(tmp_path / "mine", double())


def _doubles(loaded: LoadedModel) -> bool:
    image = np.full((4, 5, 3), 3, np.float32)
    out = loaded.model.run({"image": image}, Call(region=Region(0, 0, 0, 0, 5, 4)))["image"]
    return bool(np.array_equal(out, image * 2))


def test_the_options_of_a_session_on_a_gpu(pack: Pack, play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    fake = play()
    loaded = load_model(pack, device="cuda:2", vram_bytes=1000)
    assert (loaded.device, loaded.note) == ("cuda:2", "")
    (cuda, options), cpu = fake.asked[0]
    assert (cuda, cpu) == (providers.CUDA, providers.CPU)
    assert options == {
        "device_id": "2",
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "gpu_mem_limit": "1000",
    }
    assert _doubles(loaded)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("how", [{"loads": _NO_KERNEL}, {"runs": _NO_KERNEL}], ids=["when it loads", "when it runs"])
def test_a_gpu_without_kernels_is_left_for_the_cpu_and_said_so(pack: Pack, play: Play, how: dict[str, str]) -> None:
    play(**how)
    loaded = load_model(pack, device="auto")
    assert loaded.device == "cpu"
    assert loaded.note == "runs on the CPU: the installed ONNX Runtime has no kernels for this GPU"
    assert _doubles(loaded)
    with pytest.raises(
        DeviceUnavailableError, match=r"device cuda: the installed ONNX Runtime has no kernels.*device cpu"
    ):
        load_model(pack, device="cuda")


def test_a_provider_that_is_dropped_silently_is_found_out(pack: Pack, play: Play) -> None:
    play(drops=True)
    assert "CUDA, cuDNN or the driver did not load" in load_model(pack, device="auto").note
    with pytest.raises(DeviceUnavailableError, match="did not load"):
        load_model(pack, device="cuda")


@pytest.mark.parametrize("device", ["auto", "cuda"])
@pytest.mark.parametrize("how", ["loads", "runs"])
def test_a_full_gpu_is_no_reason_to_use_the_cpu(pack: Pack, play: Play, device: str, how: str) -> None:
    play(**{how: _FULL})
    with pytest.raises(MemoryBudgetError, match="it wanted 3072 MiB more"):
        load_model(pack, device=device)


def test_a_fault_of_the_model_is_no_reason_either(pack: Pack, play: Play) -> None:
    play(runs="Non-zero status code returned while running Mul node")
    with pytest.raises(PackError, match="Non-zero status"):
        load_model(pack, device="auto")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (_NO_KERNEL, "no kernels for this GPU"),
        ("cudaErrorNoKernelImageForDevice", "no kernels for this GPU"),
        ("CUDNN failure 5003: CUDNN_STATUS_ARCH_MISMATCH", "cuDNN or cuBLAS has no kernels"),
        ("CUBLAS failure 8: CUBLAS_STATUS_ARCH_MISMATCH", "cuDNN or cuBLAS has no kernels"),
        ("CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version", "driver is too old"),
        ("CUDA failure 100: no CUDA-capable\n device is detected", "there is no GPU"),
        ("CUDA failure 101: invalid device ordinal", "no GPU of that number"),
        ("CUDA failure 2: out of memory", ""),
        ("CUDA failure 700: an illegal memory access was encountered", ""),
    ],
)
def test_what_cuda_writes(text: str, problem: str) -> None:
    found = providers.cuda_problem(text)
    assert problem in found
    assert bool(found) == bool(problem)


class FakeRuntime:
    """libcudart with one GPU."""

    def __init__(self, free: list[int], total: int) -> None:
        self.free, self.total, self.device = free, total, 7

    def cudaGetDevice(self, device: Any) -> int:
        device._obj.value = self.device
        return 0

    def cudaSetDevice(self, device: Any) -> int:
        number = device.value if isinstance(device, ctypes.c_int) else device
        if number not in {0, 7}:
            return 101
        self.device = number
        return 0

    def cudaMemGetInfo(self, free: Any, total: Any) -> int:
        free._obj.value, total._obj.value = self.free.pop(0), self.total
        return 0


def test_free_vram(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime([5 << 30], 24 << 30)
    monkeypatch.setattr(vram, "_runtime", lambda: runtime)
    assert vram.vram(0) == (5 << 30, 24 << 30)
    assert runtime.device == 7  # as it was
    assert vram.vram(3) is None
    monkeypatch.setattr(vram, "_runtime", lambda: None)
    assert vram.vram(0) is None
    assert [vram.gpu_index(device) for device in ("cuda", "auto", "cuda:3")] == [0, 0, 3]


def test_a_model_on_a_gpu_is_as_large_as_what_it_took_there(
    pack: Pack, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play()
    runtime = FakeRuntime([9000, 2000], 10_000)
    monkeypatch.setattr(vram, "_runtime", lambda: runtime)
    found = load_resident(pack, "cuda")
    assert (found.packed.device, found.size) == ("cuda:0", 7000)


def test_a_warm_up_that_fills_the_gpu_tells_what_is_free(
    pack: Pack, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play()
    full = MemoryBudgetError("ONNX Runtime ran out of memory", where="m", fix="use smaller tiles")

    def fill(*_: object) -> None:
        raise full

    loaded = SimpleNamespace(model=SimpleNamespace(run=fill, close=lambda: None), device="cuda:0")
    monkeypatch.setattr(resident, "load_model", lambda *_, **__: loaded)
    runtime = FakeRuntime([3 << 30, 1 << 30], 8 << 30)
    monkeypatch.setattr(vram, "_runtime", lambda: runtime)
    with pytest.raises(
        MemoryBudgetError, match=r"m: ONNX Runtime ran out of memory; 1\.0 of 8\.0 GiB of cuda:0 are free"
    ):
        load_resident(pack, "cuda")


def test_files_larger_than_memory_are_not_begun(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "available_bytes", lambda: 10)
    with pytest.raises(MemoryBudgetError, match=r"its files hold 0\.0 GiB, and 0\.0 GiB are free; unload other packs"):
        load_resident(pack, "cpu", PackSettings())
