# SPDX-License-Identifier: Apache-2.0
"""Signs records, writes what would be signed where nobody can, and puts manifests into review files."""

import json
from dataclasses import dataclass
from pathlib import Path

from understudy.contracts.errors import UsageError
from understudy.provenance.content_credentials import Signer, media_type_of
from understudy.provenance.manifest import ingredients_of, manifest_of
from understudy.provenance.record import Record
from understudy.provenance.record_file import (
    definition_path,
    locked,
    read_record,
    record_bytes,
    signature_path,
    write_bytes,
)
from understudy.provenance.signature_checks import FORMAT
from understudy.provenance.store import LOCK, write_folder_list


@dataclass(frozen=True, slots=True)
class Signed:
    """What signing did.

    Attributes:
        file: The manifest, or its definition.
        signed: It is signed.
    """

    file: Path
    signed: bool


def sign_record(path: Path, signer: Signer | None) -> Signed:
    """Signs a record by one manifest beside it, or writes the manifest's definition, marked as unsigned.

    What is signed is the record's bytes, and with them the SHA-256 of every file: one signature for a sequence.

    Args:
        path: The record.
        signer: Who signs; None writes the definition.

    Raises:
        InputError: There is no sound record.
        UsageError: A render of it is under way, or the certificate does not do.
        OutputError: A file can't be written.
    """
    with locked(path.parent, LOCK):
        record = read_record(path)
        if record.pending:
            raise UsageError(
                "a render of it is under way or was killed", where=str(path), fix="render again, then sign"
            )
        if not record.frames:
            raise UsageError("tells of no frame", where=str(path), fix="render first")
        done = _with_signature(path, record, signer) if signer else _with_definition(path, record)
        write_folder_list(path.parent)
        return done


def embed_manifest(path: Path, record: Record, signer: Signer) -> None:
    """Puts a manifest of a record into a PNG, JPEG, TIFF, MP4 or MOV file that was made from its frames.

    Args:
        path: The file; it is replaced whole or not at all.
        record: The record of the frames that it shows.
        signer: Who signs. Without one there is no manifest to embed: a file never looks signed when it is not.

    Raises:
        UnsupportedFileError: Its container takes none.
        UsageError: The certificate does not do.
        OutputError: It can't be written.
    """
    signer.embed(manifest_of(record, path.name, media_type_of(path)), ingredients_of(record), path)


def _with_signature(path: Path, record: Record, signer: Signer) -> Signed:
    content = record_bytes(record.model_copy(update={"signed": True}))
    manifest = signer.sign(manifest_of(record, path.name, FORMAT), ingredients_of(record), FORMAT, content)
    target = signature_path(path)
    write_bytes(manifest, target)
    write_bytes(content, path)
    definition_path(path).unlink(missing_ok=True)
    return Signed(target, signed=True)


def _with_definition(path: Path, record: Record) -> Signed:
    if record.signed:
        raise UsageError("is signed already", where=str(path), fix="name --certificate and --key to sign it anew")
    ingredients = [
        json.loads(definition) | {"data": json.loads(content)} for definition, content in ingredients_of(record).items()
    ]
    document = {"signed": False, **manifest_of(record, path.name, FORMAT), "ingredients": ingredients}
    target = definition_path(path)
    write_bytes(json.dumps(document, indent=1).encode() + b"\n", target)
    return Signed(target, signed=False)
