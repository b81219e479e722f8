# SPDX-License-Identifier: Apache-2.0
"""The write step: a plate to its file, and what the container can't hold to a sidecar EXR."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from understudy.contracts.channels import classify, color_groups
from understudy.contracts.errors import GraphError, UsageError
from understudy.contracts.outline import Outline
from understudy.contracts.plate import MetadataValue, Plate, Storage
from understudy.frames.containers import ASSOCIATED, storable
from understudy.frames.library import container_of
from understudy.frames.sequence import OutputPattern
from understudy.frames.stored import Stored, stored
from understudy.frames.write import WriteOptions, WriteReport, write_plate
from understudy.graph.document import WriteNode
from understudy.graph.draft import DRAFT_HEADER, draft_name, is_draft_name
from understudy.graph.key_header import KEY, key_attributes
from understudy.graph.steps.step import Cause, Frame, Setting, Step
from understudy.graph.working_space import output_space, to_file_space
from understudy.roles.proxy import FULL_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one write did.

    Attributes:
        files: The files, the picture first.
        clamped: Samples that the file's type could not hold.
        maximum: Largest color value that was written, in working space; None where there is no color.
        notes: What the user should know.
        colorspace: Color space of the picture.
        pixel_hashes: Of each file what ``pixel_hash`` says of it; empty text where it has to be read back.
    """

    files: tuple[Path, ...]
    clamped: int
    maximum: float | None
    notes: tuple[str, ...]
    colorspace: str = ""
    pixel_hashes: tuple[str, ...] = ()


def _untold(_written: Written) -> None:
    return


