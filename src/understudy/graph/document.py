# SPDX-License-Identifier: Apache-2.0
"""The graph document, schema ``understudy.graph/1``: what a job is. YAML for people, the same value for machines.

Node inputs name other nodes. ``$NAME`` and ``~`` in file paths are expanded; relative paths start at the document's
folder.
"""

import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from understudy.contracts.channels import ChannelKind
from understudy.contracts.jobs import PositiveRational, Rational, Scale
from understudy.contracts.lights import LightRig
from understudy.contracts.manifest import OptionValue
from understudy.contracts.paths import ConfigPath, InputPath, OutputPath
from understudy.contracts.shot_rights import ShotRights
from understudy.graph.draft_settings import DraftSettings

SCHEMA = "understudy.graph/1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ReadNode(_Part):
    """Reads a sequence or a still.

    Attributes:
        file: ``plate.%04d.exr``, ``plate.####.exr``, ``plate.1001-1010#.exr``, or one file.
        colorspace: A name, alias or role of the OCIO config; empty: told from the file, or refused.
        frames: Limits the frames that are used; empty takes what is there.
        missing: A gap in the sequence is an error, holds the last frame before it, or is black.
        view: Stereo view to read; empty reads all.
        part: Part of a multi-part file; empty reads all.
        channels: Shell patterns of channels to read; empty reads all.
    """

    type: Literal["read"]
    file: InputPath = Field(min_length=1)
    colorspace: str = ""
    frames: str = ""
    missing: Literal["error", "hold", "black"] = "error"
    view: str = ""
    part: str = ""
    channels: tuple[str, ...] = ()


class WriteNode(_Part):
    """Writes frames, each whole or not at all.

    Attributes:
        input: The node to write.
        file: Where; a pattern with a frame number for more than one frame.
        colorspace: Output color space; empty: the one of the file the picture came from (EXR of a display-referred
            input: scene-linear). PNG, JPEG and DPX need one declared unless the input had one.
        sample_type: ``half``, ``float``, ``uint8``, ``uint16``; empty keeps the input's.
        compression: EXR compression; empty keeps the input's, or ``zip``.
        container: ``aces`` writes an ACES container (SMPTE ST 2065-4).
        extras: Channels that the container can't hold go to a ``sidecar`` EXR, or are dropped.
        metadata: Header attributes to add.
    """

    type: Literal["write"]
    input: str = Field(min_length=1)
    file: OutputPath = Field(min_length=1)
    colorspace: str = ""
    sample_type: Literal["", "half", "float", "uint8", "uint16"] = ""
    compression: str = ""
    container: Literal["plain", "aces"] = "plain"
    extras: Literal["sidecar", "drop"] = "sidecar"
    metadata: dict[str, str | int | float] = {}


class _RoleNode(_Part):
    """What the nodes of every role have.

    Attributes:
        input: The node whose pictures it takes.
        pack: ``id``, ``id@version`` or ``id@version#sha256``; empty takes the role's default.
        options: The pack's own knobs, by name.
        kinds: Channel-name patterns such as ``puzzle.*`` to channel kinds, over the built-in rules.
        quality: ``draft`` computes it at the draft's scale with the pack's lighter stand-in.
        tile: Tile side in pixels of what is computed (in a draft, of the smaller picture); 0: chosen.
    """

    input: str = Field(min_length=1)
    pack: str = ""
    options: dict[str, OptionValue] = {}
    kinds: dict[str, ChannelKind] = {}
    quality: Literal["final", "draft"] = "final"
    tile: int = Field(0, ge=0)


class MotionNode(_RoleNode):
    """Vectors to the next and the previous frame, with confidence.

    Attributes:
        matte: A node whose alpha says where motion is sought.
    """

    type: Literal["motion"]
    matte: str = ""


class CurveKey(_Part):
    """One key of an animated curve; the keys of one curve are of one kind.

    Attributes:
        frame: Output frame.
        speed: Speed at that frame, linear between keys.
        source: Source frame shown at that frame, linear between keys.
    """

    frame: Rational
    speed: Rational | None = None
    source: Rational | None = None

    @model_validator(mode="after")
    def _one_value(self) -> "CurveKey":
        if (self.speed is None) == (self.source is None):
            raise ValueError("give speed or source, one of them")
        return self


class Timeline(_Part):
    """A retime from an OpenTimelineIO file.

    Attributes:
        file: The ``.otio`` file.
        clip: Name of the clip; needed when there are several.
    """

    file: InputPath = Field(min_length=1)
    clip: str = ""


