# SPDX-License-Identifier: Apache-2.0
"""Builds the plug-in once, and runs a service for it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ofx.rig import Service, serving, slow_pack
from understudy.client.engine import RemoteEngine
from understudy.ofx_host import Effect, Host, find_plugins

SOURCES = Path(__file__).resolve().parents[2] / "host_bridge" / "ofx"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNDERSTUDY_SERVER", "UNDERSTUDY_TOKEN", "UNDERSTUDY_OFX_TRANSPORT"):
        monkeypatch.delenv(name, raising=False)


def built(folder: Path, *options: str, target: str = "all") -> Path:
    """A build of the plug-in; skips where there is nothing to build with."""
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} to build the OpenFX plug-in")
    configured = subprocess.run(["cmake", "-S", SOURCES, "-B", folder, *options], capture_output=True, text=True)
    if configured.returncode and "NGHTTP2" in configured.stderr:
        pytest.skip("needs libnghttp2-dev to build the OpenFX plug-in")
    assert configured.returncode == 0, configured.stderr
    done = subprocess.run(
        ["cmake", "--build", folder, "--target", target, "--parallel", str(os.cpu_count() or 1)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning:" not in done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a release build."""
    return built(tmp_path_factory.mktemp("ofx-build"))


@pytest.fixture(scope="session")
def bundle(build: Path) -> Path:
    """``Understudy.ofx.bundle``."""
    return build / "Understudy.ofx.bundle"


@pytest.fixture(scope="session")
def binary(bundle: Path) -> Path:
    """The plug-in itself."""
    return bundle / "Contents" / "Linux-x86-64" / "Understudy.ofx"


@pytest.fixture(scope="session")
def sanitized_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build with AddressSanitizer and UndefinedBehaviorSanitizer."""
    options = ("-DUNDERSTUDY_SANITIZE=ON", "-DUNDERSTUDY_DRIVERS=ON")
    return built(tmp_path_factory.mktemp("ofx-sanitized"), *options)


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a slow pack; its file ``calls`` has a byte for each tile that was begun."""
    folder = tmp_path_factory.mktemp("ofx-packs")
    slow_pack(folder)
    return folder


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Service]:
    """A service for all tests."""
    with serving(tmp_path_factory.mktemp("ofx-service"), "--packs", str(packs)) as running:
        yield running


@pytest.fixture(scope="session")
def engine(service: Service) -> Iterator[RemoteEngine]:
    """The same service, asked by our own client."""
    client = RemoteEngine(service.address)
    yield client
    client.close()


@pytest.fixture
def load(binary: Path) -> Iterator[Callable[..., Effect]]:
    """Loads a node by its short name, in a host of its own or the given one; unloads it at the end."""
    loaded: list[Effect] = []

    def load_one(name: str, host: Host | None = None) -> Effect:
        files = {plugin.identifier.rpartition(".")[2]: plugin for plugin in find_plugins([binary])}
        effect = (host or Host()).load(files[name])
        loaded.append(effect)
        return effect

    yield load_one
    for effect in reversed(loaded):
        effect.unload()
