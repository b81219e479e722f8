# SPDX-License-Identifier: Apache-2.0
"""What a shell sets before it starts a host."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from understudy.hosts.bridges import BUNDLE, Bridge, command_path, find_bundle, openfx_places
from understudy.hosts.install import MANIFEST, place_of
from understudy.share_root import share_root

_SYSTEM_PLACE = openfx_places()[0]


@dataclass(frozen=True)
class Variable:
    """One of them.

    Attributes:
        name: Its name.
        value: What it is, or what goes before what is there.
        prepend: It is a list of folders, and others may have put theirs there.
        why: What for.
    """

    name: str
    value: str
    prepend: bool
    why: str

    @property
    def line(self) -> str:
        """For sh."""
        rest = f'"${{{self.name}:+:${self.name}}}"' if self.prepend else ""
        return f"export {self.name}={shlex.quote(self.value)}{rest}"


def variables(host: str, bridge: Bridge, to: Path | None = None, bundle: Path | None = None) -> tuple[Variable, ...]:
    """What to set for a host; only what is needed and there.

    Args:
        host: The host's name.
        bridge: Its bridge.
        to: Where the bridge was installed, if not in the host's own folder.
        bundle: A built OpenFX plug-in.
    """
    found: list[Variable] = []
    command = command_path()
    if command:
        found.append(Variable("UNDERSTUDY_EXECUTABLE", command, False, "the command that the bridge starts"))
    if host == "nuke":
        installed = place_of(bridge, to)
        folder = installed if (installed / MANIFEST).is_file() else share_root() / "host_bridge" / "nuke"
        found.append(Variable("NUKE_PATH", str(folder), True, "the Groups, their menu and the panel"))
    if host == "nuke" or bridge.folder == BUNDLE:
        place = _openfx_place(None if host == "nuke" else to, bundle)
        if place is not None and place != _SYSTEM_PLACE:
            found.append(Variable("OFX_PLUGIN_PATH", str(place), True, "the live nodes"))
    return tuple(found)


def _openfx_place(to: Path | None, bundle: Path | None) -> Path | None:
    """The folder that has the bundle: where it was installed, else where it was built."""
    for place in (to, _SYSTEM_PLACE):
        if place is not None and (place.expanduser() / BUNDLE).is_dir():
            return place.expanduser().absolute()
    built = find_bundle(bundle)
    return built.parent if built else None
