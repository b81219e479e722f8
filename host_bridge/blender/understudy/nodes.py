# SPDX-License-Identifier: GPL-3.0-or-later
"""The four nodes: a group with the baked result inside, or the input as it is until there is one; and their knobs."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from . import packs, versions


class UsageError(Exception):
    """What is asked can't be done; the message is a sentence for the artist."""


Range = tuple[int, int]
"""First and last frame."""


class Node:
    """What the nodes share. Subclasses name their role, sockets and options.

    A custom node that computes would crash Blender as soon as it is linked, so these are groups. Vectors, color and
    confidence come out of the group's Image node, which plays the frames that the command wrote.
    """

    role = ""
    inputs_named: tuple[str, ...] = ("Image",)
    outputs_named: tuple[tuple[str, str, str], ...] = (
        ("Image", "NodeSocketColor", "Combined"),
        ("Confidence", "NodeSocketFloat", "confidence"),
    )
    """Name, type, and the pass of the result."""
    padding_needed = 0
    knobs: tuple[str, ...] = ()

    __annotations__ = {
        "uid": bpy.props.StringProperty(options={"HIDDEN"}),
        "pack": bpy.props.StringProperty(name="Pack", description="id@version#sha256; the default one when empty"),
        "pack_choice": bpy.props.EnumProperty(
            name="Pack",
            description="The model; choosing one pins it by its digest",
            items=lambda self, _context: packs.items(self.role, self.pack),
            get=lambda self: packs.number(self.pack),
            set=lambda self, value: self.choose(value),
        ),
        "options": bpy.props.StringProperty(name="Options", description="Knobs of the pack: name=value name=value"),
        "draft": bpy.props.BoolProperty(name="Draft", description="The pack's lighter stand-in"),
        "colorspace": bpy.props.StringProperty(
            name="Color space",
            description="What the pixels that come in are; the working space when empty. They are not converted",
            search=lambda _self, _context, text: [n for n in versions.space_names() if text.lower() in n.lower()],
        ),
        "padding": bpy.props.IntProperty(
            name="Padding",
            min=0,
            max=16,
            description="Frames before and after the range that are looked at where the shot has them",
        ),
        "baked_first": bpy.props.IntProperty(options={"HIDDEN"}),
        "baked_last": bpy.props.IntProperty(options={"HIDDEN"}, default=-1),
        "baked_with": bpy.props.StringProperty(options={"HIDDEN"}),
        "problem": bpy.props.StringProperty(options={"HIDDEN"}),
    }

    def init(self: Any, _context: Any) -> None:
        """Makes the inner tree, which passes the picture on."""
        tree = bpy.data.node_groups.new(f".understudy {self.role}", "CompositorNodeTree")
        for name in self.inputs_named:
            tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketColor")
        for name, kind, _ in self.outputs_named:
            tree.interface.new_socket(name, in_out="OUTPUT", socket_type=kind)
        tree.nodes.new("NodeGroupInput").name = "Input"
        tree.nodes.new("NodeGroupOutput").name = "Output"
        self.node_tree, self.width, self.padding = tree, 200, self.padding_needed
        self.pass_through()

    def copy(self: Any, _source: Any) -> None:
        """A copy shows the same result, and bakes into a folder of its own."""
        self.uid = ""

    def choose(self: Any, value: int) -> None:
        """Takes the pack that has this number among the choices."""
        pins = [item[0] for item in packs.items(self.role, self.pack) if item[4] == value]
        self.pack = pins[0] if pins and pins[0] != packs.DEFAULT else ""

    def draw_buttons(self: Any, _context: Any, layout: Any) -> None:
        """Knobs, the bake button, and how the result stands."""
        layout.prop(self, "pack_choice", text="")
        for knob in self.knobs:
            layout.prop(self, knob)
        layout.prop(self, "draft")
        layout.operator("understudy.bake", icon="RENDER_ANIMATION").node = self.name
        if self.problem:
            layout.label(text=self.problem, icon="ERROR")
        elif self.baked_last >= self.baked_first:
            layout.label(text=f"{self.baked_first}-{self.baked_last} {self.baked_with.partition('#')[0]}")

    def draw_buttons_ext(self: Any, context: Any, layout: Any) -> None:
        """The same in the sidebar, and what is rarely touched."""
        Node.draw_buttons(self, context, layout)
        for knob in ("colorspace", "padding", "options"):
            layout.prop(self, knob)

    def own_tree(self: Any) -> Any:
        """The inner tree, made this node's alone."""
        if self.node_tree.users > 1:
            self.node_tree = self.node_tree.copy()
        return self.node_tree

    def pass_through(self: Any) -> None:
        """Shows the input."""
        tree = self.own_tree()
        if "Image" in self.outputs:
            tree.links.new(tree.nodes["Input"].outputs["Image"], tree.nodes["Output"].inputs["Image"])
        self.baked_first, self.baked_last, self.baked_with = 0, -1, ""

    def show(self: Any, file: Path, first: int, last: int) -> None:
        """Shows baked frames, at their own frame numbers and their own size.

        Args:
            file: The first one.
            first: Its frame.
            last: The last frame.
        """
        tree = self.own_tree()
        player = tree.nodes.get("Result") or tree.nodes.new("CompositorNodeImage")
        old = player.image
        image = bpy.data.images.load(_relative(file))
        image.name = f".understudy {self.role}"
        image.source = "SEQUENCE"
        image.colorspace_settings.name = versions.working_space()  # whatever the header says: what went in comes out
        player.name, player.image = "Result", image
        player.frame_start, player.frame_offset, player.frame_duration = first, first - 1, last - first + 1
        player.use_auto_refresh = True
        for name, _, layer in self.outputs_named:
            found = player.outputs.get(layer) or player.outputs.get("Image")  # "Image": a file of one layer
            tree.links.new(found, tree.nodes["Output"].inputs[name])
        if old and not old.users:
            bpy.data.images.remove(old)
        self.baked_first, self.baked_last = first, last

    def needs(self: Any, _scene: Any, first: int, last: int) -> Range:
        """The input frames that these output frames are made of."""
        return first, last

    def arguments(self: Any, _scene: Any, _frames: Range, _taps: dict[str, str], _folder: Path) -> list[str]:
        """Options of the role's command.

        Args:
            _scene: The scene.
            _frames: The output frames.
            _taps: Input to the pattern of its files.
            _folder: Where files for the command may be put.
        """
        return []

    def command(self: Any, scene: Any, frames: Range, taps: dict[str, str], folder: Path) -> list[str]:
        """The whole command line, without the executable."""
        space = versions.command_space(self.colorspace or versions.working_space())
        line = [self.role, "--frames", f"{frames[0]}-{frames[1]}", "--colorspace", space, *versions.config_options()]
        line += ["--pack", self.pack] if self.pack else []
        line += ["--draft"] if self.draft else []
        for option in self.options.split():
            line += ["--option", option]
        line += [*self.arguments(scene, frames, taps, folder), *packs.server_options()]
        return [*line, "--", taps["Image"], str(folder / "result" / f"{self.role}.%04d.exr")]


