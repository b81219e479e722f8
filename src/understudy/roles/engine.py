# SPDX-License-Identifier: Apache-2.0
"""The engine in this process: finds packs, loads each once, and hands requests to the roles."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from understudy import __version__
from understudy.color.config import ColorConfig
from understudy.contracts.engine import NO_CONTROL, Control, EngineInfo, PackFailure, PackInfo, PackState
from understudy.contracts.errors import MemoryBudgetError
from understudy.contracts.jobs import PackPin, RoleRequest, RoleResult
from understudy.contracts.manifest import Role
from understudy.contracts.model import PackedModel
from understudy.packs.policy import ShowPolicy
from understudy.packs.policy_file import PolicyFile
from understudy.packs.registry import Registry
from understudy.roles.library import Library
from understudy.roles.pack_settings import PackSettings
from understudy.roles.residency import Residency
from understudy.roles.resident import Resident, load_resident
from understudy.roles.upkeep import Upkeep
from understudy.runtimes.libraries import versions_of
from understudy.runtimes.machine import gpu_name, instructions, processor
from understudy.runtimes.providers import onnx_providers
from understudy.runtimes.vram import gpu_index


class LocalEngine:
    """Runs role requests in this process.

    Args:
        device: ``auto`` (a GPU when it is there, else the CPU), ``cpu``, ``cuda``, ``cuda:N`` or ``openvino``.
        ocio_config: Name or path of the config for requests that name none; empty for ``$OCIO`` or the pinned one.
        extra_packs: Pack folders beside those on the search path; they are looked at first.
        settings: How packs are kept in memory; None takes the defaults.
        policy: Which packs may be loaded; None takes the file that the settings name, if they do, and reads it again
            when it changes.

    Raises:
        ColorspaceError: The OCIO config can't be loaded.
        RightsError: The policy that the settings name is missing or wrong.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        ocio_config: str = "",
        extra_packs: Sequence[Path] = (),
        settings: PackSettings | None = None,
        policy: ShowPolicy | None = None,
    ) -> None:
        self._device = device
        self._ocio_config = ocio_config
        self._color = ColorConfig.load(ocio_config)
        self._settings = settings or PackSettings()
        self._policy = policy
        named = self._settings.policy if policy is None else None
        self._policy_file = None if named is None else PolicyFile(named)
        self._providers: tuple[str, ...] | None = None
        self._listeners: list[Callable[[PackState], None]] = []
        self._residency = Residency(
            lambda pack: load_resident(pack, device, self._settings), self._settings, self._told
        )
        self._library = Library(extra_packs, self._settings, self._residency, policy=self._current_policy)
        self._upkeep: Upkeep | None = None
        self._told_packs: tuple[Registry, ShowPolicy | None, tuple[PackInfo, ...]] | None = None

    def info(self) -> EngineInfo:
        """What this engine is and which packs it has."""
        if self._providers is None:  # asking takes a millisecond, and nothing changes the answer
            self._providers = onnx_providers()
        found = self._library.found
        policy, failures = self._policy, found.failures
        if self._policy_file is not None:
            policy, problem = self._policy_file.look()
            if problem is not None:
                failure = PackFailure(path=problem.where or "", problem=problem.problem, fix=problem.fix or "")
                failures = (*failures, failure)
        return EngineInfo(
            version=__version__,
            device=self._device,
            providers=self._providers,
            ocio_config=self._color.name,
            ocio_cache_id=self._color.cache_id,
            search_path=tuple((kind, str(folder)) for kind, folder in found.search_path),
            packs=self._packs_of(found.registry, policy),
            failures=failures,
            policy=policy.info if policy else None,
        )

    def _packs_of(self, registry: Registry, policy: ShowPolicy | None) -> tuple[PackInfo, ...]:
        """What is said of a registry's packs; the same until it is swapped, and clients ask for it again and again."""
        told = self._told_packs
        if told is None or told[0] is not registry or told[1] is not policy:
            told = self._told_packs = registry, policy, tuple(pack.info(policy) for pack in registry)
        return told[2]

    def _current_policy(self) -> ShowPolicy | None:
        return self._policy if self._policy_file is None else self._policy_file.current()

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
            with ExitStack() as leases:
                tools = _Tools(
                    color,
                    lambda pin, role: leases.enter_context(self._library.lease(pin, role, control)),
                    control,
                    draft=request.params.draft,
                )
                result = run(request, tools, control)
                return replace(result, report={**result.report, **tools.report()}, load_s=tools.load_s)
        except MemoryError as error:
            size = max((f"{p.width}x{p.height}" for p in request.plates.values()), default="")
            raise MemoryBudgetError(
                f"{role.value} ran out of memory", where=size or None, fix="use smaller tiles (--tile)"
            ) from error

    def states(self) -> tuple[PackState, ...]:
        """Every pack by role, id and version, then those that were replaced or removed and are still in use."""
        return self._library.states()

    def load(self, pin: PackPin) -> PackState:
        """Loads a pack, warms it up and keeps it in memory until it is unloaded.

        Raises:
            PackError: It is missing, broken or not the pinned one.
            MemoryBudgetError: It does not fit.
        """
        return self._library.load(pin)

    def unload(self, pin: PackPin) -> PackState:
        """Lets a pack go: at once, or when the calls that use it end. A later request loads it again.

        Returns:
            ``available``, or ``draining`` while it is in use.

        Raises:
            PackError: It is missing or not the pinned one.
        """
        return self._library.unload(pin)

    def refresh(self) -> None:
        """Looks now for packs that were changed, added or removed; an unsound one leaves what was there.

        A pack that takes over from a model in memory is loaded and warmed up first. Requests that run go on with the
        model they began with.
        """
        self._library.refresh()

    @contextmanager
    def lease(self, pin: PackPin, role: Role | None = None) -> Iterator[PackedModel]:
        """The model of a pack, in memory for as long as the context is open.

        Raises:
            PackError: It is missing, broken, of another role, or not the pinned one.
            MemoryBudgetError: It does not fit.
        """
        with self._library.lease(pin, role) as resident:
            yield resident.packed

    def observe(self, listener: Callable[[PackState], None]) -> None:
        """Has ``listener`` told of each change of a pack's state, in order; a change of ``users`` alone is none.

        It is called from whichever thread made the change, and must be quick.
        """
        self._listeners.append(listener)

    def watch(self) -> None:
        """Begins to look for changed packs and to unload idle ones, as the settings say; ``close`` ends it."""
        if self._upkeep is None and (self._settings.reload_s or self._settings.idle_unload_s):
            self._upkeep = Upkeep(self._library, self._settings)

    def close(self) -> None:
        """Frees the models."""
        if self._upkeep is not None:
            self._upkeep.stop()
        self._residency.close()

    def _told(self, state: PackState) -> None:
        for listener in tuple(self._listeners):
            listener(state)


