# SPDX-License-Identifier: Apache-2.0
"""Bridges are copied whole, work where they are, and go away without a trace; what is not ours stays."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from understudy.cli.main import app
from understudy.contracts.errors import MissingFileError, OutputError, UsageError
from understudy.hosts import bridges
from understudy.hosts.bridges import BRIDGES, BUNDLE, bridge_of, find_bundle
from understudy.hosts.install import MANIFEST, install, undo
from understudy.share_root import share_root

pytestmark = pytest.mark.skipif(
    not (share_root() / "host_bridge" / "comfyui").is_dir(), reason="the bridges are not beside these tests"
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """What CMake would have built."""
    path = tmp_path / "build" / BUNDLE
    (path / "Contents" / "Linux-x86-64").mkdir(parents=True)
    (path / "Contents" / "Linux-x86-64" / "Understudy.ofx").write_bytes(b"\x7fELF")
    return path


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command that runs."""
    path = tmp_path / "a bin" / "understudy"
    path.parent.mkdir()
    path.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(path)])
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("host", BRIDGES)
def test_every_host_gets_its_bridge_and_loses_it_again(host: str, tmp_path: Path, bundle: Path, command: Path) -> None:
    place = tmp_path / "new" / "place"
    run = CliRunner().invoke
    options = ["--to", str(place), "--json"]
    done = run(app, ["install", host, "--from", str(bundle), *options])
    event = json.loads(done.stdout)
    folder = Path(event["folder"])
    assert (event["state"], folder.parent) == ("new", place)
    assert event["files"] == len(contents(place)) - 1
    assert [path.name for path in place.iterdir()] == [folder.name], "nothing else is left there"
    again = json.loads(run(app, ["install", host, "--from", str(bundle), *options]).stdout)
    assert (again["state"], again["files"]) == ("already", event["files"])
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").touch()
    assert json.loads(run(app, ["install", host, "--undo", *options]).stdout)["files"] == event["files"]
    assert not (tmp_path / "new").exists(), "folders that it made are gone too"
    assert isinstance(run(app, ["install", host, "--undo", *options]).exception, MissingFileError)


def test_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "init.py").write_text("mine")
    install(BRIDGES["nuke"], tmp_path)
    (tmp_path / "understudy" / "notes.txt").write_text("mine too")
    with pytest.raises(OutputError, match=r"did not install: notes.txt"):
        install(BRIDGES["nuke"], tmp_path)
    undo(BRIDGES["nuke"], tmp_path)
    assert contents(tmp_path) == {"init.py": b"mine", "understudy/notes.txt": b"mine too"}
    with pytest.raises(OutputError, match="did not install"):
        install(BRIDGES["nuke"], tmp_path)
    with pytest.raises(OutputError, match="did not install"):
        undo(BRIDGES["nuke"], tmp_path)


def test_what_somebody_changed_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    done = install(BRIDGES["nuke"], tmp_path)
    (done.folder / "menu.py").write_text("mine")
    before = contents(tmp_path)
    for act in (install, undo):
        with pytest.raises(OutputError, match=r"changed since it was installed: menu\.py"):
            act(BRIDGES["nuke"], tmp_path)
    assert contents(tmp_path) == before
    (done.folder / "menu.py").unlink()
    assert install(BRIDGES["nuke"], tmp_path).state in ("already", "replaced")


def test_an_older_copy_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = BRIDGES["nuke"]
    old = bridges.Bridge("understudy", _stage_old, real.places, real.where, real.then)
    install(old, tmp_path / "place")
    failing = bridges.Bridge("understudy", _stage_half, real.places, real.where, real.then)
    with pytest.raises(OutputError, match="No space left"):
        install(failing, tmp_path / "place")
    assert (tmp_path / "place" / "understudy" / "old.py").is_file(), "a failed one changes nothing"
    assert install(real, tmp_path / "place").state == "replaced"
    assert not (tmp_path / "place" / "understudy" / "old.py").exists()
    undo(real, tmp_path / "place")
    assert list(tmp_path.iterdir()) == [], "the first installation made the folder"


def _stage_old(target: Path, _bundle: Path | None) -> None:
    target.mkdir()
    (target / "old.py").touch()


def _stage_half(target: Path, bundle: Path | None) -> None:
    _stage_old(target, bundle)
    raise OSError(28, "No space left on device")


def test_nothing_is_left_of_an_installation_that_failed(tmp_path: Path) -> None:
    nuke = BRIDGES["nuke"]
    with pytest.raises(OutputError):
        install(bridges.Bridge("x", _stage_half, nuke.places, nuke.where, nuke.then), tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": "1", "files": {"../../x": ""}}', '{"version": "1", "files": {"/etc/x": ""}}'],
)
def test_a_broken_note_removes_nothing(text: str, tmp_path: Path) -> None:
    done = install(BRIDGES["nuke"], tmp_path)
    (done.folder / MANIFEST).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="can't be read"):
        undo(BRIDGES["nuke"], tmp_path)
    assert contents(tmp_path) == before


