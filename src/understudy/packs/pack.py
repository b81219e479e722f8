# SPDX-License-Identifier: Apache-2.0
"""A pack on disk: its manifest, its folder, and the digest that pins both."""

import hashlib
import json
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from understudy.contracts.engine import PackInfo
from understudy.contracts.errors import PackError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import PackManifest, Role
from understudy.packs.manifest import declared_files, file_problem, read_manifest
from understudy.packs.toml_file import shown


@dataclass(frozen=True)
class Pack:
    """One pack folder whose manifest is sound.

    Attributes:
        manifest: What it promises.
        folder: Where it lies, absolute.
        source: How it was found: ``given``, ``env``, ``entry-point`` or ``shipped``.
        digest: SHA-256 over what the manifest says and the declared hash of each file, 64 hexadecimal digits.
    """

    manifest: PackManifest
    folder: Path
    source: str
    digest: str

    @property
    def id(self) -> str:
        """The manifest's id."""
        return self.manifest.id

    @property
    def version(self) -> str:
        """The manifest's version."""
        return self.manifest.version

    @property
    def role(self) -> Role:
        """The job it plays."""
        return self.manifest.role

    @cached_property
    def pin(self) -> PackPin:
        """Id, version and digest."""
        return PackPin(id=self.id, version=self.version, sha256=self.digest)

    def files(self) -> tuple[tuple[Path, str], ...]:
        """Each declared file and its declared SHA-256, the runtime's first."""
        return tuple((self.folder / file, sha256) for _, file, sha256 in declared_files(self.manifest))

    def info(self) -> PackInfo:
        """What an engine says of it."""
        return PackInfo(
            pin=self.pin,
            role=self.role.value,
            title=self.manifest.title,
            description=self.manifest.description,
            draft=self.manifest.draft,
            source=f"{self.source}:{self.folder}",
            manifest=self.manifest.model_dump(mode="json", by_alias=True),
        )

    def verify(self) -> None:
        """Compares every declared file with its hash; a file that did not change since the last time is not read again.

        Raises:
            PackError: A file is gone, leads out of the folder, or has other bytes than the manifest says.
        """
        for field, file, sha256 in declared_files(self.manifest):
            path = self.folder / file
            if problem := file_problem(self.folder, file):
                raise PackError(problem[0], where=f"{shown(self.folder)}/pack.toml: {field}", fix=problem[1])
            found = file_sha256(path)
            if found != sha256:
                raise PackError(
                    f"has other bytes than pack.toml declares (SHA-256 {found[:12]}..., declared {sha256[:12]}...)",
                    where=shown(path),
                    fix=f"restore the file or, if the change is meant, run `understudy packs pin {shown(self.folder)}`",
                )


def open_pack(folder: Path, source: str = "given") -> Pack:
    """A pack from its folder; hashes are compared when it is loaded, by ``Pack.verify``.

    Raises:
        ManifestError: The manifest is missing or wrong.
    """
    folder = folder.absolute()
    manifest = read_manifest(folder)
    return Pack(manifest, folder, source, pack_digest(manifest))


def pack_digest(manifest: PackManifest) -> str:
    """SHA-256 over the canonical form of a manifest, in which each file stands with its own SHA-256.

    Comments, order and layout of ``pack.toml`` do not count; fields left at their defaults do not count either, so that
    a later schema with more fields leaves the digests of old packs as they are.
    """
    said = manifest.model_dump(mode="json", by_alias=True, exclude_unset=True)
    said["weights"] = sorted(said.get("weights", []), key=lambda weight: str(weight["file"]))
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


_hashes: dict[Path, tuple[tuple[int, int, int], str]] = {}
_hashes_lock = threading.Lock()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, remembered while its size, modification time and inode stay.

    Raises:
        PackError: The file can't be read.
    """
    try:
        stat = path.stat()
        key = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        with _hashes_lock:
            known = _hashes.get(path)
        if known and known[0] == key:
            return known[1]
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise PackError(f"can't be read: {error.strerror}", where=shown(path)) from None
    with _hashes_lock:
        _hashes[path] = (key, digest)
    return digest
