# SPDX-License-Identifier: Apache-2.0
"""What the protocol tells of packs: metadata, configuration, the repository's index; and loading and unloading them."""

from collections.abc import Sequence
from typing import Any

import grpc

from understudy.contracts.engine import ManagedEngine, PackInfo, PackState
from understudy.contracts.errors import PackNotFoundError, RightsError, UsageError
from understudy.contracts.jobs import PackPin
from understudy.contracts.model import TensorSignature, TensorSpec
from understudy.inference_protocol.datatypes import config_type, datatype_name
from understudy.inference_protocol.messages import (
    ModelConfig,
    ModelConfigResponse,
    ModelInstanceGroup,
    ModelMetadataResponse,
    ModelStatisticsResponse,
    RepositoryIndexResponse,
)
from understudy.packs.pins import choose_pack, version_key
from understudy.service.oip.infer_work import not_offered, require_offered
from understudy.service.oip.refusals import RefusedError, without_paths
from understudy.service.oip.statistics import Statistics

_MOST_REMEMBERED = 256
_STATES = {
    "available": ("READY", "loads when it is asked for"),
    "loading": ("LOADING", ""),
    "ready": ("READY", ""),
    "draining": ("UNLOADING", "replaced or unloaded, still in use"),
    "failed": ("UNAVAILABLE", ""),
}


