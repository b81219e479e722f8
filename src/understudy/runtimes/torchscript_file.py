# SPDX-License-Identifier: Apache-2.0
"""Looks into a TorchScript archive before torch does.

TorchScript is code. Torch runs it in an interpreter of its own, without Python, but that interpreter can open files and
call operators of any library that is loaded. So a pack of it is trusted as an adapter is. What is checked here is that
the file is what it seems, no bomb, and uses none of the operators that reach out of a computation.
"""

import io
import re
import zipfile

from understudy.contracts.errors import PackError

MOST_ARCHIVE_BYTES = 16 << 30
"""The largest archive that is read."""

_MOST_CODE_BYTES = 64 << 20
_REACHES_OUT = re.compile(r"\b(?:torch\.(?:from_file|save|load|hub)|ops\.(?!prim\b|aten\b)\w+)\b")


def is_torchscript(data: bytes) -> bool:
    """Whether bytes are a zip archive that holds TorchScript's code."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def check_torchscript(data: bytes, *, where: str) -> None:
    """Refuses what is no plain TorchScript archive.

    Args:
        data: The whole file.
        where: How messages name it.

    Raises:
        PackError: It is damaged, compressed, larger than it may be, or its code opens files or calls foreign operators.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(archive, where)
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, NotImplementedError):
        raise PackError("is no sound TorchScript archive", where=where, fix="save it again by torch.jit.save") from None


def _check(archive: zipfile.ZipFile, where: str) -> None:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise PackError("holds a file twice", where=where, fix="save it again by torch.jit.save")
    if not any(name.endswith("/constants.pkl") for name in names) or not any("/code/" in name for name in names):
        fix = "save the model by torch.jit.save; weights alone are added as .safetensors or .pth"
        raise PackError("holds no TorchScript", where=where, fix=fix)
    squeezed = [entry for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    strange = any(entry.compress_type != zipfile.ZIP_DEFLATED for entry in squeezed)
    if strange or any(entry.flag_bits & 1 for entry in entries):
        raise PackError("is packed as torch never does", where=where, fix="save it again by torch.jit.save")
    if sum(entry.file_size for entry in squeezed) > _MOST_CODE_BYTES:  # torch squeezes code and stores tensors
        raise PackError("unpacks to more than a model needs", where=where, fix="save it again by torch.jit.save")
    if sum(entry.file_size for entry in entries) > MOST_ARCHIVE_BYTES:
        raise PackError(f"is over {MOST_ARCHIVE_BYTES >> 30} GiB", where=where, fix="use a smaller model")
    code = [entry for entry in entries if "/code/" in entry.filename and entry.filename.endswith(".py")]
    if sum(entry.file_size for entry in code) > _MOST_CODE_BYTES:
        raise PackError("holds more code than a model needs", where=where, fix="use a smaller model")
    for entry in code:
        text = archive.read(entry).decode("utf-8", errors="replace")
        if found := _REACHES_OUT.search(text):
            fix = "save the model without it"
            raise PackError(f"its code calls {found[0]}, which reaches out of the model", where=where, fix=fix)
