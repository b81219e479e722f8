# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script, read by path
"""Writes generated code from the ``.proto`` files beside this script.

- ``understudy/``: messages, into ``src/understudy/wire``.
- ``inference/``: a descriptor and the types of its messages, into ``src/understudy/inference_protocol``. It is somebody
  else's package, which a program may hold twice, so nothing of it may register in protobuf's default pool.

Run it with the oldest grpcio-tools whose output every protobuf we allow can load (generated code must never be newer
than the protobuf at run time)::

    python -m venv /tmp/generate && /tmp/generate/bin/pip install "grpcio-tools==1.73.*"
    /tmp/generate/bin/python proto/generate.py

Only messages are generated: the service's methods move raw bytes and are declared by hand in ``understudy.service`` and
``understudy.client``, so there is no generated service code to keep in step with grpcio.
"""

import importlib.resources
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "src" / "understudy"
WIRE = PACKAGE / "wire"
INFERENCE = PACKAGE / "inference_protocol"
LICENSE = "# SPDX-License-Identifier: Apache-2.0\n"


def main() -> int:
    """Compiles every ``.proto`` and mends what the compiler can't know: the package it is written into."""
    return _wire() or _inference()


def _wire() -> int:
    sources = sorted((HERE / "understudy").rglob("*.proto"))
    if code := _compile(sources, f"--python_out={WIRE}", f"--pyi_out={WIRE}"):
        return code
    for source in sources:
        module = WIRE / source.relative_to(HERE).with_suffix("")
        dotted = ".".join(source.relative_to(HERE).with_suffix("").parts)
        for path in (module.with_name(f"{module.name}_pb2.py"), module.with_name(f"{module.name}_pb2.pyi")):
            text = path.read_text().replace(f"'{dotted}_pb2'", f"'understudy.wire.{dotted}_pb2'")
            path.write_text(LICENSE + text)
        for folder in module.parents:
            if folder == WIRE:
                break
            (folder / "__init__.py").write_text(LICENSE + '"""Generated code; see ``proto/generate.py``."""\n')
    return 0


def _inference() -> int:
    source = HERE / "inference" / "inference.proto"
    with tempfile.TemporaryDirectory() as folder:
        descriptor = f"--descriptor_set_out={INFERENCE / 'descriptor.binpb'}"
        if code := _compile([source], descriptor, f"--pyi_out={folder}"):
            return code
        types = Path(folder) / "inference" / "inference_pb2.pyi"
        (INFERENCE / "messages.pyi").write_text(LICENSE + types.read_text())
    return 0


def _compile(sources: list[Path], *arguments: str) -> int:
    standard = importlib.resources.files("grpc_tools") / "_proto"
    paths = [f"--proto_path={HERE}", f"--proto_path={standard}"]
    return int(protoc.main(["protoc", *paths, *arguments, *map(str, sources)]))


if __name__ == "__main__":
    sys.exit(main())