class FpsChange(_Part):
    """A change of frame rate.

    Attributes:
        source: Frames per second of the input, such as ``24000/1001``.
        target: Frames per second of the output.
    """

    source: PositiveRational
    target: PositiveRational


class Shutter(_Part):
    """Motion blur by sub-frames.

    Attributes:
        angle: Degrees of 360 for which the shutter is open, in output frames.
        samples: Pictures that are averaged.
        phase: Degrees from the frame's time to the opening; -angle/2 centers it.
    """

    angle: float = Field(180.0, gt=0, le=720)
    samples: int = Field(8, ge=2, le=128)
    phase: float | None = None


class InterpolateNode(_RoleNode):
    """A retime; exactly one of ``speed fps at list curve timeline`` says how.

    Attributes:
        vectors: A node with ``forward`` and ``backward`` vectors of the input; empty: ``motion_pack`` makes them.
        motion_pack: Pack for the vectors.
        motion_options: Its knobs.
        speed: Constant speed; 0.5 is half speed, twice the frames.
        fps: Change of frame rate.
        at: One source time; a still comes out.
        list: Source time of each output frame, from the first frame on.
        curve: Keys of speed or of source frames.
        timeline: An OpenTimelineIO retime.
        shutter: Motion blur.
        cuts: ``auto`` finds cuts, ``none`` trusts there are none, or the first frame after each cut.
        edge: Times beyond the source are an error, or hold the first or last frame.
        confidence: Adds ``confidence.Y``.
    """

    type: Literal["interpolate"]
    vectors: str = ""
    motion_pack: str = ""
    motion_options: dict[str, OptionValue] = {}
    speed: Rational | None = None
    fps: FpsChange | None = None
    at: Rational | None = None
    list: tuple[Rational, ...] = ()
    curve: tuple[CurveKey, ...] = ()
    timeline: Timeline | None = None
    shutter: Shutter | None = None
    cuts: Literal["auto", "none"] | tuple[int, ...] = "auto"
    edge: Literal["error", "hold"] = "error"
    confidence: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> "InterpolateNode":
        ways = {"speed": self.speed, "fps": self.fps, "at": self.at, "timeline": self.timeline}
        given = [name for name, value in ways.items() if value is not None]
        given += [name for name, keys in (("list", self.list), ("curve", self.curve)) if keys]
        if len(given) != 1:
            have = " and ".join(given) or "none of them"
            raise ValueError(f"give exactly one of speed, fps, at, list, curve, timeline; there is {have}")
        return self


class UpscaleNode(_RoleNode):
    """A larger picture.

    Attributes:
        scale: Factor on both axes.
        confidence: Adds ``confidence.Y``.
    """

    type: Literal["upscale"]
    scale: Scale = Fraction(2)
    confidence: bool = False


class RelightNode(_RoleNode):
    """New light on a plate.

    Attributes:
        albedo: Node with the albedo; empty: a layer of the input, if it has one. So for the other passes.
        normal: Node with the normals.
        position: Node with the positions.
        depth: Node with the depth.
        roughness: Node with the roughness.
        metallic: Node with the metalness.
        lights: A lights document (``understudy.lights/1``): a path, or the document itself.
        present: The light in the plate now, when it is known.
        reference: Node of a picture whose light is the target.
        light_frame: Where the present light is estimated when it is not known: on the ``first`` frame of the input for
            the whole shot, on another frame by number, or on ``each`` frame (which may flicker).
        method: ``aov``, ``ratio`` or ``auto``.
        normal_space: ``camera`` or ``world``.
        camera_to_world: Row-major 3x3 rotation, for world normals.
        camera_position: Where the camera stands in the world; given, positions are world-space points.
        field_of_view: Horizontal, degrees; turns depth into positions.
        limit_stops: The ratio stays within plus and minus this.
        passes: Layers to add.
    """

    type: Literal["relight"]
    albedo: str = ""
    normal: str = ""
    position: str = ""
    depth: str = ""
    roughness: str = ""
    metallic: str = ""
    lights: InputPath | LightRig = LightRig()
    present: InputPath | LightRig | None = None
    reference: str = ""
    light_frame: Literal["first", "each"] | int = "first"
    method: Literal["auto", "aov", "ratio"] = "auto"
    normal_space: Literal["camera", "world"] = "camera"
    camera_to_world: tuple[float, float, float, float, float, float, float, float, float] | None = None
    camera_position: tuple[float, float, float] | None = None
    field_of_view: float = Field(45.0, gt=0, lt=180)
    limit_stops: float = Field(3.0, gt=0, le=16)
    passes: tuple[Literal["ratio", "normal", "albedo", "diffuse", "specular", "confidence"], ...] = ()