def test_a_link_is_left_alone(tmp_path: Path) -> None:
    done = install(BRIDGES["nuke"], tmp_path / "real")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "understudy").symlink_to(done.folder)
    for act in (install, undo):
        with pytest.raises(OutputError, match="did not install"):
            act(BRIDGES["nuke"], tmp_path / "other")


def test_where_to_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Path) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for host, wanted in (("comfyui", "custom_nodes"), ("blender", "user_default")):
        with pytest.raises(UsageError, match=wanted):
            install(BRIDGES[host])
    for version in ("4.5", "5.0", "10.1", "notes"):
        (tmp_path / ".config" / "blender" / version).mkdir(parents=True)
    if sys.platform == "linux":
        assert (
            install(BRIDGES["blender"]).folder == tmp_path / ".config/blender/10.1/extensions/user_default/understudy"
        )
    assert install(BRIDGES["nuke"]).folder == tmp_path / ".nuke" / "understudy"
    with pytest.raises(UsageError, match="choose from nuke, natron"):
        bridge_of("maya")
    with pytest.raises(MissingFileError, match=f"no {re.escape(BUNDLE)}"):
        find_bundle(bundle.parent)


def test_a_plug_in_that_is_not_built_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFileError, match=r"not built.*cmake --build") as caught:
        install(BRIDGES["natron"], tmp_path / "a")
    assert caught.value.exit_code == 3
    assert not (tmp_path / "a").exists()


# What was installed works where it is, without the checkout


def test_nuke_starts_with_the_copy(tmp_path: Path, command: Path) -> None:
    folder = install(BRIDGES["nuke"], tmp_path).folder
    host = f"""
import runpy, sys, types
nuke = types.ModuleType("nuke")
nuke.addOnCreate, nuke.Node = (lambda *a, **k: print("started")), object
sys.modules["nuke"] = nuke
runpy.run_path({str(folder / "init.py")!r})
import understudy_bridge
print(understudy_bridge.__file__)
print(understudy_bridge.find_executable())
"""
    environment = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-S", "-c", host], capture_output=True, text=True, env=environment, cwd="/")
    assert done.stdout.splitlines() == [
        "started", str(folder / "python" / "understudy_bridge" / "__init__.py"), str(command),
    ]  # fmt: skip


def test_comfyui_takes_the_copy_of_the_bridge(tmp_path: Path) -> None:
    folder = install(BRIDGES["comfyui"], tmp_path).folder
    host = f"""
import importlib, sys, types
pack = types.ModuleType("pack")
pack.__path__ = [{str(folder)!r}]
sys.modules["pack"] = pack
print(importlib.import_module("pack.bridge").run.__code__.co_filename)
"""
    done = subprocess.run([sys.executable, "-S", "-B", "-c", host], capture_output=True, text=True, env={}, cwd="/")
    assert (done.stderr, done.stdout.strip()) == ("", str(folder / "understudy_bridge" / "command.py"))


def test_blender_s_copy_has_its_own_bridge(tmp_path: Path, command: Path) -> None:
    folder = install(BRIDGES["blender"], tmp_path).folder
    assert (folder / "blender_manifest.toml").is_file()
    assert (folder / "understudy_bridge" / "executable.txt").read_text() == f"{command}\n"
    for path in folder.rglob("*.py"):
        assert not re.search(r"^\s*(from|import) understudy_bridge", path.read_text(), re.MULTILINE), path


# What a shell sets


@pytest.mark.parametrize("host", BRIDGES)
@pytest.mark.parametrize("before", ["", "/mine:/ours"])
def test_sh_takes_what_env_prints(
    host: str, before: str, tmp_path: Path, bundle: Path, command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "it's a $place"
    install(BRIDGES[host], place, bundle)
    printed = CliRunner().invoke(app, ["env", host, "--to", str(place)]).stdout
    told = json.loads(CliRunner().invoke(app, ["env", host, "--to", str(place), "--json"]).stdout)["variables"]
    names = [variable["name"] for variable in told]
    echo = "".join(f'printf "%s\\n" "${name}"\n' for name in names)
    environment = {variable["name"]: before for variable in told if before and variable["prepend"]}
    done = subprocess.run(
        ["sh", "-eu", "-c", f"{printed}\n{echo}"],
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, **environment},
    )
    rest = f":{before}" if before else ""
    expected = [variable["value"] + (rest if variable["prepend"] else "") for variable in told]
    assert (done.stderr, done.stdout.splitlines()) == ("", expected)
    values = {variable["name"]: variable["value"] for variable in told}
    assert values["UNDERSTUDY_EXECUTABLE"] == str(command)
    if host == "nuke":
        assert values["NUKE_PATH"] == str(place / "understudy")
    elif BRIDGES[host].folder == BUNDLE:
        assert values["OFX_PLUGIN_PATH"] == str(place)


def test_an_interrupt_between_old_and_new_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BRIDGES["nuke"]
    install(bridges.Bridge("understudy", _stage_old, real.places, real.where, real.then), tmp_path)
    rename = Path.rename
    calls = []

    def interrupted(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        install(real, tmp_path)
    assert (tmp_path / "understudy" / "old.py").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["understudy"]
