# SPDX-License-Identifier: Apache-2.0
"""``understudy serve`` as a process of its own with TLS, tokens and open folders, used by the real command line."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from typer.testing import CliRunner

from contract.service.certificates import Authority
from e2e.test_serve import Process, started
from understudy.cli.main import app
from understudy.contracts.plate import blank_plate
from understudy.frames.write import write_plate

pytestmark = pytest.mark.e2e


def run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "understudy", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def token_for(folder: Path, name: str, role: str) -> str:
    made = CliRunner().invoke(app, ["tokens", "add", name, "--role", role, "--file", str(folder / "access.toml")])
    assert made.exit_code == 0
    return made.stdout.strip()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio")
    for name in ("shot", "out", "local"):
        (folder / name).mkdir()
    rng = np.random.default_rng(5)
    for frame in (1001, 1002):
        pixels = rng.uniform(-0.1, 20.0, (24, 32, 3)).astype(np.float32)
        plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg", sample_type="half", frame=frame)
        write_plate(plate, folder / "shot" / f"plate.{frame}.exr")
    authority = Authority(folder, "studio")
    pair = authority.issue("gpu-box", hosts=("127.0.0.1",))
    (folder / "service.toml").write_text(
        f"""\
schema = "understudy.service/1"

[listen]
addresses = ["127.0.0.1:0"]

[tls]
certificate = "{pair.certificate.name}"
key = "{pair.key.name}"

[access]
file = "access.toml"

[files]
read = ["shot"]
write = ["out"]
"""
    )
    return folder


@pytest.fixture(scope="module")
def tokens(studio: Path) -> dict[str, str]:
    return {role: token_for(studio, role, role) for role in ("render", "admin")}


@pytest.fixture(scope="module")
def process(studio: Path, tokens: dict[str, str]) -> Iterator[Process]:
    assert tokens
    with started("--config", str(studio / "service.toml")) as running:
        yield running


def secrets_of(studio: Path, token: str) -> dict[str, str]:
    return {"UNDERSTUDY_TLS_CA": str(studio / "studio.ca.pem"), "UNDERSTUDY_TOKEN": token}


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.exr"))}


def test_every_transport_gives_the_bytes_of_a_local_render(
    process: Process, studio: Path, tokens: dict[str, str]
) -> None:
    command = ["upscale", "shot/plate.%04d.exr", "local/up.%04d.exr", "--pack", "lanczos", "--json"]
    done = run(studio, *command)
    assert done.returncode == 0, done.stderr
    want = bytes_of(studio / "local")
    assert len(want) == 2
    command[2] = "out/up.%04d.exr"
    for transport in ("files", "stream"):
        remote = ("--server", process.address, "--transport", transport)
        done = run(studio, *command, *remote, **secrets_of(studio, tokens["render"]))
        assert done.returncode == 0, done.stderr
        events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
        assert events[-1]["event"] == "done"
        assert bytes_of(studio / "out") == want
        shutil.rmtree(studio / "out")
        (studio / "out").mkdir()
    assert sorted(bytes_of(studio / "shot")) == ["plate.1001.exr", "plate.1002.exr"]


def test_strangers_are_told_so_and_leave_no_trace(process: Process, studio: Path) -> None:
    command = ("upscale", "shot/plate.%04d.exr", "out/up.%04d.exr", "--server", process.address)
    for environment, sentence in (
        (secrets_of(studio, "ust_wrong"), "does not know who calls; set UNDERSTUDY_TOKEN"),
        ({}, "the service closed the connection at once; it may want TLS"),
    ):
        done = run(studio, *command, **environment)
        assert done.returncode == 77, done.stderr
        assert sentence in done.stderr
    assert list((studio / "out").iterdir()) == []


def test_the_other_protocol_has_the_same_door(process: Process, studio: Path, tokens: dict[str, str]) -> None:
    authority = grpc.ssl_channel_credentials((studio / "studio.ca.pem").read_bytes())
    with grpc.secure_channel(process.address, authority) as channel:
        for method in ("ServerLive", "ModelInfer", "SystemSharedMemoryRegister", "RepositoryModelLoad"):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(f"/inference.GRPCInferenceService/{method}")(b"", timeout=20)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, method
        live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        assert live(b"", timeout=20, metadata=(("authorization", f"Bearer {tokens['render']}"),)) == b"\x08\x01"


def test_folders_that_are_not_open_are_refused(process: Process, studio: Path, tokens: dict[str, str]) -> None:
    command = ("upscale", "shot/plate.%04d.exr", "local/no.%04d.exr", "--server", process.address)
    done = run(studio, *command, "--transport", "files", **secrets_of(studio, tokens["admin"]))
    assert done.returncode == 2
    assert f"does not see the files here as this machine does: {studio}/local" in done.stderr
    assert sorted(path.name for path in (studio / "local").glob("no*")) == []


def test_a_revoked_token_ends_at_once(process: Process, studio: Path) -> None:
    token = token_for(studio, "leaver", "render")
    command = ("packs", "list", "--server", process.address)
    assert run(studio, *command, **secrets_of(studio, token)).returncode == 0
    assert run(studio, "tokens", "revoke", "leaver", "--file", "access.toml").returncode == 0
    assert run(studio, *command, **secrets_of(studio, token)).returncode == 77
