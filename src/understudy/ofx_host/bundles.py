# SPDX-License-Identifier: Apache-2.0
"""Where plug-ins lie, and which are in a binary (OpenFX 1.5, "Packaging OFX Plug-ins", "Loading sequence")."""

import ctypes
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from ctypes import POINTER, byref, c_int
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import MissingFileError, UnreadableFileError, UnsupportedFileError
from understudy.ofx_host.abi import OfxHost, OfxPlugin, Status, require_this_machine, text_of
from understudy.ofx_host.elf import check_library

_log = logging.getLogger(__name__)

IMAGE_EFFECT_API = "OfxImageEffectPluginAPI"

_STANDARD = {
    "linux": ("/usr/OFX/Plugins",),
    "darwin": ("/Library/OFX/Plugins",),
    "win32": (r"C:\Program Files\Common Files\OFX\Plugins",),
}
_FOLDERS = {"linux": ("Linux-x86-64",), "darwin": ("MacOS-x86-64", "MacOS"), "win32": ("Win64",)}
_MOST_PLUGINS = 10_000
"""More than that in one binary is no answer but garbage."""


@dataclass(frozen=True, slots=True)
class PluginFile:
    """One plug-in in a binary that is loaded into this process.

    Attributes:
        identifier: Reverse domain name.
        version: Major and minor.
        binary: The shared library.
        bundle: The bundle that it lies in; the binary itself where there is none.
        index: Which of the binary's plug-ins.
        library: The loaded library, which stays loaded until this process ends.
        struct: What the binary says of it.
    """

    identifier: str
    version: tuple[int, int]
    binary: Path
    bundle: Path
    index: int
    library: ctypes.CDLL
    struct: OfxPlugin


def search_folders() -> tuple[Path, ...]:
    """Where this machine keeps plug-ins: ``OFX_PLUGIN_PATH``, then the standard folders."""
    named = [part for part in os.environ.get("OFX_PLUGIN_PATH", "").split(os.pathsep) if part]
    return tuple(Path(part) for part in (*named, *_STANDARD.get(sys.platform, ())))


