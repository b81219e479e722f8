# SPDX-License-Identifier: Apache-2.0
"""Packs without files, and a loader that counts and can be held up."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import cast

from understudy.contracts.engine import PackState
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.manifest import Contract, Encoding, LicenseSpec, PackManifest, Role, RuntimeSpec, TrainingSpec
from understudy.contracts.model import PackedModel, TensorModel
from understudy.packs.pack import Pack
from understudy.roles.pack_settings import PackSettings
from understudy.roles.residency import Residency
from understudy.roles.resident import Resident


def fake_pack(name: str, version: str = "1.0.0", *, folder: Path = Path("/nowhere")) -> Pack:
    """A pack whose digest is its name and version."""
    manifest = PackManifest(
        schema="understudy.pack/1",  # type: ignore[call-arg]  # the field's alias
        id=name,
        version=version,
        role=Role.UPSCALE,
        title=name,
        description=name,
        runtime=RuntimeSpec(kind="python", file="adapter.py", sha256="0" * 64),
        contract=Contract(encoding=Encoding.PLATE, radius=0),
        license=LicenseSpec(declared="Apache-2.0", concluded="Apache-2.0"),
        training=TrainingSpec(basis="none", evidence="not-applicable"),
    )
    return Pack(manifest, folder, "given", f"{name}@{version}")


class FakeLoader:
    """Loads packs of given sizes; ``hold`` keeps every load waiting while it is clear."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.loads: Counter[str] = Counter()
        self.closes: Counter[str] = Counter()
        self.failures: dict[str, Exception] = {}
        self.device = "cpu"
        self.hold = threading.Event()
        self.hold.set()
        self.begun = threading.Semaphore(0)
        self.on_load: Callable[[], object] = lambda: None

    def __call__(self, pack: Pack) -> Resident:
        self.loads[pack.digest] += 1
        self.begun.release()
        self.on_load()
        assert self.hold.wait(20)
        if error := self.failures.get(pack.id):
            raise error
        packed = PackedModel(
            manifest=pack.manifest,
            pin=pack.pin,
            device=self.device,
            run=lambda *_: {},
            tensors=cast("TensorModel", None),  # nobody asks
            settle=lambda _: {},
        )

        def close() -> None:
            self.closes[pack.digest] += 1

        return Resident(packed=packed, size=self.sizes.get(pack.id, 10), note="", close=close)


class Clock:
    """Time that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """A residency with a fake loader, a clock of its own, and all it told."""

    def __init__(self, *, sizes: dict[str, int] | None = None, **settings: float) -> None:
        self.loader = FakeLoader(**(sizes or {}))
        self.clock = Clock()
        self.told: list[PackState] = []
        made = PackSettings(**settings)  # type: ignore[arg-type]  # the tests' own numbers
        self.residency = Residency(self.loader, made, self.told.append, self.clock)

    def use(self, pack: Pack) -> None:
        """One call from beginning to end."""
        entry = self.residency.reserve(pack)
        try:
            self.residency.wait(entry)
        finally:
            self.residency.release(entry)

    def failing(self, pack: Pack) -> str:
        """What a call is told that can't have the model."""
        try:
            self.use(pack)
        except UnderstudyError as error:
            return str(error)
        raise AssertionError("it loaded")

    def resident(self) -> list[str]:
        """Ids of the models in memory, the longest unused first."""
        return [state.pin.id for state in self.residency.states() if state.state in {"ready", "draining"}]

    def events(self) -> list[str]:
        return [f"{state.pin.id} {state.state}" for state in self.told]
