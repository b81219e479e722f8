# SPDX-License-Identifier: Apache-2.0
"""OpenImageIO and OpenEXR, set up once: one thread per call, errors as plain strings, damaged files as our errors.

Callers run whole frames in Python threads, and both libraries release the GIL: threads inside them would only compete.
"""

import os
import stat
from pathlib import Path

import OpenEXR
import OpenImageIO as oiio  # noqa: N813

from understudy.contracts.errors import (
    InputError,
    MemoryBudgetError,
    MissingFileError,
    UnreadableFileError,
    UnsupportedFileError,
)

oiio.attribute("threads", 1)
oiio.attribute("exr_threads", -1)
OpenEXR.set_global_thread_count(0)

MAX_PIXELS = 2**29
"""More than this (32768x16384) in one picture is taken for a damaged header."""

CONTAINERS = {
    ".exr": "exr",
    ".sxr": "exr",
    ".mxr": "exr",
    ".dpx": "dpx",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".hdr": "hdr",
    ".rgbe": "hdr",
}
"""File extensions of the picture formats that are read and written."""

_OIIO_FORMATS = {"openexr": "exr", "dpx": "dpx", "tiff": "tiff", "png": "png", "jpeg": "jpeg", "hdr": "hdr"}
_MOVIES = {".mov", ".mp4", ".m4v", ".mkv", ".avi", ".mxf", ".webm", ".mpg", ".mpeg", ".r3d", ".braw"}


def container_of(path: Path) -> str:
    """The container that a file name asks for.

    Raises:
        UnsupportedFileError: It is a movie, or none of the formats in ``CONTAINERS``.
    """
    suffix = path.suffix.lower()
    if suffix in CONTAINERS:
        return CONTAINERS[suffix]
    if suffix in _MOVIES:
        raise UnsupportedFileError(
            "movies are not read or written", where=str(path), fix="convert it to an EXR sequence, one file per frame"
        )
    known = ", ".join(sorted(set(CONTAINERS.values())))
    raise UnsupportedFileError(
        f"{suffix or 'a name without an extension'} is no format of ours", where=str(path), fix=f"use one of {known}"
    )


def check_readable(path: Path) -> None:
    """Says plainly why a path can't be an input, before a library says it cryptically.

    Raises:
        MissingFileError: Nothing is there.
        UnreadableFileError: It is a folder, empty, or may not be read.
        UnsupportedFileError: Its name says that it is no picture of ours.
    """
    try:
        if path.is_dir():
            raise UnreadableFileError(
                "is a folder, not a picture", where=str(path), fix="name a file or a pattern in it"
            )
        if not path.exists():
            raise MissingFileError("there is no such file", where=str(path), fix="check the path and the frame number")
        container_of(path)
        found = path.stat()
        size = found.st_size
    except OSError as error:
        raise UnreadableFileError(f"can't be reached ({error.strerror})", where=str(path)) from None
    if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait for its writer
        raise UnreadableFileError("is a pipe or a device, not a file", where=str(path), fix="write it to a file first")
    if not os.access(path, os.R_OK):
        raise UnreadableFileError("may not be read by this user", where=str(path), fix="check its permissions")
    if not size:
        raise UnreadableFileError("is empty (0 bytes)", where=str(path), fix="write or copy it again")


def last_error(source: oiio.ImageInput | oiio.ImageOutput | None = None) -> str:
    """The library's pending message on one line; raw bytes of a damaged file may make it undecodable."""
    try:
        text = source.geterror() if source is not None else oiio.geterror()
    except UnicodeDecodeError:
        return "the header holds undecodable bytes"
    lines = dict.fromkeys(line.strip().rstrip(".") for line in text.splitlines() if line.strip())
    return "; ".join(list(lines)[:2])[:300]


def open_input(path: Path) -> oiio.ImageInput:
    """Opens a picture with unassociated alpha left as it is stored.

    Raises:
        InputError: The file is missing, unreadable or not a picture that we take.
    """
    check_readable(path)
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    source = oiio.ImageInput.open(str(path), config)
    if source is None:
        raise _open_failure(path, last_error())
    last_error()
    if source.format_name() not in _OIIO_FORMATS:
        raise UnsupportedFileError(
            f"is a {source.format_name()} file, which is not read", where=str(path), fix="convert it to EXR"
        )
    return source


def readable(text: str) -> str:
    """A header string as Unicode: bytes that are no UTF-8 (old files hold Latin-1) become the characters they meant."""
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class SubsampledError(InputError):
    """OpenImageIO refuses subsampled channels; the OpenEXR module reads them."""


def _open_failure(path: Path, message: str) -> InputError:
    if "Subsampled" in message:
        return SubsampledError("has subsampled channels", where=str(path))
    if "exceeds the" in message and "limit" in message:
        return UnreadableFileError(
            "claims an absurd size, so its header is damaged", where=str(path), fix="write or copy it again"
        )
    if CONTAINERS.get(path.suffix.lower()) == "exr" and not _is_exr(path):
        return UnreadableFileError(
            "is not an EXR file, whatever its name says", where=str(path), fix="check what wrote it"
        )
    reason = message.replace(str(path), path.name) or "no reason given"
    return UnreadableFileError(f"can't be decoded ({reason})", where=str(path), fix="write or copy it again")


def _is_exr(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x76\x2f\x31\x01"


def container_name(source: oiio.ImageInput) -> str:
    """Our name for the format that was found in the file."""
    return _OIIO_FORMATS[source.format_name()]


def check_size(path: Path, width: int, height: int, channels: int) -> None:
    """Refuses sizes that can't be real, before memory is asked for.

    Raises:
        UnreadableFileError: The header claims more than ``MAX_PIXELS``, or nothing.
        MemoryBudgetError: The picture as float32 is larger than the machine's memory.
    """
    if width < 1 or height < 1 or channels < 1 or width * height > MAX_PIXELS:
        raise UnreadableFileError(
            f"claims {width}x{height} pixels, so its header is damaged", where=str(path), fix="write or copy it again"
        )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    need = width * height * channels * 4
    if need > memory:
        size, memory_size = f"{need / 2**30:.1f} GiB", f"{memory / 2**30:.1f} GiB"
        raise MemoryBudgetError(
            f"{width}x{height} with {channels} channels needs {size} as float, and the machine has {memory_size}",
            where=str(path),
            fix="read fewer channels or a smaller picture",
        )
