# SPDX-License-Identifier: Apache-2.0
"""Makes pack folders for tests."""

from pathlib import Path

from understudy.packs import open_pack, write_hashes
from understudy.packs.bom import BOM_NAME, bom_text, write_bom

ADAPTER = """\
import numpy as np


class Repeat:
    def run(self, tensors, call, /):
        image, region, scale = tensors["image"], call.region, int(call.scale)
        rows = np.arange(region.y, region.y + region.height) // scale - region.in_y
        columns = np.arange(region.x, region.x + region.width) // scale - region.in_x
        return {"image": image[np.ix_(rows, columns)]}

    def close(self):
        pass


def load(folder):
    return Repeat()
"""

MANIFEST = """\
# a comment that must survive
schema = "understudy.pack/1"
id = "mine"
version = "1.0.0"
role = "upscale"
title = "Mine"
description = "A pack for tests."

[runtime]
kind = "python"
file = "adapter.py"  # the code

[contract]
encoding = "acescct"
domain = [0.0, 1.0]
scales = [1, 2]
radius = 0

[options.strength]
type = "float"
default = 1.0
minimum = 0.0
maximum = 2.0
help = "How much."

[options.mode]
type = "choice"
default = "soft"
choices = ["soft", "sharp"]
help = "Which."

[license]
declared = "Apache-2.0"
concluded = "Apache-2.0"

[training]
basis = "none"
evidence = "not-applicable"
"""

CARD = "# Mine\n\n## Contract\n\n## Limits\n\n## License\n\n## Training basis\n"


def make_pack(
    folder: Path,
    *,
    edit: tuple[tuple[str, str], ...] = (),
    adapter: str = ADAPTER,
    pin: bool = True,
    card: bool = True,
    bom: bool = False,
) -> Path:
    """A working upscale pack, its manifest edited by (old, new) pairs, with a rights record where ``bom`` says so."""
    folder.mkdir(parents=True)
    text = MANIFEST
    for old, new in edit:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "pack.toml").write_text(text)
    (folder / "adapter.py").write_text(adapter)
    if card:
        (folder / "README.md").write_text(CARD)
    if pin:
        write_hashes(folder)
    if bom:
        write_record(folder)
    return folder


def write_record(folder: Path) -> None:
    """Writes a pack's rights record."""
    pack = open_pack(folder)
    write_bom(folder / BOM_NAME, bom_text(pack.manifest, folder, pack.digest))
