# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the extension's zip: ``python host_bridge/blender/build.py OUT_FOLDER``. Standard library only.

The extension carries a copy of ``understudy_bridge``, which lies beside it in the checkout and in the wheel. Blender
wants no module of an extension under a global name, so that imports of it are made relative in the copy.
"""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_BRIDGE = "understudy_bridge"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # so that the same files make the same zip


def stage(folder: Path) -> Path:
    """Puts the extension's files together, ready for Blender's own ``extension build``.

    Args:
        folder: Gets a new folder ``understudy``.

    Returns:
        That folder.
    """
    target = folder / "understudy"
    skip = shutil.ignore_patterns("__pycache__", "py.typed", "publishing.py")
    shutil.copytree(_HERE / "understudy", target, ignore=skip)
    shutil.copytree(_HERE.parent / "python" / _BRIDGE, target / _BRIDGE, ignore=skip)
    for file in target.rglob("*.py"):
        here = "" if file.parent.name == _BRIDGE else _BRIDGE
        text = re.sub(rf"^(\s*)from {_BRIDGE}\.(\w+) import", rf"\1from .{here + '.' if here else ''}\2 import",
                      file.read_text(encoding="utf-8"), flags=re.MULTILINE)  # fmt: skip
        text = re.sub(rf"^(\s*)from {_BRIDGE} import", rf"\1from .{here} import", text, flags=re.MULTILINE)
        file.write_text(text, encoding="utf-8")
    return target


def build(folder: Path) -> Path:
    """Writes ``understudy-<version>.zip``, which Blender installs from disk.

    Args:
        folder: Where to.

    Returns:
        The file.
    """
    manifest = (_HERE / "understudy" / "blender_manifest.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', manifest, re.MULTILINE)
    assert version
    folder.mkdir(parents=True, exist_ok=True)
    staging = folder / "staging"
    files = stage(staging)
    archive = folder / f"understudy-{version[1]}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(each for each in files.rglob("*") if each.is_file()):
            target.writestr(zipfile.ZipInfo(file.relative_to(files).as_posix(), _EPOCH), file.read_bytes())
    shutil.rmtree(staging)
    return archive


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))  # noqa: T201
