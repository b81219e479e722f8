# SPDX-License-Identifier: Apache-2.0
"""``understudy packs export``: a pack written for a host's own inference node."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.interop.export import Host
    from understudy.packs import Pack

_HOSTS = ("flame", "torchscript")
_NEXT = {
    "flame": "load the .onnx in Flame's Inference node; the .json beside it tells Flame the rest",
    "torchscript": "open the .nk in Nuke, execute CatFileCreator, and point an Inference node at the .cat it writes",
}


def export_to_host(pack: str, out: Path, *, to: str, scale: int, colorspace: str, json: bool) -> None:
    """Writes a pack for a host and says what to do with it.

    Args:
        pack: A pin, or a pack's folder.
        out: The file.
        to: The host.
        scale: Which of several factors; 0 where there is one.
        colorspace: The host's working space; empty for the config's ``scene_linear``.
        json: Print one JSON object.

    Raises:
        UnderstudyError: It can't be exported; nothing was written.
    """
    from understudy.interop.export import export_pack

    if to not in _HOSTS:
        fix = "choose flame or torchscript"
        raise UsageError(f'"{to}" is no host that packs are written for', where="--to", fix=fix)
    found = _found(pack)
    done = export_pack(found, cast("Host", to), out, scale=scale, colorspace=colorspace)
    rights = found.info()
    if json:
        facts = {
            "event": "exported",
            "pack": str(found.pin),
            "to": to,
            "files": [str(file) for file in done.files],
            "scale": done.scale,
            "difference": done.difference,
            "half_difference": done.half_difference,
            "torch": done.torch,
            "license": found.manifest.license.concluded,
            "badge": rights.badge,
        }
        typer.echo(json_module.dumps(facts))
        return
    files = " and ".join(str(file) for file in done.files)
    typer.echo(f"wrote {files}: {found.pin}, {done.scale}x, by torch {done.torch}")
    half = "" if done.half_difference is None else f"; as half floats by {done.half_difference:.2g} at most"
    typer.echo(f"differs from the engine by {done.difference:.2g} at most{half}")
    typer.echo(f"badge {rights.badge}: {'; '.join(rights.badge_reasons)}; it does not travel with the file")
    typer.echo(f"Next: {_NEXT[to]}")


def _found(text: str) -> "Pack":
    from understudy.packs import discover, open_pack
    from understudy.packs.pins import parse_pin

    if (Path(text) / "pack.toml").is_file():
        return open_pack(Path(text))
    return discover().registry.find(parse_pin(text))
