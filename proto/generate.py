# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script, read by path
"""Writes ``src/understudy/wire`` from the ``.proto`` files beside this script.

Run it with the oldest grpcio-tools whose output every protobuf we allow can load (generated code must never be newer
than the protobuf at run time)::

    python -m venv /tmp/generate && /tmp/generate/bin/pip install "grpcio-tools==1.73.*"
    /tmp/generate/bin/python proto/generate.py

Only messages are generated: the service's methods move raw bytes and are declared by hand in ``understudy.service`` and
``understudy.client``, so there is no generated service code to keep in step with grpcio.
"""

import importlib.resources
import sys
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
WIRE = HERE.parent / "src" / "understudy" / "wire"
LICENSE = "# SPDX-License-Identifier: Apache-2.0\n"


def main() -> int:
    """Compiles every ``.proto`` and mends what the compiler can't know: the package it is written into."""
    sources = sorted(HERE.rglob("*.proto"))
    standard = importlib.resources.files("grpc_tools") / "_proto"
    arguments = [f"--proto_path={HERE}", f"--proto_path={standard}", f"--python_out={WIRE}", f"--pyi_out={WIRE}"]
    code = int(protoc.main(["protoc", *arguments, *map(str, sources)]))
    if code:
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


if __name__ == "__main__":
    sys.exit(main())
