# SPDX-License-Identifier: Apache-2.0
"""The host: finds plug-ins, hands them suites, loads them."""

import ctypes
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from understudy.contracts.errors import UsageError
from understudy.ofx_host.abi import FetchSuite, OfxHost, Refused, require_this_machine, text_of
from understudy.ofx_host.bundles import PluginFile, plugins_at
from understudy.ofx_host.capabilities import Capabilities, host_properties
from understudy.ofx_host.effect import Effect
from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.properties import PropertySet
from understudy.ofx_host.suites import SUITES

_loaded: dict[tuple[Path, int], "Host"] = {}
_loaded_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Host(Capabilities):
    """An OpenFX host with the given capabilities; see `Capabilities` for its arguments.

    Raises:
        UsageError: Capabilities do not go together.
        DeviceUnavailableError: Plug-ins can't be run on this machine.
    """

    def __post_init__(self) -> None:
        require_this_machine()
        state = _State(host_properties(self), self.without_suites)
        object.__setattr__(self, "_state", state)

    @property
    def properties(self) -> PropertySet:
        """What plug-ins are told of it."""
        return _state_of(self).properties

    @property
    def suites_fetched(self) -> tuple[tuple[str, int], ...]:
        """Suites that plug-ins asked for, had or not, in order."""
        return tuple(_state_of(self).fetched)

    def find(
        self, paths: Iterable[str | Path] | None = None, on_problem: Callable[[Exception], None] | None = None
    ) -> tuple[PluginFile, ...]:
        """Image effects at some places; see `find_plugins`."""
        return plugins_at(paths, _state_of(self).struct, on_problem)

    def load(self, plugin: PluginFile) -> Effect:
        """Loads a plug-in and has it describe itself.

        Args:
            plugin: From `find` or `find_plugins`.

        Raises:
            UsageError: Another host of this process has it loaded.
            EffectError: It fails, breaks the rules, or has nothing in common with this host.
        """
        key = (plugin.binary, plugin.index)
        with _loaded_lock:
            if key in _loaded:
                raise UsageError(
                    "the plug-in is loaded already", where=plugin.identifier, fix="use that effect, or unload it first"
                )
            _loaded[key] = self
        try:
            plugin.struct.setHost(ctypes.byref(_state_of(self).struct))
            return Effect(plugin, self, lambda: _release(key))
        except BaseException:
            _release(key)
            raise


class _State:
    """What a host hands out; it lives as long as this process, for binaries keep pointers to it."""

    alive: list["_State"] = []  # noqa: RUF012 - shared on purpose

    def __init__(self, properties: PropertySet, without: frozenset[tuple[str, int]]) -> None:
        self.properties = properties
        self.without = without
        self.fetched: list[tuple[str, int]] = []
        self.struct = OfxHost(properties.handle, _FETCH)
        self.alive.append(self)


def _state_of(host: Host) -> _State:
    state = host.__dict__["_state"]
    assert isinstance(state, _State)
    return state


def _release(key: tuple[Path, int]) -> None:
    with _loaded_lock:
        _loaded.pop(key, None)


def _fetch(handle: int | None, name: bytes | None, version: int) -> int | None:
    """``OfxHost.fetchSuite``: null for a suite that is not there."""
    key = (text_of(name), version)
    try:
        properties = HANDLES.get(handle, PropertySet)
    except Refused:
        return None
    state = next((one for one in _State.alive if one.properties is properties), None)
    if state is None:
        return None
    state.fetched.append(key)
    suite = None if key in state.without else SUITES.get(key)
    return None if suite is None else ctypes.addressof(suite)


_FETCH = FetchSuite(_fetch)


def find_plugins(
    paths: Iterable[str | Path] | None = None, on_problem: Callable[[Exception], None] | None = None
) -> tuple[PluginFile, ...]:
    """Image effects at some places, by identifier, the newest version first. Their binaries are loaded for it.

    Args:
        paths: Binaries, bundles, or folders that are searched in depth; None for ``OFX_PLUGIN_PATH`` and the standard
            folders.
        on_problem: Told of each that can't be used, and then the search goes on. None raises for paths that were named,
            and logs for those of this machine.

    Raises:
        MissingFileError: There is nothing at a named path.
        UnsupportedFileError: A named bundle is for other platforms.
        UnreadableFileError: A named binary can't be loaded, or is no plug-in.
        DeviceUnavailableError: Plug-ins can't be run on this machine.
    """
    return _finder().find(paths, on_problem)


@cache
def _finder() -> Host:
    """The host that binaries are shown when nobody has one yet."""
    return Host()
