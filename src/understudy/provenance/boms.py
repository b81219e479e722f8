# SPDX-License-Identifier: Apache-2.0
"""The rights records of the packs that a provenance record names, as files."""

from pathlib import Path

from understudy.packs.bom import bom_bytes
from understudy.provenance.record import Record
from understudy.provenance.record_file import write_bytes

_DIGITS = 12


def bom_name(pin: str) -> str:
    """The name of the file with a pack's rights record: ``lanczos@1.0.0.0123456789ab.cdx.json``."""
    name, _, digest = pin.partition("#")
    return f"{name.replace('/', '_')}.{digest[:_DIGITS]}.cdx.json"


def write_boms(record: Record, folder: Path) -> tuple[list[Path], list[str]]:
    """Writes the rights record of each pack.

    Args:
        record: The provenance record.
        folder: Where; it is made where it is missing.

    Returns:
        The files, and the pins of packs whose rights record nobody told.

    Raises:
        OutputError: A file can't be written.
    """
    pins = sorted({pack.pin for job in record.jobs.values() for pack in job.packs})
    written = []
    for pin in pins:
        if pin in record.boms:
            write_bytes(bom_bytes(record.boms[pin]), folder / bom_name(pin))
            written.append(folder / bom_name(pin))
    return written, [pin for pin in pins if pin not in record.boms]
