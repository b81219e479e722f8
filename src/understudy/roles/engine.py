# SPDX-License-Identifier: Apache-2.0
"""The engine in this process: finds packs, loads each once, and hands requests to the roles."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from understudy import __version__
from understudy.color.config import ColorConfig
from understudy.contracts.engine import NO_CONTROL, Control, EngineInfo
from understudy.contracts.errors import MemoryBudgetError
from understudy.contracts.jobs import PackPin, RoleRequest, RoleResult
from understudy.contracts.manifest import OptionValue, Role
from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage
from understudy.packs.discovery import Discovery, discover
from understudy.packs.options import settle_options
from understudy.packs.pack import Pack
from understudy.roles.tools import PackedModel
from understudy.runtimes.load import LoadedModel, load_model
from understudy.runtimes.providers import onnx_providers


class LocalEngine:
    """Runs role requests in this process.

    Args:
        device: ``auto`` (a GPU when it is there, else the CPU), ``cpu`` or ``cuda``.
        ocio_config: Name or path of the config for requests that name none; empty for ``$OCIO`` or the pinned one.
        extra_packs: Pack folders beside those on the search path; they are looked at first.

    Raises:
        ColorspaceError: The OCIO config can't be loaded.
    """

    def __init__(self, *, device: str = "auto", ocio_config: str = "", extra_packs: Sequence[Path] = ()) -> None:
        self._device = device
        self._ocio_config = ocio_config
        self._color = ColorConfig.load(ocio_config)
        self._found: Discovery = discover(extra_packs)
        self._models: dict[str, tuple[PackedModel, str]] = {}
        self._open: list[LoadedModel] = []
        self._lock = threading.Lock()

    def info(self) -> EngineInfo:
        """What this engine is and which packs it has."""
        return EngineInfo(
            version=__version__,
            device=self._device,
            providers=onnx_providers(),
            ocio_config=self._color.name,
            ocio_cache_id=self._color.cache_id,
            search_path=tuple((kind, str(folder)) for kind, folder in self._found.search_path),
            packs=tuple(pack.info() for pack in self._found.registry),
            failures=self._found.failures,
        )

    def run(self, request: RoleRequest, control: Control = NO_CONTROL, /) -> RoleResult:
        """Runs one request; may be called from several threads.

        Raises:
            UnderstudyError: Any of the tree.
        """
        role = request.params.role
        color = ColorConfig.load(request.ocio_config) if request.ocio_config else self._color
        run: Callable[[RoleRequest, _Tools, Control], RoleResult] = import_module(f"understudy.roles.{role.value}").run
        control.check()
        try:
            tools = _Tools(color, self._load)
            result = run(request, tools, control)
            return replace(result, report={**result.report, **tools.report()})
        except MemoryError as error:
            size = max((f"{p.width}x{p.height}" for p in request.plates.values()), default="")
            raise MemoryBudgetError(
                f"{role.value} ran out of memory", where=size or None, fix="use smaller tiles (--tile)"
            ) from error

    def close(self) -> None:
        """Frees the models."""
        with self._lock:
            for loaded in self._open:
                loaded.model.close()
            self._open.clear()
            self._models.clear()

    def _load(self, pin: PackPin, role: Role) -> tuple[PackedModel, str]:
        pack = self._found.registry.find(pin, role)
        with self._lock:
            if pack.digest not in self._models:
                loaded = load_model(pack, device=self._device)
                self._open.append(loaded)
                self._models[pack.digest] = (_packed(pack, loaded), loaded.note)
            return self._models[pack.digest]


class _Tools:
    def __init__(self, color: ColorConfig, load: Callable[[PackPin, Role], tuple[PackedModel, str]]) -> None:
        self.color = color
        self._load = load
        self._devices: list[str] = []
        self._notes: list[str] = []

    def load(self, pin: PackPin, role: Role) -> PackedModel:
        packed, note = self._load(pin, role)
        self._devices.append(packed.device)
        self._notes += [note] if note else []
        return packed

    def report(self) -> dict[str, str]:
        """Where the models ran, and what a runtime has to say of it."""
        found = {"device": ", ".join(dict.fromkeys(self._devices)), "note": "; ".join(dict.fromkeys(self._notes))}
        return {name: text for name, text in found.items() if text}


def _packed(pack: Pack, loaded: LoadedModel) -> PackedModel:
    lock = threading.Lock()

    def run(tensors: Mapping[str, FloatImage], call: Call) -> Tensors:
        with lock:
            return loaded.model.run(tensors, call)

    def settle(given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        return settle_options(pack.manifest, given)

    return PackedModel(manifest=pack.manifest, pin=pack.pin, device=loaded.device, run=run, settle=settle)