class ColorNode(_Part):
    """Converts the color channels to another scene-linear space.

    Attributes:
        input: The node whose pictures it takes.
        to: A name, alias or role of the OCIO config.
    """

    type: Literal["color"]
    input: str = Field(min_length=1)
    to: str = Field(min_length=1)


class VectorBlurNode(_Part):
    """Motion blur along vectors of the same frame.

    Attributes:
        input: The node whose pictures it takes.
        vectors: Node with ``forward.u forward.v`` (and ``backward`` for a shutter that opens early).
        shutter: Angle, samples and phase.
        kinds: Channel-name patterns to kinds.
    """

    type: Literal["vector_blur"]
    input: str = Field(min_length=1)
    vectors: str = Field(min_length=1)
    shutter: Shutter = Shutter()
    kinds: dict[str, ChannelKind] = {}


Node = Annotated[
    ReadNode | WriteNode | MotionNode | InterpolateNode | UpscaleNode | RelightNode | ColorNode | VectorBlurNode,
    Field(discriminator="type"),
]
NODE_TYPES: dict[str, type[_Part]] = {
    "read": ReadNode,
    "write": WriteNode,
    "motion": MotionNode,
    "interpolate": InterpolateNode,
    "upscale": UpscaleNode,
    "relight": RelightNode,
    "color": ColorNode,
    "vector_blur": VectorBlurNode,
}
RoleNode = MotionNode | InterpolateNode | UpscaleNode | RelightNode

_INPUT_FIELDS = (
    "input", "vectors", "matte", "albedo", "normal", "position", "depth", "roughness", "metallic", "reference",
)  # fmt: skip


class Lock(_Part):
    """What the graph came to where it was sent off, so that another machine takes the same or refuses.

    Attributes:
        packs: Pins ``id@version#sha256`` of all packs that may be taken, those of drafts too.
        ocio: The OCIO config where the graph names none.
    """

    packs: tuple[str, ...] = ()
    ocio: ConfigPath = ""


class Graph(_Part):
    """The whole document.

    Attributes:
        schema_: Always ``understudy.graph/1`` (written ``schema``).
        ocio: OCIO config, a name or a path; empty: ``$OCIO`` or the pinned one.
        frames: Output frames, such as ``1001-1010x2``; empty renders all there are.
        handles: Frames added at both ends where the source has them.
        rights: Talent, use, consents, approval; goes into the record of the render.
        record: A record of provenance is written beside the frames.
        lock: What packs and config were settled to; written by ``understudy submit``. It takes no part in the digest.
        draft: How drafts are made.
        nodes: Nodes by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["understudy.graph/1"] = Field("understudy.graph/1", alias="schema")
    ocio: ConfigPath = ""
    frames: str = ""
    handles: int = Field(0, ge=0)
    rights: ShotRights | None = None
    record: bool = True
    lock: Lock | None = None
    draft: DraftSettings = DraftSettings()
    nodes: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")], Node] = Field(min_length=1)

    @property
    def document(self) -> dict[str, Any]:
        """The document as JSON types, every field written out."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def digest(self) -> str:
        """SHA-256 of what decides pixels; see ``digest_of``."""
        return digest_of(self.document)

    @property
    def config(self) -> str:
        """The OCIO config: the graph's own, else the locked one; empty where neither is named."""
        return self.ocio or (self.lock.ocio if self.lock else "")

    def writes(self) -> dict[str, WriteNode]:
        """The write nodes by name."""
        return {name: node for name, node in self.nodes.items() if isinstance(node, WriteNode)}


def inputs_of(node: Node) -> dict[str, str]:
    """Field to node name, for each input that is given."""
    fields = [name for name in _INPUT_FIELDS if name in type(node).model_fields]
    return {name: value for name in fields if (value := getattr(node, name))}


_BESIDE_PIXELS = ("frames", "handles", "rights", "record", "lock", "draft")


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of a graph's canonical JSON; frames, rights, names of outputs and the scale of drafts are left out.

    Args:
        document: What ``Graph.document`` gave.
    """
    kept = {name: value for name, value in document.items() if name not in _BESIDE_PIXELS}
    kept["nodes"] = {
        name: {field: value for field, value in node.items() if node["type"] != "write" or field != "file"}
        for name, node in document["nodes"].items()
    }
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
