# SPDX-License-Identifier: Apache-2.0
"""The ONNX graph that a Python pack's adapter runs: checked, pinned and opened as that of an ONNX pack is."""

from collections.abc import Mapping

from understudy.contracts.manifest import WeightFile
from understudy.contracts.model import Tensor
from understudy.runtimes.load import PackFiles
from understudy.runtimes.onnx_session import OnnxSession, open_session
from understudy.runtimes.onnx_source import read_source


class AdapterGraph:
    """See ``understudy.contracts.model.Graph``.

    Attributes:
        opened: The session.

    Args:
        opened: The session.
    """

    def __init__(self, opened: OnnxSession) -> None:
        self.opened = opened
        self._outputs = [node.name for node in opened.session.get_outputs()]

    def run(self, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """One run.

        Raises:
            PackError: It failed.
            MemoryBudgetError: It ran out of memory.
        """
        found = self.opened.run(self._outputs, inputs, draft=False)
        return dict(zip(self._outputs, found, strict=True))


def open_graph(pack: PackFiles, graph: WeightFile, device: str, *, vram_bytes: int = 0) -> AdapterGraph:
    """The graph on a device; OpenVINO is for whole packs, so there it runs in ONNX Runtime on the CPU.

    Args:
        pack: A pack of kind ``python``, its hashes verified.
        graph: Its graph.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``openvino``.
        vram_bytes: The most that it may take of a GPU's memory; 0 sets no bound.

    Raises:
        PackError: ONNX Runtime is missing, or the file is broken or unsafe.
        DeviceUnavailableError: CUDA was asked for by name and is not there.
    """
    source = read_source(pack.folder, graph, pack.manifest.weights)
    return AdapterGraph(open_session(source, "cpu" if device == "openvino" else device, vram_bytes=vram_bytes))
