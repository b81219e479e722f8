# SPDX-License-Identifier: Apache-2.0
"""An adapter's own ONNX graph: pinned, checked and handed over open."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from understudy.contracts.errors import ManifestError, PackError
from understudy.contracts.model import Call, Region
from understudy.packs import Pack, open_pack, write_hashes
from understudy.runtimes import load_model
from unit.packs.pack_folders import make_pack
from unit.runtimes.onnx_models import double

pytest.importorskip("onnxruntime")

_ADAPTER = """\
import numpy as np


class Model:
    def __init__(self, graph):
        self.graph = graph

    def run(self, tensors, call, /):
        seen = np.ascontiguousarray(tensors["image"].transpose(2, 0, 1)[np.newaxis])
        return {"image": self.graph.run({"x": seen})["y"][0].transpose(1, 2, 0)}

    def close(self):
        pass


def load(folder, graph):
    return Model(graph)
"""
_GRAPH = ('file = "adapter.py"', 'file = "adapter.py"\n[runtime.graph]\nfile = "twice.onnx"')


def _pack(folder: Path, graph: onnx.ModelProto) -> Pack:
    make_pack(folder, edit=(_GRAPH,), adapter=_ADAPTER, pin=False)
    (folder / "twice.onnx").write_bytes(graph.SerializeToString())
    write_hashes(folder)
    return open_pack(folder)


def test_an_adapter_runs_its_graph_on_the_engine_s_device(tmp_path: Path) -> None:
    pack = _pack(tmp_path / "mine", double())
    loaded = load_model(pack, device="auto")
    image = np.linspace(-1, 2, 60, dtype=np.float32).reshape(4, 5, 3)
    out = loaded.model.run({"image": image}, Call(region=Region(0, 0, 0, 0, 5, 4)))["image"]
    assert np.array_equal(out, image * 2)
    assert loaded.providers
    loaded.model.close()


def test_the_graph_is_pinned_and_looked_into(tmp_path: Path) -> None:
    pack = _pack(tmp_path / "mine", double())
    (tmp_path / "mine" / "twice.onnx").write_bytes(b"other")
    with pytest.raises(PackError, match="has other bytes"):
        load_model(pack)
    strange = double()
    strange.opset_import.append(onnx.helper.make_opsetid("my.ops", 1))
    strange.graph.node[0].domain = "my.ops"
    with pytest.raises(PackError, match="custom operators"):
        load_model(_pack(tmp_path / "strange", strange))
    (tmp_path / "mine" / "pack.toml").write_text(
        (tmp_path / "mine" / "pack.toml").read_text().replace("twice.onnx", "README.md")
    )
    with pytest.raises(ManifestError, match="an ONNX graph beside an adapter"):
        open_pack(tmp_path / "mine")


def test_several_graphs_are_given_by_their_names(tmp_path: Path) -> None:
    tables = 'file = "adapter.py"\n[runtime.graphs.x2]\nfile = "twice.onnx"\n[runtime.graphs.x4]\nfile = "again.onnx"'
    adapter = _ADAPTER.replace("Model(graph)", 'Model(graph["x4"])')
    folder = tmp_path / "mine"
    make_pack(folder, edit=((_GRAPH[0], tables),), adapter=adapter, pin=False)
    for name in ("twice.onnx", "again.onnx"):
        (folder / name).write_bytes(double().SerializeToString())
    assert write_hashes(folder) == ("adapter.py", "twice.onnx", "again.onnx")
    loaded = load_model(open_pack(folder), device="cpu")
    image = np.linspace(-1, 2, 60, dtype=np.float32).reshape(4, 5, 3)
    assert np.array_equal(loaded.model.run({"image": image}, Call(region=Region(0, 0, 0, 0, 5, 4)))["image"], image * 2)
    loaded.model.close()
    (folder / "again.onnx").write_bytes(b"other")
    with pytest.raises(PackError, match="has other bytes"):
        load_model(open_pack(folder), device="cpu")
    text = (folder / "pack.toml").read_text()
    for wrong, told in (("graphs.x4]", "graphs.X4]"), ("[runtime.graphs.x2]", "[runtime.graph]")):
        (folder / "pack.toml").write_text(text.replace(wrong, told))
        with pytest.raises(ManifestError, match=r"lower-case words|stands beside"):
            open_pack(folder)
