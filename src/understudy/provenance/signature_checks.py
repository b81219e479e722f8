# SPDX-License-Identifier: Apache-2.0
"""Whether the C2PA manifest beside a record holds, and whether its signer is trusted."""

import io
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import InputError
from understudy.provenance.content_credentials import is_available, read_manifest
from understudy.provenance.findings import Finding
from understudy.provenance.record import Record
from understudy.provenance.record_file import read_bytes

FORMAT = "application/json"

_RESTORE = "restore record and signature from where they are whole; sign it again only if you know what changed"


@dataclass(frozen=True, slots=True)
class SignatureState:
    """What was found of a signature.

    Attributes:
        holds: It is over the very record.
        trusted: One of the authorities vouches for the signer.
        finding: What is wrong, or None.
    """

    holds: bool = False
    trusted: bool = False
    finding: Finding | None = None


def check_signature(record: Record, content: bytes, path: Path, anchors: str) -> SignatureState:
    """Checks the manifest of a record.

    Args:
        record: The record.
        content: Its bytes.
        path: Where the manifest lies.
        anchors: PEM certificates of trusted authorities; empty for none.
    """
    if not path.exists():
        if not record.signed:
            return SignatureState()
        problem = "the record says that it is signed, and the manifest is not there"
        return _wrong("signature-missing", path, problem, "restore it, or sign the record again")
    if not is_available():
        fix = "pip install 'understudy[publish]'"
        problem = "the signature can't be checked here: c2pa-python is not installed"
        return _wrong("signature-unchecked", path, problem, fix, warning=True)
    try:
        found = read_manifest(FORMAT, io.BytesIO(content), read_bytes(path), anchors)
    except InputError as error:
        return _wrong("signature-broken", path, error.problem, _RESTORE)
    if found.broken or not record.signed:
        reason = found.broken or "the record says that it is not signed"
        return _wrong("signature-broken", path, f"does not hold for the record: {reason}", _RESTORE)
    if found.expired:
        problem = f"the certificate of {found.signer} has ended, and no timestamp says when it was signed"
        return _wrong("signature-expired", path, problem, "sign the record again", holds=True)
    if not found.trusted:
        reason = "no authority that you trust vouches for" if anchors else "nobody said whom to trust to vouch for"
        fix = "sign with a certificate of a trusted authority" if anchors else "name the authorities with --trust"
        return _wrong("signature-untrusted", path, f"{reason} {found.signer}", fix, holds=True, warning=not anchors)
    return SignatureState(holds=True, trusted=True)


def _wrong(
    check: str, path: Path, problem: str, fix: str, *, holds: bool = False, warning: bool = False
) -> SignatureState:
    finding = Finding(check=check, severity="warning" if warning else "error", file=path.name, problem=problem, fix=fix)
    return SignatureState(holds=holds, finding=finding)
