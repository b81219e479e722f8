# SPDX-License-Identifier: Apache-2.0
"""The graph document, schema ``understudy.graph/1``: what a job is. YAML for people, the same value for machines.

Node inputs name other nodes. ``$NAME`` and ``~`` in file paths are expanded; relative paths start at the document's
folder.
"""

import hashlib
import json
from collections.abc import Mapping
from difflib import get_close_matches
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from understudy.contracts.channels import ChannelKind
from understudy.contracts.errors import GraphError, MissingFileError, UnreadableFileError
from understudy.contracts.jobs import PositiveRational, Rational
from understudy.contracts.lights import LightRig
from understudy.contracts.manifest import OptionValue

SCHEMA = "understudy.graph/1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
    file: str = Field(min_length=1)
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
    input: str
    file: str = Field(min_length=1)
    colorspace: str = ""
    sample_type: Literal["", "half", "float", "uint8", "uint16"] = ""
    compression: str = ""
    container: Literal["plain", "aces"] = "plain"
    extras: Literal["sidecar", "drop"] = "sidecar"
    metadata: dict[str, str | int | float] = {}


class _RoleNode(_Part):
    input: str
    pack: str = Field("", description="id, id@version or id@version#sha256; empty takes the role's default.")
    options: dict[str, OptionValue] = {}
    kinds: dict[str, ChannelKind] = {}
    quality: Literal["final", "draft"] = "final"
    tile: int = Field(0, ge=0, description="Tile side in input pixels; 0: chosen.")


class MotionNode(_RoleNode):
    """Vectors to the next and the previous frame, with confidence.

    Attributes:
        matte: A node whose alpha says where motion is sought.
    """

    type: Literal["motion"]
    matte: str = ""


class CurveKey(_Part):
    """One key of an animated curve: at output ``frame`` the value is ``speed`` or source frame ``source``."""

    frame: Rational
    speed: Rational | None = None
    source: Rational | None = None

    @model_validator(mode="after")
    def _one_value(self) -> "CurveKey":
        if (self.speed is None) == (self.source is None):
            raise ValueError("give speed or source, one of them")
        return self


class Timeline(_Part):
    """A retime from an OpenTimelineIO file; ``clip`` names the clip when there are several."""

    file: str = Field(min_length=1)
    clip: str = ""


class FpsChange(_Part):
    """Frames per second in and out, such as ``24000/1001``."""

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
    scale: PositiveRational = Fraction(2)
    confidence: bool = False


class RelightNode(_RoleNode):
    """New light on a plate.

    Attributes:
        albedo: Node with the albedo; empty: a layer of the input, if it has one. So for the other passes.
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
    lights: str | LightRig = LightRig()
    present: str | LightRig | None = None
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
    """Converts the color channels to another scene-linear space."""

    type: Literal["color"]
    input: str
    to: str = Field(min_length=1)


class VectorBlurNode(_Part):
    """Motion blur along vectors of the same frame.

    Attributes:
        vectors: Node with ``forward.u forward.v`` (and ``backward`` for a shutter that opens early).
        shutter: Angle, samples and phase.
        kinds: Channel-name patterns to kinds.
    """

    type: Literal["vector_blur"]
    input: str
    vectors: str
    shutter: Shutter = Shutter()
    kinds: dict[str, ChannelKind] = {}


Node = Annotated[
    ReadNode | WriteNode | MotionNode | InterpolateNode | UpscaleNode | RelightNode | ColorNode | VectorBlurNode,
    Field(discriminator="type"),
]
_NODE_TYPES: dict[str, type[_Part]] = {
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


class Graph(_Part):
    """The whole document.

    Attributes:
        schema_: Always ``understudy.graph/1`` (written ``schema``).
        ocio: OCIO config, a name or a path; empty: ``$OCIO`` or the pinned one.
        frames: Output frames, such as ``1001-1010x2``; empty renders all there are.
        handles: Frames added at both ends where the source has them.
        nodes: Nodes by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["understudy.graph/1"] = Field("understudy.graph/1", alias="schema")
    ocio: str = ""
    frames: str = ""
    handles: int = Field(0, ge=0)
    nodes: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")], Node] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """SHA-256 of the document's canonical JSON, file names of outputs left out."""
        document = self.model_dump(mode="json", by_alias=True, exclude={"frames", "handles"})
        for node in document["nodes"].values():
            if node["type"] == "write":
                del node["file"]
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    def writes(self) -> dict[str, WriteNode]:
        """The write nodes by name."""
        return {name: node for name, node in self.nodes.items() if isinstance(node, WriteNode)}