def find_binaries(path: Path) -> tuple[Path, ...]:
    """Binaries of this platform at or below a path, by name.

    Args:
        path: A binary, a bundle, or a folder that is searched in depth; folders whose name starts with ``@`` are not.

    Raises:
        MissingFileError: There is nothing at the path.
        UnsupportedFileError: It is a bundle without a binary for this platform.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise MissingFileError("there is no OpenFX plug-in", where=str(path), fix="name a bundle, a binary or a folder")
    if path.name.endswith(".ofx.bundle"):
        binary = _binary_of(path)
        if binary is None:
            folder = " or ".join(_FOLDERS.get(sys.platform, ("a folder of this platform",)))
            raise UnsupportedFileError(
                f"the bundle has no binary for this platform (Contents/{folder}/{path.name.removesuffix('.bundle')})",
                where=str(path),
                fix="install the plug-in for this platform",
            )
        return (binary,)
    return tuple(_below(path))


def _below(folder: Path) -> Iterator[Path]:
    for inner, folders, _ in os.walk(folder, followlinks=False):
        bundles = sorted(name for name in folders if name.endswith(".ofx.bundle"))
        folders[:] = sorted(name for name in folders if name not in bundles and not name.startswith("@"))
        for name in bundles:
            binary = _binary_of(Path(inner) / name)
            if binary is not None:
                yield binary


def _binary_of(bundle: Path) -> Path | None:
    name = bundle.name.removesuffix(".bundle")
    places = (bundle / "Contents" / folder / name for folder in _FOLDERS.get(sys.platform, ()))
    return next((place for place in places if place.is_file()), None)


def read_plugins(binary: Path, host: OfxHost) -> tuple[PluginFile, ...]:
    """The image effects of a binary, which is loaded for it: code of its constructors runs.

    Args:
        binary: The shared library.
        host: Told to the binary first, if it wants to know (``OfxSetHost``, since OpenFX 1.4).

    Raises:
        DeviceUnavailableError: Plug-ins can't be run on this machine.
        UnreadableFileError: It can't be loaded, or is no OpenFX plug-in.
        UnsupportedFileError: It is for another processor.
    """
    require_this_machine()
    if sys.platform == "linux":
        check_library(binary)
    try:
        library = ctypes.CDLL(str(binary), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise UnreadableFileError(
            f"the plug-in can't be loaded: {error}", where=str(binary), fix="install what it needs, or leave it out"
        ) from None
    try:
        count_of, plugin_of = library.OfxGetNumberOfPlugins, library.OfxGetPlugin
    except AttributeError:
        raise UnreadableFileError(
            "the library is no OpenFX plug-in: it has no OfxGetNumberOfPlugins and OfxGetPlugin",
            where=str(binary),
            fix="name a plug-in",
        ) from None
    tell = getattr(library, "OfxSetHost", None)
    if tell is not None:
        tell.argtypes, tell.restype = [POINTER(OfxHost)], c_int
        if tell(byref(host)) == Status.FAILED:
            return ()  # the binary says that it is not for this host
    count_of.argtypes, count_of.restype = [], c_int
    plugin_of.argtypes, plugin_of.restype = [c_int], POINTER(OfxPlugin)
    count = count_of()
    if not 0 <= count <= _MOST_PLUGINS:
        raise UnreadableFileError(f"the library says it has {count} plug-ins", where=str(binary), fix="leave it out")
    bundle = next((part for part in binary.parents if part.name.endswith(".ofx.bundle")), binary)
    found = []
    for index in range(count):
        pointer = plugin_of(index)
        if not pointer or text_of(pointer.contents.pluginApi) != IMAGE_EFFECT_API or pointer.contents.apiVersion != 1:
            continue
        struct = pointer.contents
        if not struct.setHost or not struct.mainEntry:
            raise UnreadableFileError("a plug-in has no entry point", where=str(binary), fix="leave it out")
        version = (int(struct.pluginVersionMajor), int(struct.pluginVersionMinor))
        found.append(PluginFile(text_of(struct.pluginIdentifier), version, binary, bundle, index, library, struct))
    return tuple(found)


def plugins_at(
    paths: Iterable[str | Path] | None, host: OfxHost, on_problem: Callable[[Exception], None] | None
) -> tuple[PluginFile, ...]:
    """All image effects at some places, sorted by identifier, the newest version first.

    Args:
        paths: Binaries, bundles or folders; None for those of this machine.
        host: See `read_plugins`.
        on_problem: Told of each binary that can't be used, and then the search goes on. None raises for paths that were
            named, and logs for those of this machine.

    Raises:
        MissingFileError: There is nothing at a named path.
        UnsupportedFileError: A named bundle is for other platforms.
        UnreadableFileError: A binary can't be loaded.
    """
    named = paths is not None
    places = [Path(path) for path in paths] if paths is not None else [one for one in search_folders() if one.is_dir()]
    found: dict[tuple[Path, int], PluginFile] = {}
    for place in places:
        try:
            binaries = find_binaries(place)
        except (MissingFileError, UnsupportedFileError) as error:
            if named and on_problem is None:
                raise
            _tell(error, on_problem)
            continue
        for binary in binaries:
            try:
                found |= {(plugin.binary, plugin.index): plugin for plugin in read_plugins(binary, host)}
            except (UnreadableFileError, UnsupportedFileError) as error:
                if named and on_problem is None:
                    raise
                _tell(error, on_problem)
    return tuple(
        sorted(found.values(), key=lambda one: (one.identifier, -one.version[0], -one.version[1], str(one.binary)))
    )


def _tell(error: Exception, on_problem: Callable[[Exception], None] | None) -> None:
    if on_problem is not None:
        on_problem(error)
    else:
        _log.warning("an OpenFX plug-in is left out: %s", error)