class Models:
    """Packs as models of the protocol.

    Args:
        engines: One per device. The first one says what there is; all of them load and unload.
        statistics: What was counted.
    """

    def __init__(self, engines: Sequence[ManagedEngine], statistics: Statistics) -> None:
        self._engines = engines
        self._engine = engines[0]
        self._statistics = statistics
        self._signatures: dict[str, tuple[TensorSignature, str]] = {}

    def ready(self, name: str, version: str) -> bool:
        """Whether a request to a model would be tried: it is in memory, or loads when it is asked for.

        Raises:
            PackNotFoundError: There is no such pack.
        """
        info = self._find(name, version)
        state = next((state for state in self._engine.states() if state.pin == info.pin), None)
        tried = state is not None and state.state in {"available", "loading", "ready"}
        return tried and not info.refused and not _kept_back(info)

    def metadata(self, name: str, version: str) -> ModelMetadataResponse:
        """A model's tensors, of which -1 is a side of any size; the pack is loaded for it if it is not.

        Raises:
            PackError: There is no such pack, or it does not load.
            RightsError: The service's policy refuses it.
            RefusedError: It is no model of this service.
        """
        info = self._find(name, version)
        signature, _ = self._signature(info)
        versions = [pack.pin.version for pack in self._engine.info().packs if pack.pin.id == name]
        message = ModelMetadataResponse(
            name=name, versions=sorted(versions, key=version_key), platform=signature.platform
        )
        for specs, into in ((signature.inputs, message.inputs), (signature.outputs, message.outputs)):
            for spec in specs:
                into.add(name=spec.name, datatype=datatype_name(spec.dtype), shape=spec.shape)
        return message

    def config(self, name: str, version: str) -> ModelConfigResponse:
        """A model's configuration: no batches; inputs that are no images are optional, parameters stand in for them.

        Raises:
            PackError: There is no such pack, or it does not load.
            RightsError: The service's policy refuses it.
            RefusedError: It is no model of this service.
        """
        info = self._find(name, version)
        signature, device = self._signature(info)
        config = ModelConfig(name=name, platform=signature.platform, max_batch_size=0)
        config.backend = signature.platform.partition("_")[0]
        for spec in signature.inputs:
            config.input.add(**_config(spec), optional=spec.optional)
        for spec in signature.outputs:
            config.output.add(**_config(spec))
        kind = ModelInstanceGroup.KIND_GPU if device.startswith("cuda") else ModelInstanceGroup.KIND_CPU
        config.instance_group.add(name=name, count=len(self._engines), kind=kind)
        facts = {"role": info.role, "layout": signature.layout, "pack_version": info.pin.version,
                 "pack_sha256": info.pin.sha256, "title": info.title}  # fmt: skip
        for key, text in facts.items():
            config.parameters[key].string_value = text
        return ModelConfigResponse(config=config)

    def index(self, *, ready: bool) -> RepositoryIndexResponse:
        """Every pack with each of its versions, and the folders that hold none that loads.

        Args:
            ready: Only those that answer requests.
        """
        message = RepositoryIndexResponse()
        info = self._engine.info()
        kept_back = {pack.pin: reason for pack in info.packs if (reason := pack.refused or _kept_back(pack))}
        for state in _latest(self._engine.states()):
            name, reason = _STATES[state.state]
            if state.pin in kept_back:
                name, reason = "UNAVAILABLE", kept_back[state.pin]
            if state.problem:
                reason = without_paths(state.problem)
            if not ready or name == "READY":
                message.models.add(name=state.pin.id, version=state.pin.version, state=name, reason=reason)
        for failure in () if ready else info.failures:
            folder = failure.path.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
            message.models.add(name=folder, state="UNAVAILABLE", reason=without_paths(failure.problem))
        return message

    def load(self, name: str, parameters: Sequence[str]) -> None:
        """Loads a pack's highest version and keeps it in memory until it is unloaded.

        Raises:
            PackError: There is no such pack, or it does not load.
            UsageError: It was to be changed.
        """
        if parameters:
            fix = "install another version of the pack instead"
            raise UsageError("a pack is pinned and can't be overridden", where="parameters", fix=fix)
        info = self._find(name, "")
        if reason := _kept_back(info):
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, reason)
        for engine in self._engines:
            engine.load(info.pin)

    def unload(self, name: str) -> None:
        """Lets all versions of a pack go; a later request loads it again.

        Raises:
            PackNotFoundError: There is no such pack.
        """
        self._find(name, "")
        for engine in self._engines:
            for state in engine.states():
                if state.pin.id == name and state.state in {"ready", "loading", "draining"}:
                    _unload(engine, state.pin)

    def statistics(self, name: str, version: str) -> ModelStatisticsResponse:
        """What was counted of one model, of all its versions, or of all models.

        Raises:
            PackNotFoundError: There is no such pack.
        """
        if name:
            self._find(name, version)
        message = ModelStatisticsResponse()
        for state in _latest(self._engine.states()):
            if name in {"", state.pin.id} and version in {"", state.pin.version}:
                model = self._statistics.message(state.pin.id, state.pin.version)
                if state.resident_bytes:
                    kind = "GPU" if state.device.startswith("cuda") else "CPU"
                    model.memory_usage.add(type=kind, byte_size=state.resident_bytes)
                message.model_stats.append(model)
        return message

    def _find(self, name: str, version: str) -> PackInfo:
        return choose_pack(self._engine.info().packs, PackPin(id=name[:200], version=version[:200]), where="model")

    def _signature(self, info: PackInfo) -> tuple[TensorSignature, str]:
        """A model's tensors and its device; kept, so that a pack that left memory is not loaded again for it."""
        if reason := _kept_back(info):
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, reason)
        if info.refused:
            raise RightsError(info.refused)
        known = self._signatures.get(info.pin.sha256)
        if known is None:
            with self._engine.lease(info.pin) as packed:
                require_offered(packed.manifest)
                known = packed.tensors.signature(), packed.device
            if len(self._signatures) >= _MOST_REMEMBERED:
                self._signatures.clear()
            self._signatures[info.pin.sha256] = known
        return known


def _kept_back(info: PackInfo) -> str:
    runtime: Any = info.manifest.get("runtime", {})
    return not_offered(str(runtime.get("kind", "")))


def _config(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "data_type": config_type(datatype_name(spec.dtype)), "dims": spec.shape}


def _latest(states: Sequence[PackState]) -> list[PackState]:
    """One state for each id and version: that of the pack that is there, not of what it replaced."""
    found: dict[tuple[str, str], PackState] = {}
    for state in states:
        found.setdefault((state.pin.id, state.pin.version), state)
    return list(found.values())


def _unload(engine: ManagedEngine, pin: PackPin) -> None:
    try:
        engine.unload(pin)
    except PackNotFoundError:  # removed from disk since: it goes by itself
        return
