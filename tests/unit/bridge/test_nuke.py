# SPDX-License-Identifier: Apache-2.0
"""The Nuke pack in a stand-in for Nuke, with the real command on EXRs that the stand-in's Write made."""

import importlib
import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.frames.read import read_plate
from unit.bridge.nk_script import ScriptError, ScriptNode, commands, read
from unit.bridge.nuke_host import Node, NukeHost

_BRIDGE = Path(__file__).resolve().parents[3] / "host_bridge"
_PACK = _BRIDGE / "nuke"
_ROLES = {"Motion": "motion", "Retime": "interpolate", "Upscale": "upscale", "Relight": "relight"}
_PACKS = [
    {"id": name, "version": "1.0.0", "sha256": name[0] * 64, "role": "upscale", "title": name, "badge": "green"}
    for name in ("lanczos", "sharp")
]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of this source tree."""
    path = tmp_path_factory.mktemp("bin") / "understudy"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{":".join(sys.path)}" exec "{sys.executable}" -m understudy "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that knows two packs, and writes down how it is called."""
    path = tmp_path / "fake-understudy"
    path.write_text(
        f"#!{sys.executable}\nimport json, pathlib, sys, time\n"
        f"packs = {_PACKS!r}\n"
        "if sys.argv[1] == 'packs': print(json.dumps({'event': 'packs', 'packs': packs}))\n"
        "if sys.argv[1] == 'curve': pathlib.Path(sys.argv[3]).write_text("
        "'set cut_paste_input [stack 0]\\npush $cut_paste_input\\nTimeWarp {\\n name W\\n}\\n')\n"
        "if sys.argv[1] == 'conform': print(json.dumps({'event': 'shot', 'name': 'sh010', 'graph': '/c/sh010.yaml'}))\n"
        f"pathlib.Path({str(tmp_path / 'called')!r}).write_text(json.dumps(sys.argv[1:]))\n"
    )
    path.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(path))
    return path


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("OFX_PLUGIN_PATH", raising=False)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("nuke", "nukescripts", "understudy_nuke")]:
        del sys.modules[name]


def start(monkeypatch: pytest.MonkeyPatch, *, gui: bool = False, pack: Path = _PACK) -> NukeHost:
    """Starts the stand-in: its plug-in path is the pack's folder."""
    host = NukeHost(gui=gui)
    monkeypatch.setitem(sys.modules, "nuke", host.module)
    monkeypatch.setitem(sys.modules, "nukescripts", host.scripts_module)
    runpy.run_path(str(pack / "init.py"))
    if gui:
        runpy.run_path(str(pack / "menu.py"))
    return host


def ours(name: str) -> Any:
    return importlib.import_module(f"understudy_nuke.{name}")


def picture(frame: int) -> tuple[Any, list[str]]:
    """HDR, negatives, a square that moves 2 pixels a frame."""
    y, x = np.mgrid[0:32, 0:48].astype(np.float32)
    pixels = np.stack([np.sin(x / 3) + 1, np.cos(y / 4) * 40, x * y / 500 - 0.5], axis=-1)
    at = 6 + 2 * (frame - 1001)
    pixels[8:18, at : at + 10] = [500.0, -0.25, 3.0]
    return pixels, ["R", "G", "B"]


def made(host: NukeHost, role: str, tmp_path: Path, *, last: int = 1004) -> Node:
    """A source and a node of a role behind it."""
    host.add("Read", "Read1", picture, 1001, last)
    ours("groups").create(role)
    node = host.nodes[-1]
    for knob in ("first", "last"):
        node[knob].clearAnimated()
    node["folder"].setValue(str(tmp_path / "baked frames"))
    return node


def result(node: Node, frame: int) -> Any:
    path = node.node("Result")["file"].evaluate() % frame
    return read_plate(Path(path), frame=frame, colorspace="ACEScg")


# What is put into a script


