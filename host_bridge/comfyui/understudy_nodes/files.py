# SPDX-License-Identifier: Apache-2.0
"""Loads and saves pictures and sequences without clipping anything."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import torch

from .job import Job
from .knobs import FROM_FILE, SAME, Input, Node, colorspace

_NUMBER = re.compile(r"(%0?\d*d|#+|@+)")


def load(
    file: str, colorspace: str, to: str, frames: str = "", other_colorspace: str = ""
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Reads EXR, HDR, DPX, TIFF, PNG, JPEG: one file or a sequence; values over 1 and below 0 come as they are."""
    declared = other_colorspace or ("" if colorspace == FROM_FILE else colorspace)
    with Job() as job:
        read = {"type": "read", "file": str(_input(file)), "colorspace": declared, "frames": frames}
        still = not _NUMBER.search(Path(file).name)
        job.render({"plate": read, "out": job.out("plate", "" if still else ".%04d", colorspace=to)})
        pictures = job.frames("plate")
        first = min(path.name for path in job.folder.glob("plate_out.*exr"))
    images = torch.stack([picture.over_display(("R", "G", "B")) for picture in pictures])
    alpha = torch.stack([picture.over_display(("A",), missing=1.0)[..., 0] for picture in pictures])
    number = re.search(r"(\d+)\.[^.]*$", Path(file).name) if still else re.search(r"(\d+)\.exr$", first)
    return images, alpha, int(number[1]) if number else 1


def save(
    images: torch.Tensor,
    file: str,
    colorspace: str,
    to: str,
    sample_type: str,
    compression: str,
    first_frame: int,
    other_colorspace: str = "",
    alpha: torch.Tensor | None = None,
) -> tuple[str]:
    """Writes EXR (or TIFF, PNG, JPEG by the file's ending), one file a picture; an EXR clips nothing."""
    space = other_colorspace or colorspace
    target = _output(file)
    if len(images) > 1 and not _NUMBER.search(target.name):
        raise ValueError(f"{target.name} has no place for the frame number; name it {target.stem}.%04d{target.suffix}")
    if alpha is not None:
        images = torch.cat([images[..., :3], alpha[..., None].to(images).expand(*images.shape[:3], 1)], dim=-1)
    with Job() as job:
        read = {"type": "read", "file": job.tap("plate", images, first_frame), "colorspace": space}
        write = {
            "type": "write",
            "input": "plate",
            "file": str(target),
            "colorspace": space if to == SAME else to,
            "sample_type": sample_type,
            "compression": compression if target.suffix.lower() == ".exr" else "",
        }
        job.render({"plate": read, "out": write})
    return (str(target),)


def stamp(file: str, **_knobs: Any) -> str:
    """Changes when one of the files does."""
    path = _input(file)
    pattern = _NUMBER.sub("*", path.name)
    facts = [(one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in sorted(path.parent.glob(pattern))]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _input(file: str) -> Path:
    return _under(file, "get_input_directory")


def _output(file: str) -> Path:
    return _under(file, "get_output_directory")


def _under(file: str, place: str) -> Path:
    """A relative path starts in ComfyUI's own folder."""
    path = Path(file.strip()).expanduser()
    if not path.is_absolute():
        try:
            import folder_paths
        except ImportError:
            return path.absolute()
        path = Path(getattr(folder_paths, place)()) / path
    return path


_OTHER = Input("other_colorspace", "STRING", "Any name of the OCIO config, instead of the knob", "", optional=True)

FILES = (
    Node(
        "UnderstudyLoad", "Understudy Load EXR", load.__doc__ or "",
        (
            Input("file", "STRING", "plate.%04d.exr or one file; relative to ComfyUI's input folder", "plate.%04d.exr"),
            colorspace("colorspace", "What the file's numbers mean; an EXR often says so itself", FROM_FILE),
            colorspace("to", "What the image's numbers will mean; other nodes expect sRGB"),
            Input("frames", "STRING", "1001-1010; empty reads all", "", optional=True),
            _OTHER,
        ),
        (("IMAGE", "images"), ("MASK", "alpha"), ("INT", "first_frame")), load, stamp=stamp,
    ),
    Node(
        "UnderstudySave", "Understudy Save EXR", save.__doc__ or "",
        (
            Input("images", "IMAGE", "A picture, or a shot as a batch"),
            Input("file", "STRING", "result.%04d.exr; relative to ComfyUI's output", "understudy.%04d.exr"),
            colorspace("colorspace", "What the image's numbers mean"),
            colorspace("to", "What the file's numbers will mean", SAME),
            Input("sample_type", "COMBO", "Most EXR are half", "half", lambda: ["half", "float", "uint8", "uint16"]),
            Input("compression", "COMBO", "Of an EXR", "zip", lambda: ["zip", "zips", "piz", "none", "dwaa"]),
            Input("first_frame", "INT", "Number of the batch's first picture", 1001, low=0, high=9_999_999),
            _OTHER,
            Input("alpha", "MASK", "Written as A; the image is premultiplied with it, as EXR has it", optional=True),
        ),
        (("STRING", "file"),), save, ends=True,
    ),
)  # fmt: skip
