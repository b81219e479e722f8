# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Nuke's ``nuke``: it records, keeps the rules that matter to us, and its Write writes real EXRs."""

import queue
import re
import threading
import time
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from unit.bridge.nk_script import ScriptNode, UserKnob, read

_TEXT_KINDS = (1, 2, 43)


class Knob:
    """A knob. Only the main thread may change it."""

    def __init__(self, name: str, value: Any = "", *, user: UserKnob | None = None, root: "Node | None" = None) -> None:
        self.knob_name, self.user, self._root = name, user, root
        self.choices = list(user.choices) if user else []
        self._value = value
        self.animation: Callable[[float], float] | None = None
        self.pressed = 0
        if user is None or user.kind in _TEXT_KINDS:
            self.evaluate = self._evaluate

    def name(self) -> str:
        return self.knob_name

    def value(self) -> Any:
        kind = self.user.kind if self.user else 0
        if isinstance(self._value, str) and self._value.startswith("{root."):
            assert self._root
            return self._root[self._value[6:-1]].value()
        if kind in (3, 7):
            return float(self._value or 0)
        if kind == 6:
            return self._value in (True, "true")
        if kind == 4:
            return self._value or self.choices[0]
        return self._value

    def _evaluate(self) -> str:
        assert not re.search(r"(?<!\\)[\[$]", str(self._value)), f"Tcl would run {self._value}"
        return re.sub(r"\\(.)", r"\1", str(self._value))

    def getValueAt(self, frame: float) -> float:
        return self.animation(frame) if self.animation else self.value()

    def clearAnimated(self) -> None:
        self._value = self.value()

    def setValue(self, value: Any) -> None:
        assert not str(self._value).startswith("{"), f"{self.knob_name} has an expression"
        assert threading.current_thread() is threading.main_thread(), f"{self.knob_name} is set in a thread"
        if self.choices and isinstance(value, str):
            assert value in self.choices, f"{value} is none of {self.choices}"
        self._value = value

    def setValues(self, choices: list[str]) -> None:
        self.choices = list(choices)
        self._value = self._value if self._value in choices else ""

    def execute(self) -> None:
        self.pressed += 1


class Node:
    """A node."""

    def __init__(self, host: "NukeHost", kind: str, name: str, parent: "Node | None" = None) -> None:
        self.host, self.kind, self._name, self.parent = host, kind, name, parent
        self._knobs: dict[str, Knob] = {}
        self.inputs: list[Node | None] = []
        self.inside: list[Node] = []
        self.picture: Callable[[int], Any] | None = None
        self.range = (1, 1)
        self.script: ScriptNode | None = None

    def Class(self) -> str:
        return self.kind

    def name(self) -> str:
        return self._name

    def fullName(self) -> str:
        return f"{self.parent.fullName()}.{self._name}" if self.parent else self._name

    def knobs(self) -> dict[str, Knob]:
        return self._knobs

    def __getitem__(self, name: str) -> Knob:
        if name not in self._knobs and self.script and name in self.script.user:
            raise NameError(name)
        return self._knobs.setdefault(name, Knob(name)) if self.kind != "Group" else self._knobs[name]

    def input(self, index: int) -> "Node | None":
        return self.inputs[index] if index < len(self.inputs) else None

    def node(self, name: str) -> "Node":
        (found,) = [node for node in self.inside if node.name() == name]
        return found

    def firstFrame(self) -> int:
        return self.range[0]

    def lastFrame(self) -> int:
        return self.range[1]

    def begin(self) -> None:
        self.host.context = self

    def press(self, button: str) -> None:
        """What Nuke does when an artist presses a button."""
        self.host.this = self
        assert self.script
        exec(self.script.user[button].code, {"nuke": self.host.module})


class Task:
    """A progress bar."""

    def __init__(self, host: "NukeHost", title: str) -> None:
        self.host, self.title, self.shares, self.messages = host, title, [0], [""]
        host.tasks.append(self)

    def setProgress(self, share: int) -> None:
        assert isinstance(share, int)
        assert self.shares[-1] <= share <= 100
        self.shares.append(share)

    def setMessage(self, text: str) -> None:
        self.messages.append(text)

    def isCancelled(self) -> bool:
        return self.host.cancelled


