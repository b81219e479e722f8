# SPDX-License-Identifier: Apache-2.0
"""What each host's bridge is made of, and where the host looks for it."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import MissingFileError, OutputError, UsageError
from understudy.share_root import share_root

BUNDLE = "Understudy.ofx.bundle"
_BRIDGE = "understudy_bridge"
_NOTE = "executable.txt"  # understudy_bridge reads it
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "ruff.toml", "py.typed", "publishing.py")
_BUILD_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Bridge:
    """One host's bridge.

    Attributes:
        folder: Name of the folder that is installed.
        stage: Puts the bridge's files into a new folder, given a built OpenFX bundle or None.
        places: Where the host looks, the best first; such a folder receives ``folder``.
        where: What ``--to`` is for this host, for sentences.
        then: What is left to do, for people; ``{folder}`` is what was installed.
    """

    folder: str
    stage: Callable[[Path, Path | None], None]
    places: Callable[[], tuple[Path, ...]]
    where: str
    then: str


def bridge_of(host: str) -> Bridge:
    """A host's bridge.

    Raises:
        UsageError: There is none for it.
    """
    if host not in BRIDGES:
        raise UsageError(f"there is no bridge for {host}", where="HOST", fix=f"choose from {', '.join(BRIDGES)}")
    return BRIDGES[host]


def find_bundle(named: Path | None = None) -> Path | None:
    """The built OpenFX plug-in: the one that is named, or one that was built where its sources are.

    Raises:
        MissingFileError: The named one is none.
    """
    if named is not None:
        if named.name != BUNDLE or not (named / "Contents").is_dir():
            raise MissingFileError(f"this is no {BUNDLE}", where=str(named), fix="name what CMake built")
        return named.absolute()
    sources = share_root() / "host_bridge" / "ofx"
    found = [path for path in sorted(sources.glob(f"*/{BUNDLE}")) if (path / "Contents").is_dir()]
    return found[0] if found else None


def command_path() -> str:
    """The path of the command that runs, for the bridges' notes; empty when it was started some other way."""
    for found in (shutil.which(sys.argv[0]), Path(sys.executable).with_name("understudy")):
        if found and Path(found).stem == "understudy" and os.access(found, os.X_OK):
            return str(Path(found).absolute())
    return ""


def _stage_nuke(target: Path, _bundle: Path | None) -> None:
    shutil.copytree(share_root() / "host_bridge" / "nuke", target, ignore=_LEFT_OUT)
    _stage_core(target / "python" / _BRIDGE)


def _stage_comfyui(target: Path, _bundle: Path | None) -> None:
    shutil.copytree(share_root() / "host_bridge" / "comfyui" / "understudy_nodes", target, ignore=_LEFT_OUT)
    _stage_core(target / _BRIDGE)


def _stage_blender(target: Path, _bundle: Path | None) -> None:
    """By the extension's own build, which is another program under another license."""
    build = share_root() / "host_bridge" / "blender" / "build.py"
    out = target.with_name("built")
    command = [sys.executable, "-I", "-B", str(build), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BUILD_TIMEOUT_S)  # noqa: S603
    archives = list(out.glob("*.zip"))
    if done.returncode or len(archives) != 1:
        raise OutputError(f"the extension can't be built: {done.stderr.strip()[-300:]}", where=str(build))
    with zipfile.ZipFile(archives[0]) as archive:
        archive.extractall(target)
    shutil.rmtree(out)
    _note(target / _BRIDGE)


def _stage_openfx(target: Path, bundle: Path | None) -> None:
    if bundle is None:
        sources = share_root() / "host_bridge" / "ofx"
        raise MissingFileError(
            "the OpenFX plug-in is not built",
            where=str(sources),
            fix=f"cmake -S {sources} -B build && cmake --build build, then give --from build/{BUNDLE}",
        )
    shutil.copytree(bundle, target, ignore=shutil.ignore_patterns("__pycache__"))


def _stage_core(target: Path) -> None:
    shutil.copytree(share_root() / "host_bridge" / "python" / _BRIDGE, target, ignore=_LEFT_OUT)
    _note(target)


def _note(target: Path) -> None:
    command = command_path()
    if command:
        (target / _NOTE).write_text(command + "\n", encoding="utf-8")


def _nuke_places() -> tuple[Path, ...]:
    return (Path.home() / ".nuke",)


def _blender_places() -> tuple[Path, ...]:
    """Folders of the user's own extensions, of the newest Blender first."""
    if sys.platform == "win32":
        settings = Path(os.environ.get("APPDATA", Path.home())) / "Blender Foundation" / "Blender"
    elif sys.platform == "darwin":
        settings = Path.home() / "Library" / "Application Support" / "Blender"
    else:
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "blender"
    versions = [path for path in settings.glob("*.*") if path.name.replace(".", "").isdecimal()]
    versions.sort(key=lambda path: tuple(map(int, path.name.split("."))), reverse=True)
    return tuple(path / "extensions" / "user_default" for path in versions)


def _no_places() -> tuple[Path, ...]:
    return ()


def openfx_places() -> tuple[Path, ...]:
    """The standard folder of OpenFX plug-ins; openfx.readthedocs.io, "Packaging"."""
    if sys.platform == "win32":
        return (Path("C:/Program Files/Common Files/OFX/Plugins"),)
    return (Path("/Library/OFX/Plugins" if sys.platform == "darwin" else "/usr/OFX/Plugins"),)


def _openfx(then: str) -> Bridge:
    return Bridge(BUNDLE, _stage_openfx, openfx_places, "a folder on OFX_PLUGIN_PATH", then)


_RESTART = "restart the host; its nodes are under Understudy"

BRIDGES = {
    "nuke": Bridge(
        "understudy", _stage_nuke, _nuke_places, "a folder on NUKE_PATH, or ~/.nuke",
        'put {folder} on NUKE_PATH (understudy env nuke), or nuke.pluginAddPath("{folder}") into ~/.nuke/init.py',
    ),
    "natron": _openfx(_RESTART),
    "resolve": _openfx(_RESTART),
    "fusion": _openfx(_RESTART),
    "flame": _openfx(f"{_RESTART}; packs for Flame's own Inference node: understudy packs export --to flame"),
    "blender": Bridge(
        "understudy", _stage_blender, _blender_places, "Blender's folder extensions/user_default",
        "enable Understudy in Blender's preferences, under Add-ons",
    ),
    "comfyui": Bridge(
        "understudy_nodes", _stage_comfyui, _no_places, "ComfyUI's folder custom_nodes", "restart ComfyUI"
    ),
}  # fmt: skip
"""By the host's name on the command line."""
