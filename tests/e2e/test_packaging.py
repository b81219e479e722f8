# SPDX-License-Identifier: Apache-2.0
"""The wheel holds everything that is needed and nothing else, and works far from the checkout. No network."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

pytest.importorskip("build")
pytest.importorskip("hatchling")
pytest.importorskip("pip")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_ROOT = Path(__file__).resolve().parents[2]
_PAYLOAD = ("models", "ocio", "plugins", "host_bridge")
_STRAYS = (
    "models/lanczos/__pycache__/adapter.cpython-311.pyc",
    "models/lanczos/.token",
    "models/lanczos/weights.safetensors",
    "models/lanczos/other.onnx",
    "plugins/publish/.secret/key",
    "src/understudy/.notes",
    "src/understudy/color/__pycache__/decide.cpython-311.pyc",
)


def _run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with files in it that must not be shipped."""
    copy = tmp_path_factory.mktemp("copy") / "understudy"
    copy.mkdir()
    for name in ("src", "training", "proto", "docs", *_PAYLOAD):
        ignore = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(_ROOT / name, copy / name, ignore=ignore)
    for name in ("pyproject.toml", ".gitignore", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile"):
        shutil.copy(_ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def shipped(checkout: Path) -> set[str]:
    """The files that a wheel must hold besides its own records; the copy has the strays after this."""
    files = {f"understudy/{path.relative_to(checkout / 'src/understudy').as_posix()}": path
             for path in (checkout / "src" / "understudy").rglob("*") if path.is_file()}  # fmt: skip
    for folder, inside in (("understudy_training", ""), ("recipes", "understudy_training/")):
        for path in (checkout / "training" / folder).rglob("*"):
            if path.is_file():
                files[inside + path.relative_to(checkout / "training").as_posix()] = path
    for folder in _PAYLOAD:
        for path in (checkout / folder).rglob("*"):
            if path.is_file() and path.name != "ruff.toml":
                files[f"understudy/_share/{path.relative_to(checkout).as_posix()}"] = path
    for stray in _STRAYS:
        path = checkout / stray
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"not ours")
    return set(files)


@pytest.fixture(scope="module")
def wheel(checkout: Path, shipped: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the source archive as ``python -m build`` does."""
    assert shipped
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), ".", cwd=checkout)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed and nothing else."""
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index")
    _run(*pip, "--quiet", "--target", str(target), str(wheel), cwd=target)
    return target


def _cli(installed: Path, *arguments: str, cwd: Path) -> str:
    """The installed command line, with the libraries of this environment."""
    return _run(sys.executable, "-m", "understudy", *arguments, cwd=cwd, PYTHONPATH=str(installed))


def _json(installed: Path, *arguments: str, cwd: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_cli(installed, *arguments, "--json", cwd=cwd).splitlines()[-1])
    return answer


def test_the_wheel_holds_what_is_shipped_and_nothing_else(wheel: Path, shipped: set[str]) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == shipped
    assert "understudy/_share/models/identity-onnx-upscale/model.onnx" in names
    assert "understudy/py.typed" in names


def test_the_metadata_is_that_of_the_project(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    fields = Parser().parsestr(archive.read(name).decode())
    assert (fields["Name"], fields["License-Expression"], fields["Requires-Python"]) == (
        "understudy",
        "Apache-2.0 AND GPL-3.0-or-later",
        ">=3.11",
    )
    always = [need for need in fields.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert "numpy>=2.1" in always
    assert not [need for need in always if need.startswith(("onnxruntime", "torch"))]
    assert {"cpu", "gpu", "torch", "publish", "dev"} <= set(fields.get_all("Provides-Extra", []))


def test_it_is_the_installed_package_that_runs(installed: Path, tmp_path: Path) -> None:
    code = "import understudy, understudy.share_root as s; print(understudy.__file__); print(s.share_root())"
    package, share = _run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert Path(package) == installed / "understudy" / "__init__.py"
    assert Path(share) == installed / "understudy" / "_share"


def test_help_and_the_console_script(installed: Path, tmp_path: Path) -> None:
    assert "Commands:" in _cli(installed, "--help", cwd=tmp_path)
    script = installed / "bin" / "understudy"
    assert _run(str(script), "--version", cwd=tmp_path, PYTHONPATH=str(installed)).startswith("understudy ")


def test_doctor_is_content(installed: Path, tmp_path: Path) -> None:
    assert _json(installed, "doctor", cwd=tmp_path)["problems"] == []


def test_every_shipped_pack_is_found(installed: Path, tmp_path: Path) -> None:
    answer = _json(installed, "packs", "list", cwd=tmp_path)
    models = installed / "understudy" / "_share" / "models"
    assert {"kind": "shipped", "folder": str(models)} in answer["search_path"]
    assert {pack["id"] for pack in answer["packs"]} == {path.parent.name for path in models.glob("*/pack.toml")}
    assert answer["failures"] == []


def test_an_installed_pack_works_on_a_picture(installed: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "in.exr")
    spec = oiio.ImageSpec(20, 10, 3, oiio.HALF)
    output = oiio.ImageOutput.create(path)
    assert output.open(path, spec)
    assert output.write_image(np.full((10, 20, 3), 0.18, np.float32))
    assert output.close()
    _cli(installed, "upscale", "in.exr", "out.exr", "--colorspace", "ACEScg", cwd=tmp_path)
    result = oiio.ImageInput.open(str(tmp_path / "out.exr"))
    assert (result.spec().width, result.spec().height) == (40, 20)
    result.close()


def test_the_shipped_bridge_runs_the_installed_command(installed: Path, tmp_path: Path) -> None:
    command = tmp_path / "understudy"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{installed}" exec "{sys.executable}" -m understudy "$@"\n')
    command.chmod(0o755)
    bridge = installed / "understudy" / "_share" / "host_bridge" / "python"
    code = f"import sys; sys.path.insert(0, {str(bridge)!r}); import understudy_bridge as b; print(b.run(['doctor']))"
    told = _run(sys.executable, "-S", "-E", "-c", code, cwd=tmp_path, UNDERSTUDY_EXECUTABLE=str(command))
    assert "'problems': []" in told


def test_an_editable_install_reads_the_checkout(checkout: Path, tmp_path: Path) -> None:
    """Live files: paths to ``src`` and ``training``, and no copy of the folders that hosts read."""
    code = f"import hatchling.build; hatchling.build.build_editable({str(tmp_path)!r})"
    _run(sys.executable, "-c", code, cwd=checkout)
    (path,) = tmp_path.glob("*.whl")
    archive = zipfile.ZipFile(path)
    (link,) = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert link.endswith(".pth")
    assert archive.read(link).decode().split() == [str(checkout / "src"), str(checkout / "training")]
