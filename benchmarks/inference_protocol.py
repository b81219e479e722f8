# SPDX-License-Identifier: Apache-2.0
"""A 4K RGBA half frame through an identity model by unmodified tritonclient: inline, by shared memory, in place.

    python benchmarks/inference_protocol.py [--pytriton PYTHON] [--turns 15] [--out bench_out]

Everything takes turns in one run, so that a busy machine slows all of it: one memcpy of the frame, Understudy, and
nvidia-pytriton where a Python that has it is named. The same client process asks both servers.

=============  =======================================================================================================
memcpy         ``np.copyto`` of the frame into memory that was touched before
gRPC alone     as many bytes as one message there and back, by gRPC for Python with nothing around it
inline         set the input from an array, infer, read the output as an array
shared memory  copy the frame into the input region, infer, copy the output region into an array
in place       infer alone: the client works in its regions
=============  =======================================================================================================

pytriton needs Debian's own Python (``/usr/bin/python3.11 -m venv``) and NumPy below 2::

    pip --python ENV/bin/python install "nvidia-pytriton==0.7.*" "numpy<2"
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent
_WIDTH, _HEIGHT, _CHANNELS = 3840, 2160, 4
_TOKEN = "bench"
_LIMIT_S = 120.0

_MANIFEST = """\
schema = "understudy.pack/1"
id = "bench-identity-half"
version = "1.0.0"
role = "upscale"
title = "Identity, half"
description = "Returns its input; for the benchmark."

[runtime]
kind = "onnx"
file = "model.onnx"

[contract]
channels = 0
encoding = "plate"
scales = [1]
radius = 0
precisions = ["float16"]

[license]
declared = "Apache-2.0"
concluded = "Apache-2.0"

[training]
basis = "none"
evidence = "not-applicable"
"""


def main() -> int:
    """Runs both servers, has one client measure them in turns, prints a table and writes it as JSON."""
    options = _options()
    client = options.client or _client_python()
    servers: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        servers["understudy"] = {
            "address": running.enter_context(_understudy(Path(scratch))),
            "model": "bench-identity-half",
        }
        if options.pytriton:
            address = running.enter_context(_pytriton(options.pytriton, Path(scratch)))
            servers["pytriton"] = {"address": address, "model": "identity", "token": _TOKEN}
        bare = running.enter_context(_bare())
        task = {"servers": servers, "bare": bare, "shape": [1, _CHANNELS, _HEIGHT, _WIDTH], "turns": options.turns}
        command = [str(client), str(_HERE / "inference_protocol_client.py"), json.dumps(task)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        if options.client_allocator:
            environment |= {
                "MALLOC_MMAP_MAX_": "0",
                "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
                "MALLOC_TOP_PAD_": str(1 << 28),
            }
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise SystemExit(f"the client failed:\n{done.stderr}")
        measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    report = {
        "schema": "understudy.bench-inference/1",
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        },
        "frame": {"width": _WIDTH, "height": _HEIGHT, "channels": _CHANNELS, "type": "half"},
        "client_allocator": options.client_allocator,
        **measured,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "inference_protocol.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="4K through an identity model by tritonclient.")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--client", type=Path, help="a Python that has tritonclient; made when left out")
    parser.add_argument("--pytriton", type=Path, help="a Python that has nvidia-pytriton; left out of the run without")
    parser.add_argument("--client-allocator", action="store_true", help="set the client's allocator, too (for inline)")
    parser.add_argument("--out", type=Path, default=Path("bench_out"))
    return parser.parse_args()


def _client_python() -> Path:
    done = subprocess.run(
        [sys.executable, str(_ROOT / "tests" / "e2e" / "triton" / "environment.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return Path(done.stdout.strip())


@contextmanager
def _understudy(scratch: Path) -> Iterator[str]:
    folder = scratch / "bench-identity-half"
    _write_pack(folder)
    command = [sys.executable, "-m", "understudy", "serve", "--port", "0", "--json", "--packs", str(folder)]
    with _server(command, scratch / "understudy.log", stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["address"]


@contextmanager
def _bare() -> Iterator[int]:
    command = [sys.executable, str(_HERE / "bare_grpc.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())


@contextmanager
def _pytriton(python: Path, scratch: Path) -> Iterator[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    libraries = next(python.resolve().parent.parent.glob("lib/python3*/site-packages/nvidia_pytriton.libs"), None)
    libraries = libraries or next(python.parent.parent.glob("lib/python3*/site-packages/nvidia_pytriton.libs"))
    environment["LD_LIBRARY_PATH"] = str(libraries)
    ready = scratch / "pytriton.ready"
    command = [str(python), str(_HERE / "inference_protocol_pytriton.py"), str(ready), _TOKEN]
    with _server(command, scratch / "pytriton.log", env=environment) as server:
        end = time.monotonic() + _LIMIT_S
        while not ready.exists():
            if server.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"pytriton did not start:\n{(scratch / 'pytriton.log').read_text()[-3000:]}")
            time.sleep(0.1)
        yield ready.read_text()


@contextmanager
def _server(command: list[str], log: Path, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    with log.open("w") as stream:
        options.setdefault("stdout", stream)
        process = subprocess.Popen(command, stderr=stream, text=True, **options)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _write_pack(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    from understudy.packs import write_hashes

    folder.mkdir()
    shape: list[int | str | None] = [1, "channels", "height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "pack.toml").write_text(_MANIFEST, encoding="utf-8")
    write_hashes(folder)


def _print(report: dict[str, Any]) -> None:
    memcpy = report["memcpy_ms"]
    print(f"\n{report['machine']['cores']} cores, load {report['machine']['load']:.1f}; memcpy {memcpy:.1f} ms")
    print(f"gRPC alone, inline: {report['grpc_ms']:.1f} ms, {report['grpc_ms'] / memcpy:.2f} memcpys\n")
    print(f"{'':<16} {'server':<12} {'ms':>8} {'least':>8} {'x memcpy':>9} {'x slower than Understudy':>25}")
    for way in ("inline", "shared memory", "in place", "control call"):
        ours = report["servers"]["understudy"][way]["ms"]
        for name, server in report["servers"].items():
            row = server[way]
            ratio = "" if name == "understudy" else f"{row['ms'] / ours:.2f}"
            least = row["least_ms"]
            print(f"{way:<16} {name:<12} {row['ms']:>8.2f} {least:>8.2f} {row['ms'] / memcpy:>9.2f} {ratio:>25}")


if __name__ == "__main__":
    sys.exit(main())