class MotionNode(Node, bpy.types.CompositorNodeCustomGroup):
    """Vectors to the next and the previous frame, in pixels, u right and v up."""

    bl_idname = "UnderstudyMotionNode"
    bl_label = "Understudy Motion"
    role = "motion"
    outputs_named = (
        ("Forward", "NodeSocketVector", "forward"),
        ("Backward", "NodeSocketVector", "backward"),
        ("Confidence", "NodeSocketFloat", "confidence"),
    )
    padding_needed = 1


class RetimeNode(Node, bpy.types.CompositorNodeCustomGroup):
    """Pictures between frames; whole frames are the source."""

    bl_idname = "UnderstudyRetimeNode"
    bl_label = "Understudy Retime"
    role = "interpolate"
    knobs = ("by", "speed", "start", "source_frame")
    __annotations__ = {
        "by": bpy.props.EnumProperty(
            name="By",
            items=[
                ("SPEED", "Speed", "One speed for the whole shot"),
                ("FRAME", "Source frame", "The source frame that each frame shows; animate it"),
            ],
        ),
        "speed": bpy.props.FloatProperty(name="Speed", default=0.5, min=0.001, max=100, precision=3),
        "start": bpy.props.IntProperty(name="From", description="The frame that shows itself", default=1),
        "source_frame": bpy.props.FloatProperty(name="Source frame", default=1, precision=3),
    }

    def init(self: Any, context: Any) -> None:
        """Starts where the scene does."""
        super().init(context)
        scene = getattr(context, "scene", None) or bpy.context.scene
        self.start = scene.frame_start

    def needs(self: Any, scene: Any, first: int, last: int) -> Range:
        """The source frames on both sides of each time."""
        times = [time for _, time in self.curve(scene, first, last)]
        return math.floor(min(times)), math.ceil(max(times))

    def curve(self: Any, scene: Any, first: int, last: int) -> list[tuple[int, Fraction]]:
        """Keys of output frame and source time, linear between them.

        Blender's numbers are float32: speeds are the nearest fraction below a denominator of 1001, times are in
        thousandths of a frame.
        """
        if self.by == "SPEED":
            speed = Fraction(self.speed).limit_denominator(1001)
            return [(frame, self.start + (frame - self.start) * speed) for frame in sorted({first, last})]
        keys = []
        here = scene.frame_current
        for frame in range(first, last + 1):
            scene.frame_set(frame)
            keys.append((frame, Fraction(round(self.source_frame * 1000), 1000)))
        scene.frame_set(here)
        return keys

    def arguments(self: Any, scene: Any, frames: Range, _taps: dict[str, str], folder: Path) -> list[str]:
        """The times, as a file of keys."""
        keys = [{"frame": frame, "source": str(time)} for frame, time in self.curve(scene, *frames)]
        file = folder / "retime.json"
        file.write_text(json.dumps(keys), encoding="utf-8")
        return ["--curve", str(file)]


