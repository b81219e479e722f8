# SPDX-License-Identifier: Apache-2.0
"""Finds out whether a worker sees a job's files as the client does: the same content under the same names."""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from blake3 import blake3

from understudy.contracts.errors import MissingFileError, OutputError
from understudy.frames.atomic import temporary_path

_HEAD_BYTES = 1 << 20


@contextmanager
def proofs(inputs: Sequence[Path], outputs: Sequence[Path]) -> Iterator[dict[str, str]]:
    """Files that every worker must see, with a digest of each: some inputs, and a small one in each output folder.

    The small ones are gone afterwards.

    Args:
        inputs: A file of each input.
        outputs: Files that will be written; one of each sequence.
    """
    written: list[Path] = []
    found: dict[str, str] = {}
    try:
        for folder in dict.fromkeys(_existing(path.parent) for path in outputs):
            path = temporary_path(folder / "seen.txt")
            with suppress(OSError):  # a folder that this machine may not write; the workers may
                path.write_bytes(secrets.token_hex(16).encode())
                written.append(path)
                found[str(path)] = _digest(path)
        for path in inputs:
            with suppress(OSError):  # the plan has looked; a file that goes meanwhile is the render's to tell
                found[str(path)] = _digest(path)
        yield found
    finally:
        for path in written:
            with suppress(OSError):
                path.unlink()


def require_files(proof: Mapping[str, str]) -> None:
    """Refuses files that are not seen here as the client sees them.

    Raises:
        MissingFileError: One is not there.
        OutputError: One has another content.
    """
    for name, digest in proof.items():
        path = Path(name)
        try:
            same = _digest(path) == digest
        except OSError:
            what = f"the folder {path.parent}" if path.name.startswith(".") else str(path)
            raise MissingFileError(
                f"does not see {what} as the machine does that submits",
                fix="mount the folder there under the same name",
            ) from None
        if not same:
            raise OutputError(f"has another file under the name {path}", fix="mount the same folder on both")


def _digest(path: Path) -> str:
    """Of size and beginning: enough to tell files apart that are not each other's copies."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return f"{size} {blake3(file.read(_HEAD_BYTES)).hexdigest()[:32]}"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next((above for above in (folder, *folder.parents) if above.is_dir()), folder)
