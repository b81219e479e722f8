# SPDX-License-Identifier: Apache-2.0
"""Copies a pack into a folder of packs: whole or not at all."""

import os
import shutil
import tempfile
from pathlib import Path

from understudy.contracts.errors import DuplicatePackError, OutputError
from understudy.packs.bom import BOM_NAME
from understudy.packs.discovery import Discovery
from understudy.packs.manifest import MANIFEST_NAME, declared_files, papers
from understudy.packs.pack import Pack, open_pack
from understudy.packs.toml_file import shown


def install_pack(pack: Pack, to: Path, found: Discovery) -> Pack:
    """Copies the manifest, the declared files, the rights record, the card, license texts and evidence; nothing else.

    Args:
        pack: A pack whose hashes are verified here again.
        to: The folder that receives ``<id>``, or ``<id>-<version>`` where that name is taken. Made if missing.
        found: The packs that are there already.

    Returns:
        The pack in its new place.

    Raises:
        DuplicatePackError: This id and version is there already.
        PackError: A file has other bytes than declared.
        OutputError: The copy can't be written.
    """
    pack.verify()
    for other in found.registry:
        if (other.id, other.version) == (pack.id, pack.version):
            problem = f"{pack.id}@{pack.version} is already there ({other.source})"
            raise DuplicatePackError(problem, where=shown(other.folder), fix="remove that one, or raise the version")
    target = to / pack.id
    if target.exists():
        target = to / f"{pack.id}-{pack.version}"
    if target.exists():
        raise DuplicatePackError("the folder exists", where=shown(target), fix="remove it or choose another with --to")
    names = [MANIFEST_NAME, *(file for _, file, _ in declared_files(pack.manifest))]
    names += [*papers(pack.manifest, pack.folder), *([BOM_NAME] if (pack.folder / BOM_NAME).is_file() else [])]
    temporary = None
    try:
        to.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".adding-", dir=to))
        for name in dict.fromkeys(names):
            copy = temporary / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(pack.folder / name, copy)
        open_pack(temporary).verify()  # a full disk shows as a short file on some systems
        temporary.chmod(0o777 & ~_umask())
        temporary.rename(target)
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=shown(target)) from None
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    return open_pack(target, "env")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