class UpscaleNode(Node, bpy.types.CompositorNodeCustomGroup):
    """A larger picture, at its own size."""

    bl_idname = "UnderstudyUpscaleNode"
    bl_label = "Understudy Upscale"
    role = "upscale"
    knobs = ("scale",)
    __annotations__ = {
        "scale": bpy.props.FloatProperty(name="Scale", default=2, min=0.05, max=16, description="Factor on both axes")
    }

    def arguments(self: Any, *_given: Any) -> list[str]:
        """The factor."""
        return ["--scale", str(Fraction(self.scale).limit_denominator(1001)), "--confidence"]


class RelightNode(Node, bpy.types.CompositorNodeCustomGroup):
    """New light on a picture; better with its normals."""

    bl_idname = "UnderstudyRelightNode"
    bl_label = "Understudy Relight"
    role = "relight"
    inputs_named = ("Image", "Normal", "Albedo")
    knobs = ("lights", "method", "limit_stops", "normals_in")
    __annotations__ = {
        "lights": bpy.props.StringProperty(
            name="Lights", subtype="FILE_PATH", description="The new lights, a file of understudy.lights/1"
        ),
        "method": bpy.props.EnumProperty(
            name="Method",
            items=[
                ("auto", "Auto", "From albedo and normals where both are there, else a ratio"),
                ("aov", "Passes", "Shade albedo and normals anew"),
                ("ratio", "Ratio", "Multiply by new light over present light"),
            ],
        ),
        "limit_stops": bpy.props.FloatProperty(name="Limit", default=3, min=0, max=16, description="Stops of change"),
        "normals_in": bpy.props.EnumProperty(
            name="Normals",
            items=[
                ("world", "World", "As Blender's Normal pass has them; turned by the scene's camera"),
                ("camera", "Camera", "x right, y up, z toward the camera"),
            ],
        ),
    }

    def arguments(self: Any, scene: Any, frames: Range, taps: dict[str, str], _folder: Path) -> list[str]:
        """Lights and passes."""
        line = ["--method", self.method, "--limit-stops", f"{self.limit_stops:.6g}", "--passes", "confidence"]
        line += ["--lights", bpy.path.abspath(self.lights)] if self.lights else []
        line += ["--albedo", taps["Albedo"]] if "Albedo" in taps else []
        if "Normal" in taps:
            line += ["--normal", taps["Normal"], "--normal-space", self.normals_in]
            if self.normals_in == "world":
                line += ["--camera-to-world", _rotation(scene, *frames)]
        return line


NODES = (MotionNode, RetimeNode, UpscaleNode, RelightNode)


def is_node(node: Any) -> bool:
    """Whether a node is one of these."""
    return node.bl_idname in {kind.bl_idname for kind in NODES}


def chain(tree: Any, until: Any = None) -> list[Any]:
    """The Understudy nodes of a tree, upstream first: all, or one and those that it depends on."""
    found: list[Any] = []
    seen: set[str] = set()
    stack = [(node, False) for node in ([until] if until else tree.nodes)]
    while stack:
        node, ready = stack.pop()
        if ready:
            found += [node] if is_node(node) else []
        elif node.name not in seen:
            seen.add(node.name)
            stack.append((node, True))
            stack += [(link.from_node, False) for socket in node.inputs for link in socket.links]
    return found


def _rotation(scene: Any, first: int, last: int) -> str:
    if scene.camera is None:
        raise UsageError("Normals in world space need the scene's camera; add one, or give normals in camera space")
    here, turns = scene.frame_current, []
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        turns.append([value for row in scene.camera.matrix_world.to_3x3().normalized() for value in row])
    scene.frame_set(here)
    if any(abs(a - b) > 1e-6 for turn in turns for a, b in zip(turn, turns[0])):
        raise UsageError(
            f"The camera turns between {first} and {last}, and normals in world space are turned by one rotation; "
            "give normals in camera space"
        )
    return ",".join(f"{value:.9g}" for value in turns[0])


def _relative(file: Path) -> str:
    try:
        return str(bpy.path.relpath(str(file))) if bpy.data.filepath else str(file)
    except ValueError:  # another drive
        return str(file)
