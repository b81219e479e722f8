# SPDX-License-Identifier: Apache-2.0
"""A pack whose answer anyone can work out: an upscaler at scale 1 that multiplies color by what its version says."""

import hashlib
import os
from pathlib import Path

PACK_ID = "soak-gain"

_ADAPTER = '''# SPDX-License-Identifier: Apache-2.0
"""Multiplies by {gain}."""

import time

import numpy as np


class Gain:
    def run(self, tensors, call, /):
        time.sleep(call.options["wait_ms"] / 1000)
        region = call.region
        rows = slice(region.y - region.in_y, region.y - region.in_y + region.height)
        columns = slice(region.x - region.in_x, region.x - region.in_x + region.width)
        return {{"image": tensors["image"][rows, columns] * np.float32({gain})}}

    def close(self):
        pass


def load(folder):
    return Gain()
'''

_MANIFEST = """# SPDX-License-Identifier: Apache-2.0
schema = "understudy.pack/1"
id = "{id}"
version = "{version}"
role = "upscale"
title = "Gain"
description = "Multiplies color by {gain}; whole numbers stay whole."

[runtime]
kind = "python"
file = "adapter.py"
sha256 = "{sha256}"

[contract]
channels = 0
encoding = "plate"
scales = [1]
radius = 0

[options.wait_ms]
type = "float"
default = 0.0
minimum = 0.0
maximum = 1000.0
unit = "ms"
help = "Time that each tile takes beside the work."

[license]
declared = "Apache-2.0"
concluded = "Apache-2.0"

[training]
basis = "none"
evidence = "not-applicable"
"""


def gain_of(version: str) -> int:
    """What a version multiplies by: 2 to 8."""
    return 2 + int(version.rpartition(".")[2]) % 7


def write_pack(folder: Path, serial: int) -> str:
    """Writes the pack, or writes over another version of it, file by file, each at once.

    Args:
        folder: Where it lies.
        serial: The last part of its version.

    Returns:
        The version.
    """
    version = f"1.0.{serial}"
    adapter = _ADAPTER.format(gain=gain_of(version)) + f"# {version}\n"
    sha256 = hashlib.sha256(adapter.encode()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "adapter.py", adapter)
    _replace(folder / "pack.toml", _MANIFEST.format(id=PACK_ID, version=version, gain=gain_of(version), sha256=sha256))
    (folder / "README.md").write_text("# Gain\n", encoding="utf-8")
    return version


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
