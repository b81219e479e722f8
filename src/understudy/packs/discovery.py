# SPDX-License-Identifier: Apache-2.0
"""Where packs are looked for, and what was found there.

The order is fixed, and the left-most wins:

1. folders given by the caller (``given``),
2. ``$UNDERSTUDY_PACK_PATH``, folders joined by the system's path separator (``env``),
3. entry points of the group ``understudy.packs``: each a function that returns a folder (``entry-point``),
4. the packs that ship with Understudy (``shipped``).

A folder on the path is either one pack (it holds a ``pack.toml``) or holds packs one level down; names that start with
a dot or an underscore are passed over.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from understudy.contracts.engine import PackFailure
from understudy.contracts.errors import UnderstudyError
from understudy.packs.manifest import MANIFEST_NAME
from understudy.packs.pack import Pack, open_pack
from understudy.packs.registry import Registry
from understudy.packs.toml_file import shown
from understudy.share_root import share_root

PACK_PATH_VARIABLE = "UNDERSTUDY_PACK_PATH"
ENTRY_POINT_GROUP = "understudy.packs"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a search found.

    Attributes:
        registry: The packs whose manifests are sound.
        failures: Folders that are missing, and packs that were refused, with the reason.
        search_path: Where it looked, left-most first: (kind, folder).
    """

    registry: Registry
    failures: tuple[PackFailure, ...]
    search_path: tuple[tuple[str, Path], ...]


def discover(given: Sequence[Path] = ()) -> Discovery:
    """Looks for packs; one that is broken never hides the others.

    Args:
        given: Folders to look in before all others.
    """
    path, failures = search_path(given)
    registry = Registry()
    seen: set[Path] = set()
    for kind, root in path:
        for found in _packs_under(root, kind):
            if isinstance(found, PackFailure):
                failures.append(found)
            elif found.folder.resolve() not in seen:  # one folder may be on the path twice, which is no duplicate
                seen.add(found.folder.resolve())
                try:
                    registry = registry.with_packs(found)
                except UnderstudyError as error:
                    failures.append(_failure(found.folder, error))
    return Discovery(registry, tuple(failures), tuple(path))


def search_path(given: Sequence[Path] = ()) -> tuple[list[tuple[str, Path]], list[PackFailure]]:
    """The folders to look in, left-most first, and the entry points that did not name one."""
    path = [("given", Path(folder).expanduser().absolute()) for folder in given]
    path += [("env", folder) for folder in user_pack_folders()]
    failures: list[PackFailure] = []
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: (entry.name, entry.value)):
        where = f"entry point {entry.name} ({entry.value})"
        try:
            folder = entry.load()()
            path.append(("entry-point", Path(folder).absolute()))
        except Exception as error:  # a broken installed package must not hide the other packs
            problem = f"did not return a folder: {type(error).__name__}: {error}"
            failures.append(PackFailure(path=where, problem=problem, fix="update or uninstall the package it is from"))
    try:
        path.append(("shipped", share_root() / "models"))
    except FileNotFoundError as error:
        failures.append(PackFailure(path="shipped packs", problem=str(error), fix="reinstall understudy"))
    return path, failures


def user_pack_folders() -> list[Path]:
    """The folders of ``$UNDERSTUDY_PACK_PATH``, left-most first; empty parts are passed over."""
    parts = os.environ.get(PACK_PATH_VARIABLE, "").split(os.pathsep)
    # Path.expanduser raises for an unknown user; this leaves the path alone, and the search says that it is not there.
    return [Path(os.path.expanduser(part)).absolute() for part in parts if part.strip()]  # noqa: PTH111


def _packs_under(root: Path, kind: str) -> Iterator[Pack | PackFailure]:
    try:
        if (root / MANIFEST_NAME).is_file():
            folders = [root]
        else:
            folders = sorted(child for child in root.iterdir() if child.name[0] not in "._" and child.is_dir())
    except OSError as error:
        fix = f"correct ${PACK_PATH_VARIABLE}" if kind == "env" else "give the folder that holds the packs"
        yield PackFailure(path=root.as_posix(), problem=f"can't be searched: {error.strerror}", fix=fix)
        return
    for folder in folders:
        try:
            if not (folder / MANIFEST_NAME).exists() and not _looks_like_a_pack(folder):
                continue
            yield open_pack(folder, kind)
        except UnderstudyError as error:
            yield _failure(folder, error)
        except OSError as error:
            yield PackFailure(path=folder.as_posix(), problem=f"can't be read: {error.strerror}")


def _looks_like_a_pack(folder: Path) -> bool:
    """Whether a folder without a manifest was probably meant to have one."""
    return any(child.name == "adapter.py" or child.suffix == ".onnx" for child in folder.iterdir())


def _failure(folder: Path, error: UnderstudyError) -> PackFailure:
    problem = f"{error.where}: {error.problem}" if error.where and error.where != shown(folder) else error.problem
    return PackFailure(path=folder.as_posix(), problem=problem, fix=error.fix or "")
