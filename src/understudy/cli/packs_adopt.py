# SPDX-License-Identifier: Apache-2.0
"""``understudy packs add FILE``: a pack made of a model that somebody brought, and what is left to do for it."""

import json as json_module
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from understudy.contracts.errors import PackError

if TYPE_CHECKING:
    from understudy.conformance import ConformanceReport

_EXPECTED = frozenset({"rights"})  # nobody knows license and training basis yet
_FATAL = frozenset({"manifest", "hashes", "loads"})
_NOT_CONFORMING = 6


def add_model(path: Path, target: Path, *, role: str, pack_id: str, trust_code: bool, json: bool) -> None:
    """Makes, checks and installs a pack of a model file.

    Args:
        path: The file.
        target: The folder that packs go to.
        role: Its role; empty finds it out.
        pack_id: Its id; empty makes one of the file's name.
        trust_code: The caller trusts code in the file.
        json: Print one JSON object.

    Raises:
        UnderstudyError: The file can't become a pack; nothing was added.
    """
    from understudy.conformance import check_pack
    from understudy.interop.adopt import adopt
    from understudy.packs import discover, install_pack, open_pack, user_pack_folders

    with tempfile.TemporaryDirectory(prefix="understudy-adding-") as made:
        folder = Path(made) / "pack"
        folder.mkdir()
        adopted = adopt(path, folder, role=role, pack_id=pack_id, trust_code=trust_code)
        report = check_pack(folder)
        if fatal := [result for result in report.failures if result.name in _FATAL]:
            problem = f"made a pack that does not play: {fatal[0].found}"
            raise PackError(problem, where=path.as_posix(), fix=fatal[0].fix)
        found = discover((target,) if target.is_dir() else ())
        pack = install_pack(open_pack(folder), target, found)
    open_points = [result for result in report.failures if result.name not in _EXPECTED]
    info = pack.info()
    facts = {
        "event": "added",
        "pack": str(pack.pin),
        "folder": str(pack.folder),
        "on_search_path": target.absolute() in user_pack_folders(),
        "role": pack.role.value,
        "found": list(adopted.draft.found),
        "open": list(adopted.draft.open),
        "badge": info.badge,
        "badge_reasons": list(info.badge_reasons),
        "failures": [{"check": result.name, "found": result.found, "fix": result.fix} for result in report.failures],
    }
    typer.echo(json_module.dumps(facts)) if json else _tell(facts, report)
    if open_points:
        raise typer.Exit(_NOT_CONFORMING)


def _tell(facts: dict[str, Any], report: "ConformanceReport") -> None:
    typer.echo(f"added {facts['pack']} in {facts['folder']}, role {facts['role']}")
    for sentence in (*facts["found"], *facts["open"]):
        typer.echo(f"  {sentence}")
    passed = len(report.results) - len(report.failures)
    typer.echo(f"{passed} of {len(report.results)} checks pass or do not apply")
    for failure in facts["failures"]:
        typer.echo(f"  {failure['check']}: {failure['found']}; {failure['fix']}")
    typer.echo(f"badge {facts['badge']}: {'; '.join(facts['badge_reasons'])}")
    folder = facts["folder"]
    typer.echo("Next:")
    typer.echo(f"  edit {folder}/pack.toml: license, training basis, and what else is wrong; README.md tells people")
    typer.echo(f"  understudy packs pin {folder} && understudy packs bom {folder} && understudy packs check {folder}")
    if not facts["on_search_path"]:
        typer.echo(f"  put {Path(folder).parent} on UNDERSTUDY_PACK_PATH to have it found")