class _Tools:
    """What a role is given for one request."""

    def __init__(
        self, color: ColorConfig, lease: Callable[[PackPin, Role], Resident], control: Control, *, draft: bool
    ) -> None:
        self.color = color
        self._control = control
        self._lease = lease
        self._draft = draft
        self._packed: list[PackedModel] = []
        self._notes: list[str] = []
        self.load_s = 0.0

    def load(self, pin: PackPin, role: Role) -> PackedModel:
        began = perf_counter()
        resident = self._lease(pin, role)
        self.load_s += perf_counter() - began
        self._packed.append(resident.packed)
        self._notes += [note for note in (resident.note, resident.draft_note if self._draft else "") if note]
        packed, cancelled = resident.packed, self._control.cancelled
        return replace(packed, run=lambda tensors, call: packed.run(tensors, replace(call, cancelled=cancelled)))

    def report(self) -> dict[str, Any]:
        """Where the models ran, on what, and what a runtime has to say of it."""
        devices = list(dict.fromkeys(packed.device for packed in self._packed))
        found = {"device": ", ".join(devices), "note": "; ".join(dict.fromkeys(self._notes))}
        report: dict[str, Any] = {name: text for name, text in found.items() if text}
        return report | ({"machine": self._machine(devices)} if devices else {})

    def _machine(self, devices: Sequence[str]) -> dict[str, Any]:
        """Everything of the machine that decides bytes, for records of provenance."""
        precisions = [(packed.draft_precision if self._draft else "") or packed.precision for packed in self._packed]
        gpus = [gpu_name(gpu_index(device)) for device in devices if device.startswith("cuda")]
        return {
            "device": ", ".join(devices),
            "providers": list(dict.fromkeys(name for packed in self._packed for name in packed.providers)),
            "precision": ", ".join(dict.fromkeys(precisions)),
            "processor": processor(),
            "instructions": instructions(),
            "gpu": ", ".join(dict.fromkeys(filter(None, gpus))),
            "runtimes": versions_of(frozenset().union(*(packed.libraries for packed in self._packed))),
        }
