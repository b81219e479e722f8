# SPDX-License-Identifier: Apache-2.0
"""A pack on disk: its manifest, its folder, and the digest that pins both."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from understudy.contracts.engine import PackInfo
from understudy.contracts.errors import PackError, RightsError
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import PackManifest, Role
from understudy.contracts.rights import RecordState
from understudy.packs.badge import badge_of
from understudy.packs.bom import known_bom, record_state
from understudy.packs.file_hash import file_sha256
from understudy.packs.manifest import declared_files, file_problem, read_manifest
from understudy.packs.policy import ShowPolicy
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

    @cached_property
    def rights_record(self) -> RecordState:
        """How its rights record stands to its manifest and its files, when it was first asked."""
        return record_state(self.manifest, self.folder, self.digest)

    def refusal(self, policy: ShowPolicy | None) -> RightsError | None:
        """Why a policy refuses the pack, as the error to raise; None when it may be used."""
        return policy.refusal(self.manifest, self.pin, self.rights_record) if policy else None

    def info(self, policy: ShowPolicy | None = None) -> PackInfo:
        """What an engine says of it, which keeps to a policy or to none."""
        badge = badge_of(self.manifest, self.rights_record, policy, pin=self.pin)
        refused = self.refusal(policy)
        return PackInfo(
            pin=self.pin,
            role=self.role.value,
            title=self.manifest.title,
            description=self.manifest.description,
            draft=self.manifest.draft,
            source=f"{self.source}:{self.folder}",
            manifest=self.manifest.model_dump(mode="json", by_alias=True),
            badge=badge.color,
            badge_reasons=badge.reasons,
            rights_record=self.rights_record,
            refused=str(refused or ""),
            bom=known_bom(self.folder),
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
