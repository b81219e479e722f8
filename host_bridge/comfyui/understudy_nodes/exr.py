# SPDX-License-Identifier: Apache-2.0
"""Float EXR files without compression, to and from tensors: how pictures pass between ComfyUI and the command.

Only what is passed is read: one part, scan lines, no compression, half or float. The command reads everything else.

Source: the OpenEXR file layout, https://openexr.com/en/latest/OpenEXRFileLayout.html.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import torch

_MAGIC = 20000630
_LONG_NAMES = 0x400
_HALF, _FLOAT = 1, 2
_TYPES = {_HALF: (torch.float16, 2), _FLOAT: (torch.float32, 4)}
_LINE_HEADER = 8

Box = tuple[int, int, int, int]
"""Left, top, right and bottom pixel, all inside."""


@dataclass(frozen=True)
class Picture:
    """A picture as it was read.

    Attributes:
        pixels: float32 ``(height, width, channels)`` of the data window, top row first.
        channels: Names, in alphabetical order.
        data: The data window.
        display: The display window.
    """

    pixels: torch.Tensor
    channels: tuple[str, ...]
    data: Box
    display: Box

    def over_display(self, names: tuple[str, ...], missing: float = 0.0) -> torch.Tensor:
        """These channels over the display window, float32 ``(height, width, len(names))``.

        Args:
            names: Channels; what is not there is ``missing`` everywhere.
            missing: The value of absent channels.
        """
        left, top, right, bottom = self.display
        out = torch.zeros(bottom - top + 1, right - left + 1, len(names))
        x0, y0 = max(left, self.data[0]), max(top, self.data[1])
        x1, y1 = min(right, self.data[2]) + 1, min(bottom, self.data[3]) + 1
        for index, name in enumerate(names):
            if name not in self.channels:
                out[..., index] = missing
            elif x0 < x1 and y0 < y1:
                rows = slice(y0 - self.data[1], y1 - self.data[1])
                columns = slice(x0 - self.data[0], x1 - self.data[0])
                found = self.pixels[rows, columns, self.channels.index(name)]
                out[y0 - top : y1 - top, x0 - left : x1 - left, index] = found
        return out


def write_exr(path: Path, pixels: torch.Tensor, channels: tuple[str, ...]) -> None:
    """Writes float samples as they are: nothing is clipped.

    Args:
        path: The file.
        pixels: ``(height, width, channels)``, top row first.
        channels: A name for each.
    """
    height, width, count = pixels.shape
    order = sorted(range(count), key=lambda index: channels[index])
    entries = b"".join(channels[i].encode() + struct.pack("<xiB3xii", _FLOAT, 0, 1, 1) for i in order)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    header = struct.pack("<iI", _MAGIC, 2) + b"".join(
        name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
        for name, kind, value in (
            ("channels", "chlist", entries + b"\0"),
            ("compression", "compression", b"\0"),
            ("dataWindow", "box2i", window),
            ("displayWindow", "box2i", window),
            ("lineOrder", "lineOrder", b"\0"),
            ("pixelAspectRatio", "float", struct.pack("<f", 1)),
            ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
            ("screenWindowWidth", "float", struct.pack("<f", 1)),
        )
    )
    header += b"\0"
    size = 4 * width * count
    planar = pixels.detach().to("cpu", torch.float32)[..., order].permute(0, 2, 1).contiguous()
    lines = torch.empty(height, _LINE_HEADER + size, dtype=torch.uint8)
    numbers = torch.stack([torch.arange(height), torch.full((height,), size)], dim=1).to(torch.int32).contiguous()
    lines[:, :_LINE_HEADER] = numbers.view(torch.uint8)
    lines[:, _LINE_HEADER:] = planar.view(height, -1).view(torch.uint8)
    first = len(header) + 8 * height
    offsets = struct.pack(f"<{height}Q", *(first + row * (_LINE_HEADER + size) for row in range(height)))
    with path.open("wb") as file:
        file.write(header + offsets)
        file.write(lines.numpy().data)


def read_exr(path: Path) -> Picture:
    """Reads a file that the command wrote for us.

    Raises:
        ValueError: It is of another kind.
    """
    content = bytearray(path.read_bytes())
    magic, version = struct.unpack_from("<iI", content)
    if magic != _MAGIC or version & ~_LONG_NAMES != 2:
        raise ValueError(f"{path.name}: not an EXR file of one part with scan lines")
    found, at = _attributes(content)
    if found["compression"] != b"\0":
        raise ValueError(f"{path.name}: compressed")
    names, kinds = _channels(found["channels"])
    if len(set(kinds)) != 1 or kinds[0] not in _TYPES:
        raise ValueError(f"{path.name}: channels are not all half or all float")
    dtype, sample = _TYPES[kinds[0]]
    data: Box = struct.unpack("<4i", found["dataWindow"])
    display: Box = struct.unpack("<4i", found["displayWindow"])
    width, height = data[2] - data[0] + 1, data[3] - data[1] + 1
    step = _LINE_HEADER + sample * width * len(names)
    offsets = struct.unpack_from(f"<{height}Q", content, at)
    if offsets != tuple(range(offsets[0], offsets[0] + step * height, step)) or offsets[-1] + step > len(content):
        raise ValueError(f"{path.name}: scan lines are not in order, or cut short")
    lines = torch.frombuffer(content, dtype=torch.uint8, count=step * height, offset=offsets[0]).view(height, step)
    planar = lines[:, _LINE_HEADER:].contiguous().view(dtype).view(height, len(names), width)
    return Picture(planar.permute(0, 2, 1).to(torch.float32).contiguous(), names, data, display)


def _attributes(content: bytearray) -> tuple[dict[str, bytes], int]:
    """The header's attributes by name, and where the table of offsets begins."""
    found: dict[str, bytes] = {}
    at = 8
    while content[at]:
        name, at = _text(content, at)
        _, at = _text(content, at)
        (size,) = struct.unpack_from("<i", content, at)
        found[name] = bytes(content[at + 4 : at + 4 + size])
        at += 4 + size
    return found, at + 1


def _channels(value: bytes) -> tuple[tuple[str, ...], list[int]]:
    names: list[str] = []
    kinds: list[int] = []
    at = 0
    while value[at]:
        name, at = _text(value, at)
        kind, _, x, y = struct.unpack_from("<iB3xii", value, at)
        if (x, y) != (1, 1):
            raise ValueError(f"channel {name} is subsampled")
        names.append(name)
        kinds.append(kind)
        at += 16
    return tuple(names), kinds


def _text(content: bytes | bytearray, at: int) -> tuple[str, int]:
    end = content.index(0, at)
    return content[at:end].decode(), end + 1
