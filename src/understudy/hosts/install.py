# SPDX-License-Identifier: Apache-2.0
"""Copies a bridge to where its host looks, and takes it away again: a manifest in the copy says what is ours."""

import hashlib
import json
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ValidationError

from understudy import __version__
from understudy.contracts.errors import MissingFileError, OutputError, UsageError
from understudy.hosts.bridges import Bridge

MANIFEST = ".understudy-install.json"
_HOSTS_OWN = "__pycache__"  # what a host's Python leaves beside our files


class Manifest(BaseModel):
    """What was installed.

    Attributes:
        version: Of Understudy.
        files: SHA-256 of each file, by its path in the folder.
        made: Folders above it that did not exist before, the outermost first.
    """

    schema_: Literal["understudy.install/1"] = "understudy.install/1"
    version: str
    files: dict[str, str]
    made: tuple[str, ...] = ()


@dataclass(frozen=True)
class Installed:
    """What an installation did.

    Attributes:
        folder: What was installed.
        files: How many files.
        state: ``new``, ``replaced`` an older copy of ours, or was there ``already``.
    """

    folder: Path
    files: int
    state: Literal["new", "replaced", "already"]


def place_of(bridge: Bridge, to: Path | None) -> Path:
    """The folder that is installed.

    Raises:
        UsageError: Nobody says where.
    """
    places = bridge.places() if to is None else (to,)
    if not places:
        raise UsageError("it is not known where this host looks", where="--to", fix=f"give {bridge.where}")
    return places[0].expanduser().absolute() / bridge.folder


def install(bridge: Bridge, to: Path | None = None, bundle: Path | None = None) -> Installed:
    """Copies a bridge; all of it or nothing.

    Args:
        bridge: The host's bridge.
        to: The folder that receives it; the host's own when left out.
        bundle: A built OpenFX plug-in.

    Raises:
        UsageError: Nobody says where.
        MissingFileError: The OpenFX plug-in is not built.
        OutputError: What is there is not ours or was changed, or the folder can't be written.
    """
    target = place_of(bridge, to)
    old = _ours(target) if target.exists() or target.is_symlink() else None
    if old is not None:
        _require_untouched(target, old)
    made: list[Path] = []
    try:
        made = _make(target.parent)
        with tempfile.TemporaryDirectory(prefix=".understudy-", dir=target.parent) as folder:
            return _swap(bridge, target, Path(folder), bundle, old, made)
    except OSError as error:
        _remove_empty(made)
        raise OutputError(
            f"can't be written: {error.strerror or error}",
            where=str(target),
            fix=f"give --to with {bridge.where} that you may write",
        ) from None
    except BaseException:
        _remove_empty(made)
        raise


def undo(bridge: Bridge, to: Path | None = None) -> Installed:
    """Removes what an installation copied, and nothing else; files of others keep their folders.

    Raises:
        UsageError: Nobody says where.
        MissingFileError: Nothing of ours is there.
        OutputError: A file was changed since, or can't be removed.
    """
    target = place_of(bridge, to)
    if not target.is_dir():
        raise MissingFileError("nothing is installed there", where=str(target), fix="give the --to of the installation")
    manifest = _ours(target)
    _require_unchanged(target, manifest)
    try:
        for name in manifest.files:
            (target / name).unlink(missing_ok=True)
        (target / MANIFEST).unlink()
        folders = {target / parent for name in manifest.files for parent in PurePosixPath(name).parents}
        for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            shutil.rmtree(folder / _HOSTS_OWN, ignore_errors=True)
            with suppress(OSError):  # somebody's file is in it
                folder.rmdir()
    except OSError as error:
        raise OutputError(f"can't be removed: {error.strerror or error}", where=str(target)) from None
    _remove_empty([Path(path) for path in manifest.made])
    return Installed(target, len(manifest.files), "already")


def _swap(
    bridge: Bridge, target: Path, folder: Path, bundle: Path | None, old: Manifest | None, made: list[Path]
) -> Installed:
    """Stages the bridge beside its place and puts it there."""
    staged = folder / bridge.folder
    bridge.stage(staged, bundle)
    files = {path: _digest(staged / path) for path in _files(staged)}
    if old is not None and old.files == files:
        return Installed(target, len(files), "already")
    kept = old.made if old else tuple(map(str, made))
    manifest = Manifest(version=__version__, files=files, made=kept)
    (staged / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    aside = folder / "old"
    try:
        if old is not None:
            target.rename(aside)
        staged.rename(target)
    except BaseException:  # an interrupt too
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise
    return Installed(target, len(files), "replaced" if old else "new")


def _ours(target: Path) -> Manifest:
    """The manifest of a folder that we installed."""
    if target.is_symlink() or not (target / MANIFEST).is_file():
        raise OutputError(
            "something is there that this command did not install",
            where=str(target),
            fix="move it away, or give another folder with --to",
        )
    try:
        manifest = Manifest.model_validate(json.loads((target / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        manifest = None
    names = [PurePosixPath(name) for name in manifest.files] if manifest else []
    if manifest is None or any(name.is_absolute() or ".." in name.parts for name in names):
        raise OutputError(
            "the note of what was installed can't be read", where=str(target / MANIFEST), fix=f"remove {target} by hand"
        )
    return manifest


def _require_unchanged(target: Path, manifest: Manifest) -> None:
    changed = [
        name for name, digest in manifest.files.items() if (target / name).exists() and _digest(target / name) != digest
    ]
    if changed:
        raise OutputError(
            f"changed since it was installed: {', '.join(changed[:5])}{' and more' if len(changed) > 5 else ''}",
            where=str(target),
            fix="keep your changes elsewhere and remove these files, then run it again",
        )


def _require_untouched(target: Path, manifest: Manifest) -> None:
    """Nothing is replaced that holds somebody's work."""
    _require_unchanged(target, manifest)
    foreign = [name for name in _files(target) if name not in manifest.files and name != MANIFEST]
    if foreign:
        raise OutputError(
            f"files are there that this command did not install: {', '.join(foreign[:5])}",
            where=str(target),
            fix="move them away, then run it again",
        )


def _files(folder: Path) -> list[str]:
    """Files below a folder, by their path in it; less what hosts leave there."""
    found = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()]
    return [path.as_posix() for path in found if _HOSTS_OWN not in path.parts]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _make(folder: Path) -> list[Path]:
    """Makes a folder, and says which ones it made, the outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()