class NukeHost:
    """Nuke with an empty script.

    Attributes:
        module: The module ``nuke``.
        scripts_module: The module ``nukescripts``.
        menus: Path of each menu entry, and what it does.
        messages: What the artist was told.
        live: Classes of nodes that plug-ins brought.
    """

    def __init__(self, *, gui: bool) -> None:
        self.root = Node(self, "Root", "Root")
        for name, value in {
            "first_frame": 1001, "last_frame": 1004, "colorManagement": "OCIO", "OCIO_config": "fn-nuke_cg-config",
            "workingSpaceLUT": "scene_linear (ACES - ACEScg)", "customOCIOConfigPath": "",
        }.items():  # fmt: skip
            self.root._knobs[name] = Knob(name, value)
        self.nodes: list[Node] = []
        self.selected: Node | None = None
        self.this: Node | None = None
        self.context = self.root
        self.menus: dict[str, Callable[[], Any]] = {}
        self.messages: list[str] = []
        self.tasks: list[Task] = []
        self.created: list[str] = []
        self.live: set[str] = set()
        self.rendered: list[int] = []
        self.on_create: list[Callable[[], None]] = []
        self.panels: list[Any] = []
        self.saved: list[str] = []
        self.cancelled = False
        self.failing = ""
        self.waiting: queue.Queue[Callable[[], Any]] = queue.Queue()
        self.module, self.scripts_module = self._nuke(gui=gui), self._nukescripts()

    def add(self, kind: str, name: str, picture: Callable[[int], Any], first: int, last: int) -> Node:
        """A node with pictures, selected."""
        node = Node(self, kind, name)
        node.picture, node.range = picture, (first, last)
        self.nodes.append(node)
        self.selected = node
        return node

    def pump(self, done: Callable[[], bool], seconds: float = 60) -> None:
        """Nuke's event loop, until something is done."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"nothing came; {self.messages}"
            try:
                self.waiting.get(timeout=0.05)()
            except queue.Empty:
                continue

    def paste(self, text: str) -> Node:
        """Reads a piece of script, as a paste does."""
        picked = self.selected
        outside = ScriptNode("outside") if picked else None
        made = read(text, outside)
        for script in made:
            self.nodes.append(self._node(script, None, {id(outside): picked}))
        node = self.nodes[-1]
        if node.kind == "Group":
            self.this = node
            for call in self.on_create:
                call()
        return node

    def _node(self, script: ScriptNode, parent: Node | None, known: dict[int, Node | None]) -> Node:
        count = sum(node.name().startswith(script.knobs["name"]) for node in self.nodes) if parent is None else 0
        node = Node(self, script.kind, script.knobs["name"] + (str(count) if count else ""), parent)
        node.script = script
        for name, knob in script.user.items():
            node._knobs[name] = Knob(name, user=knob, root=self.root)
        for name, value in script.knobs.items():
            node._knobs.setdefault(name, Knob(name))._value = value
        known[id(script)] = node
        node.inputs = [known[id(each)] for each in script.inputs]
        node.inside = [self._node(each, node, known) for each in script.inside or ()]
        return node

    def _execute(self, node: Node, first: int, last: int, step: int) -> None:
        """A Write inside a Group renders what the Group's input shows."""
        if self.failing:
            raise RuntimeError(self.failing)
        assert node.kind == "Write"
        assert node["disable"].value() is False
        (reader,) = node.inputs
        assert reader is not None
        assert reader.kind == "Input"
        assert node.parent
        source = node.parent.input(0)
        assert source
        assert source.picture
        for frame in range(first, last + 1, step):
            pixels, names = source.picture(frame)
            spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], oiio.FLOAT)
            spec.channelnames = names
            spec["DateTime"] = "2026:01:01 00:00:00"  # OIIO would put the time of day into the file
            path = node["file"].evaluate() % frame
            out = oiio.ImageOutput.create(path)
            assert out.open(path, spec), out.geterror()
            out.write_image(pixels.astype(np.float32))
            out.close()
            self.rendered.append(frame)

    def _nuke(self, *, gui: bool) -> types.ModuleType:
        module: Any = types.ModuleType("nuke")
        module.GUI = gui
        module.root = lambda: self.root
        module.thisNode = lambda: self.this
        module.message = self.messages.append
        module.ProgressTask = lambda title: Task(self, title)
        module.executeInMainThread = lambda call, args=(): self.waiting.put(partial(call, *args))
        module.execute = self._execute
        module.addOnCreate = lambda call, nodeClass: self.on_create.append(call)
        module.allNodes = lambda kind, recurseGroups: [node for node in self.nodes if node.kind == kind]
        module.selectedNodes = lambda kind: [node for node in self.nodes if node.kind == kind]
        module.toNode = lambda name: next((node for node in self.nodes if node.fullName() == name), None)
        module.nodePaste = lambda path: self.paste(Path(path).read_text(encoding="utf-8"))
        module.createNode = self._create
        module.menu = lambda name: _Menu(self, name)
        module.scriptOpen = lambda path: Path(path).stat()
        module.scriptSave = self.saved.append
        for kind in ("PyScript_Knob", "Multiline_Eval_String_Knob", "String_Knob", "File_Knob"):
            setattr(module, kind, lambda name, label, kind=kind: Knob(name))
        return module

    def _create(self, name: str) -> None:
        if name not in self.live:
            raise RuntimeError(f"{name}: Unknown command")
        self.created.append(name)

    def _nukescripts(self) -> types.ModuleType:
        module: Any = types.ModuleType("nukescripts")
        host = self

        class PythonPanel:
            def __init__(self, title: str, panel_id: str) -> None:
                self.title = title
                self.knobs: list[Knob] = []

            def addKnob(self, knob: Knob) -> None:
                self.knobs.append(knob)

            def addToPane(self) -> Any:
                host.panels.append(self)
                return self

        module.PythonPanel = PythonPanel
        module.registerPanel = lambda panel_id, call: None
        return module


class _Menu:
    def __init__(self, host: NukeHost, path: str) -> None:
        self._host, self._path = host, path

    def addMenu(self, name: str) -> "_Menu":
        return _Menu(self._host, f"{self._path}/{name}")

    def addCommand(self, name: str, command: Callable[[], Any]) -> None:
        self._host.menus[f"{self._path}/{name}"] = command