@pytest.mark.parametrize("title", _ROLES)
def test_a_group_is_a_script_that_comes_out_even(title: str, monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    start(monkeypatch)
    selected = ScriptNode("Read")
    (group,) = read(ours("groups").script(_ROLES[title]), selected)
    assert (group.kind, group.knobs["name"], group.inputs) == ("Group", f"Understudy{title}", [selected])
    tap, reader, switch = group.within("Tap"), group.within("Result"), group.within("Show")
    source = group.within("Source")
    assert tap.inputs == [source]
    assert switch.inputs == [source, reader], "0 shows the input, 1 the result"
    assert switch.knobs["which"] == "{parent.show}"
    assert group.within("Output1").inputs == [switch]
    assert (tap.knobs["raw"], tap.knobs["datatype"], tap.knobs["disable"]) == ("true", "32 bit float", "true")
    assert {node.kind for node in group.inside} == {"Input", "Write", "Read", "Switch", "Output"}, (
        "Nuke's own nodes only"
    )
    assert group.user["show"].choices == ("input", "result")
    assert all(knob.name in group.user for knob in group.user.values())
    assert set(group.knobs) <= {*group.user, "name", "label"}
    for knob in group.user.values():
        if knob.kind == 22:
            compile(knob.code, knob.name, "exec")


@pytest.mark.parametrize(
    "text", ['say "hi"', "a [b] $c {d", "back\\slash", "two\nlines", "}{", "", "é", "[exec rm]", 'x"; y "'],
)  # fmt: skip
def test_text_is_one_word_that_runs_nothing(text: str, monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    start(monkeypatch)
    tcl = ours("tcl")
    assert [[word.text for word in line] for line in commands(tcl.word(text))] == [[text]]
    (node,) = read(tcl.timewarp([(1, Fraction(1))], text), None)
    assert node.knobs["label"] == tcl.literal(text)


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="there is no tclsh here")
def test_tcl_itself_reads_text_so(monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    start(monkeypatch)
    tcl = ours("tcl")
    texts = ['say "hi"', "a [b] $c {d", "back\\slash", "}{", "[exec rm]", 'x"; y "']
    script = "".join(f"puts {tcl.word(text)}\n" for text in texts)
    script += "".join(f"puts [subst {tcl.word(tcl.literal(text))}]\n" for text in texts)  # as a knob evaluates it
    done = subprocess.run(["tclsh"], input=script, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == texts * 2


@pytest.mark.parametrize(
    "text",
    ["Blur {", "Blur {\n size 1 2\n}", 'Blur {\n label "[x]"\n}', "Merge2 {\n inputs 2\n}", "end_group", "push $N1"],
)  # fmt: skip
def test_the_parser_finds_what_nuke_would_not_read(text: str) -> None:
    with pytest.raises((ScriptError, LookupError)):
        read(text)


def test_a_retime_is_a_timewarp_with_the_same_frames(monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    host = start(monkeypatch, gui=True)
    node = made(host, "interpolate", fake.parent)
    node["speed"].setValue(0.3333333)
    node.press("timewarp")
    warp = host.nodes[-1]
    assert (warp.kind, host.messages) == ("TimeWarp", [])
    assert warp["lookup"].value() == (
        "{curve L x1001 1001 L x1002 1001.3333333333334 L x1003 1001.6666666666666 L x1004 1002}"
    )


# How Nuke starts


def test_the_menu_has_the_roles_and_makes_them(monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    host = start(monkeypatch, gui=True)
    host.pump(lambda: not ours("packs").known.problem)
    assert set(host.menus) == {
        *(f"Nodes/Understudy/{title}" for title in _ROLES), "Nodes/Understudy/Panel", "Pane/Understudy",
    }  # fmt: skip
    source = host.add("Read", "Read1", picture, 1001, 1004)
    for title, role in _ROLES.items():
        host.selected = source
        host.menus[f"Nodes/Understudy/{title}"]()
        node = host.nodes[-1]
        assert (node["understudy_role"].value(), node.input(0)) == (role, source)
    host.selected = source
    host.menus["Nodes/Understudy/Upscale"]()
    assert host.nodes[-1]["pack"].choices == ["Default", "lanczos@1.0.0#llllllllllll", "sharp@1.0.0#ssssssssssss"]


def test_live_nodes_are_in_the_menu_where_the_plug_in_is(
    monkeypatch: pytest.MonkeyPatch, fake: Path, tmp_path: Path
) -> None:
    (tmp_path / "Understudy.ofx.bundle").mkdir()
    monkeypatch.setenv("OFX_PLUGIN_PATH", f"/nowhere:{tmp_path}")
    host = start(monkeypatch, gui=True)
    host.live = {"OFXorg.understudy.retime_v1"}
    host.menus["Nodes/Understudy/Live/Retime"]()
    assert host.created == ["OFXorg.understudy.retime_v1"]
    host.menus["Nodes/Understudy/Live/Motion"]()
    assert "has not loaded Understudy.ofx.bundle" in host.messages[0]


@pytest.mark.parametrize("gui", [False, True])
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("python/understudy_bridge/__init__.py", "raise RuntimeError('broken\\nbridge')"),
        ("python/understudy_bridge/__init__.py", "this is no Python"),
        ("understudy_nuke/start.py", "import sys; sys.exit(3)"),
        ("understudy_nuke/groups.py", None),
    ],
)
def test_nuke_starts_whatever_is_wrong_with_us(
    *, gui: bool, file: str, text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pack = tmp_path / "nuke"
    shutil.copytree(_PACK, pack, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(_BRIDGE / "python" / "understudy_bridge", pack / "python" / "understudy_bridge")
    if text is None:
        (pack / file).unlink()
    else:
        (pack / file).write_text(text)
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("understudy_bridge")}
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "host_bridge" not in path])
    try:
        start(monkeypatch, gui=gui, pack=pack)
    finally:
        for name in [name for name in sys.modules if name.startswith("understudy_bridge")]:
            del sys.modules[name]
        sys.modules.update(kept)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + gui
    assert all(line.startswith("Understudy ") for line in lines)


def test_a_missing_command_is_told_when_it_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(tmp_path / "nowhere"))
    host = start(monkeypatch, gui=True)
    node = made(host, "upscale", tmp_path)
    assert node["pack"].choices == ["Default"]
    node.press("refresh")
    node.press("bake")
    host.pump(lambda: len(host.messages) == 2)
    assert all("nowhere is not an executable" in message for message in host.messages)
    assert node["show"].value() == "input"


# Packs


def test_a_chosen_pack_stays_chosen(monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    host = start(monkeypatch)
    node = made(host, "upscale", fake.parent)
    node["pack"].choices.append("gone@1.0.0#123456789012")
    node["pack"].setValue("gone@1.0.0#123456789012")
    node.press("refresh")
    assert node["pack"].value() == "gone@1.0.0#123456789012"
    assert len(node["pack"].choices) == 4
    node["pack"].setValue("sharp@1.0.0#ssssssssssss")
    node.press("bake")
    called = json.loads((fake.parent / "called").read_text())
    assert called[called.index("--pack") + 1] == "sharp@1.0.0#ssssssssssss"


# Bake


@pytest.mark.e2e
def test_a_bake_in_the_terminal_equals_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(command))
    host = start(monkeypatch)
    node = made(host, "upscale", tmp_path)
    node["pack"].choices.append("lanczos")
    node["pack"].setValue("lanczos")
    script = tmp_path / "shot.nk"
    script.touch()
    main = runpy.run_path(str(_PACK / "bake_script.py"))["main"]
    assert main([str(script), "1001-1002"]) == 0
    assert (host.rendered, host.saved) == ([1001, 1002], [str(script)])
    assert "UnderstudyUpscale: 2 of 2 frames" in capsys.readouterr().out
    assert node["show"].value() == "result"
    assert node["baked_with"].value().startswith("lanczos@")
    assert node.node("Tap")["disable"].value() is True
    assert [node.node("Result")[knob].value() for knob in ("first", "last")] == [1001, 1002]
    plate = read_plate(Path(node.node("Tap")["file"].evaluate() % 1001), frame=1001, colorspace="ACEScg")
    assert np.array_equal(plate.take(("R", "G", "B")), picture(1001)[0]), "the tap keeps every bit"
    assert result(node, 1001).pixels.shape == (64, 96, 3)
    file = Path(node.node("Result")["file"].evaluate() % 1001)
    before = file.stat().st_mtime_ns
    node.press("bake")
    assert host.rendered == [1001, 1002, 1001, 1002]
    assert file.stat().st_mtime_ns == before, "what reached the node is the same, so nothing is computed"
    assert main([str(script), "1001-1002", "Nobody"]) == 1
    assert "has these Understudy nodes: UnderstudyUpscale" in capsys.readouterr().out


@pytest.mark.e2e
def test_a_retime_bakes_beside_the_artist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(command))
    host = start(monkeypatch, gui=True)
    node = made(host, "interpolate", tmp_path)
    stale = tmp_path / "baked frames" / "UnderstudyRetime" / "input" / "plate.0900.exr"
    stale.parent.mkdir(parents=True)
    stale.touch()
    node.press("bake")
    host.pump(lambda: node["show"].value() == "result" or bool(host.messages))
    assert host.messages == []
    assert host.rendered == [1001, 1002, 1003], "1001-1004 at half speed end at 1002.5"
    assert not stale.exists()
    for frame, source in ((1001, 1001), (1003, 1002)):
        assert np.array_equal(result(node, frame).take(("R", "G", "B")), picture(source)[0]), "whole frames are exact"
    assert host.tasks[-1].shares[-1] == 100
    assert host.tasks[-1].messages[-1] == "4 of 4 frames"


