# SPDX-License-Identifier: Apache-2.0
"""Whether files are complete, where the libraries fill in what is missing and say nothing."""

import struct
from pathlib import Path


def jpeg_is_whole(path: Path) -> bool:
    """Whether a JPEG's last scan is followed by the end marker (ITU-T T.81, annex B); decoders paint the rest gray."""
    data = path.read_bytes()
    scan = data.rfind(b"\xff\xda")
    return scan >= 0 and data.find(b"\xff\xd9", scan) >= 0


def exr_is_whole(path: Path) -> bool:
    """Whether every chunk of a single-part EXR file lies in the file (OpenEXR File Layout).

    The offset table stands between the header and the first chunk, so the least offset tells its length.
    """
    data = path.read_bytes()
    at = 8
    while at < len(data) and data[at]:
        for _ in range(2):  # name and type, each ended by a zero
            at = data.find(b"\0", at) + 1
            if not at:
                return False
        at += 4 + int.from_bytes(data[at : at + 4], "little")
    at += 1
    end = len(data)
    first, chunks = at, []
    while at + 8 <= end:
        (offset,) = struct.unpack_from("<Q", data, at)
        if not first < offset < len(data):
            return False
        chunks.append(offset)
        end = min(end, offset)
        at += 8
    tiled = data[5] & 2
    head = 20 if tiled else 8
    return bool(chunks) and all(
        offset + head <= len(data)
        and offset + head + int.from_bytes(data[offset + head - 4 : offset + head], "little") <= len(data)
        for offset in chunks
    )
