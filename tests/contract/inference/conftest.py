# SPDX-License-Identifier: Apache-2.0
"""A service with packs of known behavior, asked by the Open Inference Protocol."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from contract.inference.rig import SLOW, Ask
from understudy.roles.engine import LocalEngine
from understudy.service.limits import Limits
from understudy.service.oip.settings import InferenceSettings
from understudy.service.server import Service
from unit.packs.pack_folders import make_pack
from unit.runtimes.onnx_models import double, model, onnx_pack, value


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``twice`` in two versions, ``half`` (float16 graph), ``repeat`` (Python), ``slow`` and ``broken``."""
    folder = tmp_path_factory.mktemp("inference-packs")
    onnx_pack(folder / "twice-1", double(), (('id = "mine"', 'id = "twice"'),))
    onnx_pack(folder / "twice-2", double(), (('id = "mine"\nversion = "1.0.0"', 'id = "twice"\nversion = "2.0.0"'),))
    shape, kind = (1, "c", "h", "w"), TensorProto.FLOAT16
    identity = model([helper.make_node("Identity", ["x"], ["y"])], [value("x", shape, kind)], [value("y", shape, kind)])
    edit = (
        ('id = "mine"', 'id = "half"'),
        ('encoding = "acescct"\ndomain = [0.0, 1.0]', 'encoding = "plate"\nchannels = 0'),
        ("radius = 0", 'radius = 0\nprecisions = ["float16"]'),
    )
    onnx_pack(folder / "half", identity, edit)
    make_pack(folder / "repeat", edit=(('id = "mine"', 'id = "repeat"'),))
    make_pack(folder / "slow", edit=(('id = "mine"', 'id = "slow"'), ("[1, 2]", "[1]")), adapter=SLOW)
    broken = make_pack(folder / "broken", edit=(('id = "mine"', 'id = "broken"'),))
    (broken / "adapter.py").write_text("raise RuntimeError('no')\n")
    return folder


Serving = Callable[..., Service]


@pytest.fixture(scope="session")
def engine(packs: Path) -> Iterator[LocalEngine]:
    made = LocalEngine(device="cpu", extra_packs=[packs])
    yield made
    made.close()


@pytest.fixture
def serving(engine: LocalEngine) -> Iterator[Serving]:
    """Starts a service; stopped at the end."""
    with ExitStack() as stack:

        def start(*, listen: str = "127.0.0.1:0", inference: dict[str, Any] | None = None, **limits: Any) -> Service:
            limits.setdefault("drain_s", 0.0)
            settings = InferenceSettings(**(inference or {}))
            return stack.enter_context(Service(engine, listen, limits=Limits(**limits), inference=settings))

        yield start


@pytest.fixture
def ask(serving: Serving) -> Iterator[Ask]:
    """Asks a service with usual settings."""
    with Ask(serving().address) as asked:
        yield asked