@pytest.mark.e2e
def test_motion_and_light_are_baked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(command))
    host = start(monkeypatch)
    motion = made(host, "motion", tmp_path)
    motion["first"].setValue(1002)
    motion["last"].setValue(1004)
    motion.press("bake")
    assert host.rendered == [1001, 1002, 1003, 1004], "a frame before, none after the shot's last"
    vectors = result(motion, 1002)
    assert {"forward.u", "forward.v", "backward.u", "backward.v"} <= set(vectors.channels)
    host.rendered.clear()
    light = made(host, "relight", tmp_path)
    light["last"].setValue(1001)
    light["intensity"].setValue(6.0)
    light["options"].setValue("--pack shaded-solids")
    light.press("bake")
    assert host.rendered == [1001]
    assert result(light, 1001).pixels.shape == (32, 48, 3)


# What the command is asked


def asked(node: Node, fake: Path) -> list[str]:
    node.press("bake")
    called: list[str] = json.loads((fake.parent / "called").read_text())
    return called


def after(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


@pytest.mark.parametrize(
    ("management", "space", "knob", "expected"),
    [
        ("OCIO", "scene_linear (ACES - ACEScg)", "", "ACES - ACEScg"),
        ("OCIO", "ACEScg", "", "ACEScg"),
        ("OCIO", "Linear Rec.709 (sRGB)", "", "Linear Rec.709 (sRGB)"),
        ("Nuke", "", "", "Linear Rec.709 (sRGB)"),
        ("OCIO", "ACEScg", "ACES2065-1", "ACES2065-1"),
    ],
)
def test_the_color_space_is_the_script_s(
    management: str, space: str, knob: str, expected: str, monkeypatch: pytest.MonkeyPatch, fake: Path
) -> None:
    host = start(monkeypatch)
    host.root["colorManagement"].setValue(management)
    host.root["workingSpaceLUT"].setValue(space)
    node = made(host, "motion", fake.parent)
    node["colorspace"].setValue(knob)
    assert after(asked(node, fake), "--colorspace") == expected


def test_every_knob_reaches_the_command(monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    host = start(monkeypatch)
    host.root["OCIO_config"].setValue("custom")
    host.root["customOCIOConfigPath"].setValue("/show/config.ocio")
    node = made(host, "upscale", fake.parent)
    for knob, value in {"scale": 1.5, "draft": True, "server": "gpu1:7433", "options": "--option 'a=b c'"}.items():
        node[knob].setValue(value)
    arguments = asked(node, fake)
    assert after(arguments, "--scale") == "3/2"
    assert after(arguments, "--ocio") == "/show/config.ocio"
    assert after(arguments, "--server") == "gpu1:7433"
    assert after(arguments, "--option") == "a=b c"
    assert {"--draft", "--json"} <= set(arguments)


def test_a_retime_has_its_times_exactly(monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    host = start(monkeypatch)
    node = made(host, "interpolate", fake.parent, last=1010)
    node["cuts"].setValue("1003")
    node["speed"].setValue(1 / 3)
    arguments = asked(node, fake)
    keys = json.loads(Path(after(arguments, "--curve")).read_text())
    assert [key["source"] for key in keys] == ["1001", "3004/3", "3005/3", "1002"]
    assert after(arguments, "--cuts") == "1003"
    host.rendered.clear()
    node["timing"].setValue("curve")
    node["source"].animation = lambda frame: 1012 - (frame - 1001) * 1.25
    keys = json.loads(Path(after(asked(node, fake), "--curve")).read_text())
    assert [key["source"] for key in keys] == ["1012", "4043/4", "2019/2", "4033/4"]
    assert host.rendered == [1008, 1009, 1010], "the shot ends at 1010"


def test_a_light_of_the_knobs_is_a_lights_document(monkeypatch: pytest.MonkeyPatch, fake: Path) -> None:
    host = start(monkeypatch)
    node = made(host, "relight", fake.parent)
    node["azimuth"].setValue(90)
    node["elevation"].setValue(0)
    (light,) = json.loads(Path(after(asked(node, fake), "--lights")).read_text())["lights"]
    assert light["direction"] == pytest.approx([1, 0, 0], abs=1e-12)
    node["lights"].setValue("/show/sun.json")
    assert after(asked(node, fake), "--lights") == "/show/sun.json"


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"folder": ""}, "save the script first"),
        ({"folder": "relative"}, "give a whole path"),
        ({"folder": "/a/50%"}, "without %"),
        ({"folder": "/a/\\[v1\\]"}, "without %"),
        ({"last": 1000}, "the frames 1001-1000 are none"),
        ({"options": "--option 'open"}, "more options: No closing quotation"),
        ({"speed": 0}, "use a FrameHold"),
    ],
)
def test_what_can_t_be_baked_is_a_sentence(
    knobs: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch, fake: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    host = start(monkeypatch)
    node = made(host, "interpolate", fake.parent)
    for knob, value in knobs.items():
        node[knob].setValue(value)
    node.press("bake")
    assert sentence in capsys.readouterr().out
    assert host.rendered == []


def test_nothing_connected_and_a_failed_write_are_sentences(
    monkeypatch: pytest.MonkeyPatch, fake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = start(monkeypatch)
    node = made(host, "motion", fake.parent)
    host.failing = "Cancelled"
    node.press("bake")
    assert "what reaches UnderstudyMotion can't be written: Cancelled" in capsys.readouterr().out
    assert node.node("Tap")["disable"].value() is True
    node.inputs = []
    node.press("bake")
    assert "connect the input of UnderstudyMotion" in capsys.readouterr().out


def test_cancel_stops_the_command_and_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow, begun, ended = (tmp_path / name for name in ("slow", "begun", "ended"))
    slow.write_text(
        f"#!{sys.executable}\nimport pathlib, signal, sys, time\n"
        "if sys.argv[1] == 'packs': sys.exit()\n"
        f"def end(*_): pathlib.Path({str(ended)!r}).touch(); sys.exit(130)\n"
        f"signal.signal(signal.SIGTERM, end); pathlib.Path({str(begun)!r}).touch()\n"
        "time.sleep(60)\n"
    )
    slow.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_EXECUTABLE", str(slow))
    host = start(monkeypatch, gui=True)
    node = made(host, "upscale", tmp_path)
    node.press("bake")
    host.pump(begun.exists)
    node.press("bake")
    assert host.messages == ["Understudy: UnderstudyUpscale is being baked already"]
    host.cancelled = True
    running = ours("bake")._running
    host.pump(lambda: ended.exists() and not running)
    assert len(host.messages) == 1
    assert node["show"].value() == "input"


# The panel


def test_the_panel_tells_and_does(monkeypatch: pytest.MonkeyPatch, fake: Path, tmp_path: Path) -> None:
    host = start(monkeypatch, gui=True)
    node = made(host, "interpolate", tmp_path)
    panel = host.menus["Pane/Understudy"]()
    panel.knobChanged(panel.refresh)
    lines = panel.status.evaluate().splitlines()
    assert lines[0] == f"command: {fake}"
    assert lines[1].startswith("upscale: lanczos@1.0.0#llllllllllll green")
    assert lines[-1] == "UnderstudyRetime: not baked"
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("1040  # sh020\n1012, 1040\n")
    panel.cut_file.setValue(str(cuts))
    panel.knobChanged(panel.cut_file)
    panel.knobChanged(panel.apply)
    assert node["cuts"].value() == "1012,1040"
    cuts.write_text("TITLE: an EDL\n")
    panel.knobChanged(panel.cut_file)
    assert "has the first frame after each cut" in host.messages[-1]
    panel.graph.setValue("/show/graph.yaml")
    panel.knobChanged(panel.retime)
    assert host.nodes[-1].kind == "TimeWarp"
    panel.timeline.setValue("/show/cut.v1.otio")
    panel.knobChanged(panel.conform)
    assert panel.status.value() == "sh010: /c/sh010.yaml"
    assert after(json.loads((tmp_path / "called").read_text()), "--out") == "/show/cut.v1_understudy"