def inputs_of(node: Node) -> dict[str, str]:
    """Field to node name, for each input that is given."""
    fields = {name: getattr(node, name, "") for name in _INPUT_FIELDS}
    return {name: value for name, value in fields.items() if value}


def parse_graph(document: Mapping[str, Any], *, source: str = "graph", folder: Path | None = None) -> Graph:
    """Checks a document.

    Args:
        document: The parsed YAML.
        source: What messages call it.
        folder: Relative paths in it start here; None leaves them as they are.

    Raises:
        GraphError: It is wrong; all problems are told, each at a place like ``nodes.slow.speed``.
    """
    if not isinstance(document, Mapping):
        raise GraphError("the document is not a mapping", where=source, fix="start it with: schema: understudy.graph/1")
    try:
        graph = Graph.model_validate(document)
    except ValidationError as error:
        problems = [_problem(detail) for detail in error.errors()]
        raise GraphError("\n  ".join(problems), where=source) from None
    _check_links(graph, source)
    return graph if folder is None else _anchored(graph, folder)


def load_graph(path: Path) -> Graph:
    """Reads and checks a YAML graph.

    Raises:
        MissingFileError: It is not there.
        UnreadableFileError: It is not YAML text.
        GraphError: It is not a valid graph.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFileError("there is no such graph", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"can't be read: {error}", where=str(path)) from None
    except yaml.YAMLError as error:
        raise GraphError(f"is not YAML: {' '.join(str(error).split())}", where=str(path)) from None
    return parse_graph(document, source=str(path), folder=path.resolve().parent)


def _problem(detail: Any) -> str:
    place = [str(part) for part in detail["loc"]]
    known = _NODE_TYPES
    node_class = None
    if len(place) > 2 and place[0] == "nodes":
        node_class = known.get(place[2])
        if place[2] in known:
            del place[2]  # pydantic puts the union's tag into the place; a person did not write it
    text = detail["msg"].removeprefix("Value error, ")
    hint = ""
    if detail["type"] == "extra_forbidden":
        fields = tuple((node_class or Graph).model_fields)
        close = get_close_matches(place[-1], fields, n=1)
        text = "there is no such field"
        hint = (
            f"; did you mean {close[0]!r}?"
            if close
            else f"; there are {', '.join(f for f in fields if f != 'schema_')}"
        )
    elif detail["type"] == "union_tag_invalid":
        tag = str(detail["ctx"]["tag"])
        close = get_close_matches(tag, known, n=1)
        text = f"there is no node type {tag!r}"
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
    elif detail["type"] == "union_tag_not_found":
        text = f"the node has no type; there are {', '.join(known)}"
    elif detail["type"] == "missing":
        text = "is missing"
    return f"{'.'.join(place) or 'document'}: {text}{hint}"


def _check_links(graph: Graph, source: str) -> None:
    for name, node in graph.nodes.items():
        for field, target in inputs_of(node).items():
            where = f"{source}: nodes.{name}.{field}"
            if target not in graph.nodes:
                close = get_close_matches(target, graph.nodes, n=1)
                fix = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(graph.nodes)}"
                raise GraphError(f"there is no node {target!r}", where=where, fix=fix)
            if isinstance(graph.nodes[target], WriteNode):
                raise GraphError(f"{target!r} is a write node and has no output", where=where)
    try:
        tuple(TopologicalSorter({n: inputs_of(node).values() for n, node in graph.nodes.items()}).static_order())
    except CycleError as error:
        raise GraphError(f"nodes go round in a circle: {' > '.join(error.args[1])}", where=f"{source}: nodes") from None


def _anchored(graph: Graph, folder: Path) -> Graph:
    def anchor(text: str) -> str:
        import os

        return str(folder / Path(os.path.expandvars(text)).expanduser()) if text else text

    nodes: dict[str, Any] = {}
    for name, node in graph.nodes.items():
        changes: dict[str, Any] = {}
        if isinstance(node, ReadNode | WriteNode):
            changes["file"] = anchor(node.file)
        elif isinstance(node, RelightNode):
            changes |= {k: anchor(v) for k in ("lights", "present") if isinstance(v := getattr(node, k), str)}
        elif isinstance(node, InterpolateNode) and node.timeline:
            changes["timeline"] = node.timeline.model_copy(update={"file": anchor(node.timeline.file)})
        nodes[name] = node.model_copy(update=changes)
    return graph.model_copy(update={"nodes": nodes})
