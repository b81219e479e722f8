# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import numpy as np
import pytest

from understudy.contracts.errors import MemoryBudgetError, PackError, UsageError
from understudy.contracts.model import Call, Region
from understudy.packs import open_pack, write_hashes
from understudy.runtimes import load_model
from unit.packs.pack_folders import ADAPTER, make_pack

_IMAGE = np.linspace(-1, 2, 4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
_CALL = Call(region=Region(0, 0, 0, 0, 5, 4))

_RETURNS = """\
import numpy as np


class Model:
    def run(self, tensors, call, /):
        return {body}

    def close(self):
        pass


def load(folder):
    return Model()
"""


def _modules() -> set[str]:
    """The modules of packs that are loaded."""
    return {name for name in sys.modules if name.startswith("understudy._packs.")}


def test_a_pack_runs_on_the_cpu_whatever_is_asked_for(tmp_path: Path) -> None:
    pack = open_pack(make_pack(tmp_path / "mine"))
    for device, note in (("auto", ""), ("cpu", ""), ("cuda", "mine runs on the CPU only")):
        loaded = load_model(pack, device=device)
        assert (loaded.device, loaded.providers, loaded.note) == ("cpu", (), note)
        assert np.array_equal(loaded.model.run({"image": _IMAGE}, _CALL)["image"], _IMAGE)
        loaded.model.close()
    with pytest.raises(UsageError, match='"gpu" is no device; choose auto, cpu'):
        load_model(pack, device="gpu")


def test_dataclasses_and_late_annotations_work(tmp_path: Path) -> None:
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
    head += "@dataclass\nclass A:\n    x: int\n\n\n"
    load_model(open_pack(make_pack(tmp_path / "mine", adapter=head + ADAPTER)))


def test_two_digests_of_one_version_do_not_mix(tmp_path: Path) -> None:
    """A late import of the old bytes finds the old bytes, and nothing is left when both are closed."""
    adapter = _RETURNS.format(body='{"image": __import__("importlib").import_module(".k", __name__).of(tensors)}')
    loaded, before = [], _modules()
    for factor in (1, 2):
        folder = make_pack(tmp_path / str(factor), adapter=adapter, pin=False)
        (folder / "k.py").write_text(f"def of(tensors):\n    return tensors['image'] * np.float32({factor})\n")
        (folder / "k.py").write_text("import numpy as np\n\n\n" + (folder / "k.py").read_text())
        text = (folder / "pack.toml").read_text().replace("[contract]", '[[weights]]\nfile = "k.py"\n\n[contract]')
        (folder / "pack.toml").write_text(text)
        write_hashes(folder)
        loaded.append(load_model(open_pack(folder)).model)
    for factor, model in enumerate(loaded, 1):
        assert np.array_equal(model.run({"image": _IMAGE}, _CALL)["image"], _IMAGE * factor)
        model.close()
    assert _modules() == before


def test_no_byte_code_is_written_into_the_pack(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine")
    load_model(open_pack(folder))
    assert not (folder / "__pycache__").exists()


def _with_sibling(folder: Path, line: str, *, declared: bool) -> Path:
    edit = (("[contract]", '[[weights]]\nfile = "kernels.py"\n\n[contract]'),) if declared else ()
    make_pack(folder, edit=edit, adapter=f"{line}\n\n\n{ADAPTER}", pin=False)
    (folder / "kernels.py").write_text("FACTOR = 2\n")
    write_hashes(folder)
    return folder


def test_a_declared_sibling_is_imported(tmp_path: Path) -> None:
    load_model(open_pack(_with_sibling(tmp_path / "mine", "from . import kernels", declared=True)))
    load_model(open_pack(_with_sibling(tmp_path / "other", "from .kernels import FACTOR", declared=True)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("from . import kernels", "list it under [[weights]]", id="relative"),
        pytest.param("from .kernels import FACTOR", "list it under [[weights]]", id="relative name"),
        pytest.param("import kernels", "No module named 'kernels'", id="absolute"),
        pytest.param(
            "import sys, pathlib; sys.path.insert(0, str(pathlib.Path(__file__).parent)); import kernels",
            'imports "kernels" around the pin',
            id="sys.path",
        ),
    ],
)
def test_an_undeclared_sibling_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, message: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = _with_sibling(tmp_path / "mine", line, declared=False)
    before = _modules()
    with pytest.raises(PackError) as caught:
        load_model(open_pack(folder))
    sys.modules.pop("kernels", None)
    assert message in str(caught.value)
    assert _modules() == before


@pytest.mark.parametrize(
    ("adapter", "where", "message"),
    [
        pytest.param("def load(folder:\n", "adapter.py:1", "mine does not load", id="syntax"),
        pytest.param("\n\nimport no_such_thing\n", "adapter.py:3", "no_such_thing", id="import"),
        pytest.param("def load(folder):\n    return 1 / 0\n", "adapter.py:2", "division by zero", id="load fails"),
        pytest.param("raise SystemExit(3)\n", "adapter.py:1", "SystemExit: 3", id="exits"),
        pytest.param("LOAD = 1\n", "adapter.py", "has no function load", id="no load"),
        pytest.param("def load(folder):\n    return 3\n", "adapter.py", "load() returned int", id="no model"),
    ],
)
def test_adapters_that_do_not_load(tmp_path: Path, adapter: str, where: str, message: str) -> None:
    with pytest.raises(PackError) as caught:
        load_model(open_pack(make_pack(tmp_path / "mine", adapter=adapter)))
    assert where in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("{}", 'returned no tensor "image"', id="nothing"),
        pytest.param("None", "returned NoneType", id="none"),
        pytest.param('{"image": tensors["image"][:2]}', "has the shape (2, 5, 3); return (4, 5, 3)", id="shape"),
        pytest.param('{"image": tensors["image"].astype(np.float64)}', "is float64", id="type"),
        pytest.param('{"image": tensors["image"].tolist()}', "is list", id="list"),
        pytest.param('{"image": tensors["image"], "extra": 1}', 'returned a tensor "extra"', id="extra"),
        pytest.param('{"image": tensors["imag"]}', "adapter.py:6: mine failed: KeyError", id="exception"),
    ],
)
def test_wrong_answers_are_refused(tmp_path: Path, body: str, message: str) -> None:
    model = load_model(open_pack(make_pack(tmp_path / "mine", adapter=_RETURNS.format(body=body)))).model
    with pytest.raises(PackError) as caught:
        model.run({"image": _IMAGE}, _CALL)
    assert message in str(caught.value)


def test_out_of_memory_is_its_own_error(tmp_path: Path) -> None:
    adapter = _RETURNS.format(body="(_ for _ in ()).throw(MemoryError())")
    model = load_model(open_pack(make_pack(tmp_path / "mine", adapter=adapter))).model
    with pytest.raises(MemoryBudgetError):
        model.run({"image": _IMAGE}, _CALL)


def test_changed_bytes_do_not_run(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "mine")
    pack = open_pack(folder)
    (folder / "adapter.py").write_text(ADAPTER + "\n# changed\n")
    with pytest.raises(PackError, match="other bytes"):
        load_model(pack)
