# SPDX-License-Identifier: Apache-2.0
"""The write step: a plate to its file, and what the container can't hold to a sidecar EXR."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import numpy as np

from understudy.contracts.channels import alpha_of, classify, color_groups
from understudy.contracts.errors import GraphError
from understudy.contracts.plate import MetadataValue, Plate, SampleType, Storage
from understudy.frames.sequence import OutputPattern
from understudy.frames.write import WriteOptions, write_plate
from understudy.graph.document import WriteNode
from understudy.graph.steps.step import Frame, Setting, Step
from understudy.graph.working_space import output_space, to_file_space

CONTAINERS = {
    ".exr": "exr", ".dpx": "dpx", ".tif": "tiff", ".tiff": "tiff", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg",
    ".hdr": "hdr",
}  # fmt: skip
"""Lower-case file endings to containers that can be written."""

_ASSOCIATED = {"exr", "tiff", "hdr"}
_INTEGER: Mapping[str, SampleType] = {"png": "uint16", "jpeg": "uint8", "dpx": "uint16", "tiff": "uint16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one write did.

    Attributes:
        files: The files, the picture first.
        clamped: Samples that the file's type could not hold.
        maximum: Largest color value that was written, in working space; None where there is no color.
    """

    files: tuple[Path, ...]
    clamped: int
    maximum: float | None


class WriteStep:
    """Writes frames; not computed by others, so it has no ``needs`` of its own."""

    def __init__(self, name: str, node: WriteNode, setting: Setting, source: Step) -> None:
        self.name = name
        self.node = node
        self.source = source
        self._color = setting.color
        ending = Path(node.file).suffix.lower()
        if ending not in CONTAINERS:
            raise GraphError(
                f"can't write {ending or 'a file without an ending'}",
                where=f"nodes.{name}.file",
                fix=f"choose one of {', '.join(CONTAINERS)}",
            )
        self.container = CONTAINERS[ending]
        if node.container == "aces" and self.container != "exr":
            raise GraphError("an ACES container is an EXR", where=f"nodes.{name}.container")
        self._pattern = OutputPattern(node.file, still=True)

    def expect(self, outputs: int) -> None:
        """Refuses a file name that can't hold this many pictures.

        Raises:
            UsageError: Many frames would go into one file.
        """
        OutputPattern(self.node.file, still=outputs <= 1)

    def path(self, frame: Frame) -> Path:
        """The file of a frame."""
        return self._pattern.path(frame)

    def write(self, frame: Frame, plate: Plate, facts: Mapping[str, MetadataValue]) -> Written:
        """Writes one frame; safe from several threads.

        Args:
            frame: The frame.
            plate: In working form.
            facts: Header attributes of this render.

        Raises:
            OutputError: The file can't be written.
            ColorspaceError: No output space is declared for a display container.
        """
        maximum = color_maximum(plate)
        main, extras = self._split(plate)
        space = "ACES2065-1" if self.node.container == "aces" else self.node.colorspace
        target = output_space(main, space, self.container, self._color)
        filed = to_file_space(main, target, self._color, premultiplied=self.container in _ASSOCIATED)
        options = WriteOptions(
            compression=self.node.compression,
            sample_type=self._sample_type(plate),
            container=self.node.container,
            metadata={**facts, **self.node.metadata},
        )
        report = write_plate(filed, self.path(frame), options)
        files = [report.path]
        clamped = report.clamped
        if extras is not None and self.node.extras == "sidecar":
            beside = write_plate(extras, sidecar_path(self.path(frame)), WriteOptions(metadata=dict(facts)))
            files.append(beside.path)
            clamped += beside.clamped
        return Written(files=tuple(files), clamped=clamped, maximum=maximum)

    def _sample_type(self, plate: Plate) -> SampleType | Literal[""]:
        if self.node.sample_type or self.node.container == "aces":
            return self.node.sample_type or "half"
        kinds = set(plate.sample_types)
        if self.container == "exr":
            return "" if not kinds & {"uint8", "uint16"} else ("float" if "uint16" in kinds else "half")
        if self.container == "hdr":
            return "float"
        if plate.storage.container == self.container:
            return ""
        return "uint8" if kinds <= {"uint8"} else _INTEGER[self.container]

    def _split(self, plate: Plate) -> tuple[Plate, Plate | None]:
        if self.container == "exr" and self.node.container == "plain":
            return plate, None
        groups = classify(plate.channels, plate.sample_types)
        colors = [group for group in color_groups(groups) if not group.layer] or list(color_groups(groups))[:1]
        if not colors:
            raise GraphError(
                f"a {self.container} holds a color picture, and there is none among {', '.join(plate.channels)}",
                where=f"nodes.{self.name}.file",
                fix="write an .exr",
            )
        alpha = alpha_of(colors[0], groups)
        keep = list(colors[0].names)
        if alpha is not None and self.container in ("exr", "png", "tiff", "dpx"):
            keep.append(alpha)
        if self.node.container == "aces":
            keep = [name for name in plate.channels if _aces_channel(name)]
        rest = [name for name in plate.channels if name not in keep]
        extras = _only(plate, rest) if rest else None
        return _only(plate, keep), None if extras is None else replace(extras, storage=Storage())


def sidecar_path(path: Path) -> Path:
    """Where the extra channels of a file go: ``a.1001.png`` has ``a.layers.1001.exr`` beside it."""
    stem, dot, number = path.stem.rpartition(".")
    name = f"{stem}.layers.{number}.exr" if dot and number.lstrip("-").isdigit() else f"{path.stem}.layers.exr"
    return path.with_name(name)


def _aces_channel(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in ("[RGBA]", "left.[RGBA]", "right.[RGBA]"))


def _only(plate: Plate, names: list[str]) -> Plate:
    if names == list(plate.channels):
        return plate
    types = tuple(plate.sample_types[plate.index(name)] for name in names)
    return replace(plate, pixels=plate.take(names), channels=tuple(names), sample_types=types)


def color_maximum(plate: Plate) -> float | None:
    """Largest value of the main color layer; None where there is no color."""
    groups = color_groups(classify(plate.channels, plate.sample_types))
    where = [plate.index(name) for group in groups if not group.layer for name in group.names]
    return max((float(np.max(plate.pixels[..., index])) for index in where), default=None)