class WriteStep:
    """Writes frames; not computed by others, so it has no ``needs`` of its own.

    Args:
        name: The node's name.
        node: The node.
        setting: What steps share.
        source: What is written.
        draft: It is a draft, and named and marked so.

    Raises:
        GraphError: An ACES container is no EXR.
        UsageError: A final is named as a draft.
    """

    def __init__(self, name: str, node: WriteNode, setting: Setting, source: Step, *, draft: bool = False) -> None:
        self.name = name
        self.node = node
        self.draft = draft
        self.source = source
        self._color = setting.color
        self._files = setting.files
        self.proxy = setting.proxy if setting.draft else FULL_SIZE
        if not draft and is_draft_name(node.file):
            raise UsageError(
                "a draft goes by that name, and this is none", where=node.file, fix="name it otherwise, or say --draft"
            )
        self._file = draft_name(node.file) if draft else node.file
        self.container = container_of(Path(node.file))
        if node.container == "aces" and self.container != "exr":
            raise GraphError("an ACES container is an EXR", where=f"nodes.{name}.container")
        # Packing takes more of a draft's time than anything else.
        quick = "rle" if draft and self.container == "exr" and node.container == "plain" else ""
        self._compression = node.compression or quick
        self._pattern = OutputPattern(self._file, still=True)
        self._said = {**node.model_dump(mode="json", exclude={"input", "file"}), "format": self.container}
        self._paths: dict[Frame, Path] = {}

    def expect(self, outputs: int) -> None:
        """Refuses a file name that can't hold this many pictures.

        Raises:
            UsageError: Many frames would go into one file.
        """
        OutputPattern(self._file, still=outputs <= 1)

    @property
    def pattern(self) -> Path:
        """The path of its files, ``%04d`` for the frame number; of a still its path."""
        return Path(str(self._pattern))

    def path(self, frame: Frame) -> Path:
        """The file of a frame."""
        if frame not in self._paths:
            self._paths[frame] = self._pattern.path(frame)
        return self._paths[frame]

    def cause(self, frame: Frame) -> Cause:
        """How the file is written; where does not matter."""
        return Cause(facts={**self._said, "frame": frame})

    def allowed_path(self, frame: Frame) -> Path:
        """The file of a frame, which may be written.

        Raises:
            ForbiddenError: It may not be.
        """
        self._files.require(self.path(frame), "write")
        return self.path(frame)

    def write(
        self,
        frame: Frame,
        plate: Plate,
        facts: Mapping[str, MetadataValue],
        *,
        hash_pixels: bool = False,
        landing: Callable[[Written], None] = _untold,
    ) -> Written:
        """Writes one frame, its sidecar before the picture; safe from several threads.

        Args:
            frame: The frame.
            plate: In working form; in a draft of the whole render its proxy.
            facts: Header attributes of this render.
            hash_pixels: Tell the hash of the pixels.
            landing: Hears what is written right before the picture takes its place.

        Raises:
            OutputError: The file can't be written.
            ColorspaceError: No output space is declared for a display container.
        """
        plate = self.proxy.grow(plate)
        mark: dict[str, MetadataValue] = {DRAFT_HEADER: "1"} if self.draft else {}
        maximum = color_maximum(plate)
        main, extras = self._split(plate)
        space = "ACES2065-1" if self.node.container == "aces" else self.node.colorspace
        target = output_space(main, space, self.container, self._color)
        filed = to_file_space(main, target, self._color, premultiplied=self.container in ASSOCIATED)
        beside: WriteReport | None = None
        notes: tuple[str, ...] = ()
        if extras is not None and self._extras_kept:
            sidecar = sidecar_path(self.path(frame))
            self._files.require(sidecar, "write")
            beside = write_plate(extras, sidecar, WriteOptions(metadata={**facts, **mark}, hash_pixels=hash_pixels))
            notes = (f"{', '.join(extras.channels)} went to .layers.exr files beside the {self.container}",)
        elif extras is not None:
            notes = (f"dropped {', '.join(extras.channels)}: a {self.container} can't hold them",)

        def told(report: WriteReport) -> Written:
            reports = (report,) if beside is None else (report, beside)
            return Written(
                files=tuple(one.path for one in reports),
                clamped=sum(one.clamped for one in reports),
                maximum=maximum,
                notes=report.notes + notes,
                colorspace=target,
                pixel_hashes=tuple(one.pixel_hash for one in reports),
            )

        key = key_attributes(str(facts.get(KEY, "")), self.container, sidecar=beside is not None)
        options = WriteOptions(
            compression=self._compression,
            sample_type=self.node.sample_type or ("half" if self.node.container == "aces" else ""),
            container=self.node.container,
            metadata={**facts, **self.node.metadata, **mark, **key},
            hash_pixels=hash_pixels,
            ready=lambda report: landing(told(report)),
        )
        return told(write_plate(filed, self.allowed_path(frame), options))

    def sidecar(self, frame: Frame) -> Path | None:
        """Where channels of a frame go that its file has no place for; None where all have one, or are dropped."""
        roomy = self.container == "exr" and self.node.container != "aces"
        return None if roomy or not self._extras_kept else sidecar_path(self.path(frame))

    @property
    def _extras_kept(self) -> bool:
        return self.node.extras == "sidecar"

    def stored(self, outline: Outline) -> tuple[Stored, ...]:
        """The files that a plate goes to, the picture first.

        Args:
            outline: The plate; in a draft of the whole render its proxy.

        Raises:
            GraphError: The container can hold none of its channels.
            UsageError: It can't hold the type, or there is no such compression.
        """
        node, outline = self.node, self.proxy.large_outline(outline)
        kept, rest = self._kept(outline.channels)
        path, aces = Path(node.file), node.container == "aces"
        kind = node.sample_type or ""
        files = [stored(outline.only(kept), path, compression=self._compression, sample_type=kind, aces=aces)]
        if rest and self._extras_kept:
            beside = replace(outline.only(rest), storage=Storage())
            files.append(stored(beside, path.with_suffix(".exr")))
        return tuple(files)

    def _split(self, plate: Plate) -> tuple[Plate, Plate | None]:
        keep, rest = self._kept(plate.channels)
        extras = replace(plate.only(rest), storage=Storage()) if rest else None
        return plate.only(keep), extras

    def _kept(self, channels: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The channels that the container holds, and the rest."""
        if self.node.container == "aces":
            keep = tuple(name for name in channels if _aces_channel(name))
        else:
            keep, _ = storable(self.container, channels)
        if not keep:
            aces = self.node.container == "aces"
            raise GraphError(
                f"{'an ACES container' if aces else f'a {self.container} file'} holds a color picture, and there is"
                f" none among {', '.join(channels)}",
                where=f"nodes.{self.name}.{'container' if aces else 'file'}",
                fix="write a plain EXR" if aces else "write an .exr",
            )
        return keep, tuple(name for name in channels if name not in keep)


def sidecar_path(path: Path) -> Path:
    """Where the extra channels of a file go: ``a.1001.png`` has ``a.layers.1001.exr`` beside it."""
    stem, dot, number = path.stem.rpartition(".")
    name = f"{stem}.layers.{number}.exr" if dot and number.lstrip("-").isdigit() else f"{path.stem}.layers.exr"
    return path.with_name(name)


def _aces_channel(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in ("[RGBA]", "left.[RGBA]", "right.[RGBA]"))


def color_maximum(plate: Plate) -> float | None:
    """Largest value of the main color layer; None where there is no color."""
    groups = color_groups(classify(plate.channels, plate.sample_types))
    where = [plate.index(name) for group in groups if not group.layer for name in group.names]
    return max((float(np.max(plate.pixels[..., index])) for index in where), default=None)
