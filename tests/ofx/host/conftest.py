# SPDX-License-Identifier: Apache-2.0
"""Builds the test effects with gcc, and loads them."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from understudy.ofx_host import Effect, Host, PluginFile, find_plugins

_SOURCES = Path(__file__).parent / "plugin"


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with our own small effects."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("needs Linux on x86-64")
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs gcc")
    bundle = tmp_path_factory.mktemp("plugins") / "test.ofx.bundle"
    binary = bundle / "Contents" / "Linux-x86-64" / "test.ofx"
    binary.parent.mkdir(parents=True)
    command = [compiler, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden", "-shared"]
    sources = [str(path) for path in sorted(_SOURCES.glob("*.c"))]
    done = subprocess.run([*command, *sources, "-o", str(binary), "-lm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return bundle


@pytest.fixture(scope="session")
def plugins(bundle_folder: Path) -> dict[str, PluginFile]:
    """The test effects by their short names."""
    return {plugin.identifier.rpartition(".")[2]: plugin for plugin in find_plugins([bundle_folder])}


@pytest.fixture
def load(plugins: dict[str, PluginFile]) -> Iterator[Callable[..., Effect]]:
    """Loads a test effect by its short name, in a host of its own or the given one; unloads it at the end."""
    loaded: list[Effect] = []

    def load_one(name: str, host: Host | None = None) -> Effect:
        effect = (host or Host()).load(plugins[name])
        loaded.append(effect)
        return effect

    yield load_one
    for effect in reversed(loaded):
        effect.unload()
