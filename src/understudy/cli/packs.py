# SPDX-License-Identifier: Apache-2.0
"""``understudy packs``: list, show, check, pin and add model packs."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from understudy.cli import options as o
from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.cli.console import Printer
    from understudy.conformance import ConformanceReport
    from understudy.contracts.engine import EngineInfo, PackInfo

_NOT_CONFORMING = 6
_MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "-"}

packs_app = typer.Typer(help="List, show, check, pin and add model packs.", no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The pack's folder, which holds pack.toml.")]


@packs_app.command("list")
def list_packs(server: o.Server = "", json: o.Json = False) -> None:
    """List where packs are looked for, the packs found there, and what failed to load."""
    info = _info(server)
    if json:
        typer.echo(
            json_module.dumps(
                {
                    "event": "packs",
                    "search_path": [{"kind": kind, "folder": folder} for kind, folder in info.search_path],
                    "packs": [_row(pack) for pack in info.packs],
                    "failures": [
                        {"path": failure.path, "problem": failure.problem, "fix": failure.fix}
                        for failure in info.failures
                    ],
                }
            )
        )
        return
    console = _console()
    console.print("Packs are looked for here, the first one wins:")
    for kind, folder in info.search_path:
        console.print(f"  {kind:<12} {folder}", markup=False)
    console.print(_table(info))
    for failure in info.failures:
        fix = f"; {failure.fix}" if failure.fix else ""
        console.print(f"failed: {failure.path}: {failure.problem}{fix}", markup=False)


@packs_app.command("show")
def show(pack: Annotated[str, typer.Argument(metavar="PACK", help="id, id@version or id@version#digest.")],
         server: o.Server = "", json: o.Json = False) -> None:  # fmt: skip
    """Show what a pack promises: its contract, options, license and training basis."""
    from understudy.packs.pins import choose_pack, parse_pin

    found = choose_pack(_info(server).packs, parse_pin(pack))
    if json:
        typer.echo(json_module.dumps({"event": "pack", **_row(found), "manifest": found.manifest}))
        return
    console = _console()
    console.print(f"{found.title}  {found.pin.id}@{found.pin.version}#{found.pin.sha256}", markup=False)
    console.print(found.description, markup=False)
    console.print(f"source: {found.source}", markup=False)
    for name, value in found.manifest.items():
        if name not in {"schema", "id", "version", "title", "description"} and value not in ("", {}, [], None):
            _print_value(console, name, value, 0)


@packs_app.command("check")
def check(folder: Folder, json: o.Json = False) -> None:
    """Run the conformance suite on a pack; exit 6 when a check fails."""
    report = _checked(folder)
    if json:
        typer.echo(json_module.dumps({"event": "conformance", **report.as_json()}))
    else:
        _print_report(report)
    if not report.passed:
        raise typer.Exit(_NOT_CONFORMING)


@packs_app.command("pin")
def pin(folder: Folder, json: o.Json = False) -> None:
    """Write the SHA-256 of a pack's files into its pack.toml, comments and layout left alone."""
    from understudy.packs import open_pack, write_hashes

    changed = write_hashes(_existing(folder))
    pinned = open_pack(folder).pin
    if json:
        typer.echo(
            json_module.dumps(
                {"event": "pinned", "pack": str(pinned), "sha256": pinned.sha256, "changed": list(changed)}
            )
        )
        return
    typer.echo(f"new hashes: {', '.join(changed)}" if changed else "every hash was right already")
    typer.echo(f"{pinned.id}@{pinned.version}#{pinned.sha256}")


@packs_app.command("add")
def add(
    folder: Folder,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FOLDER", help="Where to; the first folder of $UNDERSTUDY_PACK_PATH when left out."
        ),
    ] = None,
    json: o.Json = False,
) -> None:
    """Check a pack and copy it to where packs are looked for."""
    from understudy.packs import discover, install_pack, open_pack, user_pack_folders

    folders = user_pack_folders()
    target = to or (folders[0] if folders else None)
    if target is None:
        fix = "give --to FOLDER, or set UNDERSTUDY_PACK_PATH"
        raise UsageError("there is no folder of your own packs", where="$UNDERSTUDY_PACK_PATH", fix=fix)
    found = discover((target,) if target.is_dir() else ())
    report = _checked(folder)
    if not report.passed:
        if json:
            typer.echo(json_module.dumps({"event": "conformance", **report.as_json()}))
        else:
            _print_report(report)
        raise typer.Exit(_NOT_CONFORMING)
    added = install_pack(open_pack(folder), target, found)
    known = target.absolute() in folders
    if json:
        event = {"event": "added", "pack": str(added.pin), "folder": str(added.folder), "on_search_path": known}
        typer.echo(json_module.dumps(event))
        return
    typer.echo(f"added {added.pin} in {added.folder}")
    if not known:
        typer.echo(f"put {target.absolute()} on UNDERSTUDY_PACK_PATH to have it found")


def _info(server: str) -> "EngineInfo":
    """What a server says of its packs; or this machine's, with their files compared with their hashes."""
    if server:
        from understudy.cli.job import open_engine

        with open_engine(server, "") as engine:
            return engine.info()
    from understudy.packs.inventory import local_inventory

    return local_inventory()


def _existing(folder: Path) -> Path:
    from understudy.contracts.errors import PackNotFoundError

    if not folder.is_dir():
        raise PackNotFoundError(
            "there is no such folder", where=str(folder), fix="give the folder that holds pack.toml"
        )
    return folder


def _checked(folder: Path) -> "ConformanceReport":
    from understudy.conformance import check_pack

    return check_pack(_existing(folder))


def _row(pack: "PackInfo") -> dict[str, Any]:
    return {
        "id": pack.pin.id,
        "version": pack.pin.version,
        "sha256": pack.pin.sha256,
        "role": pack.role,
        "title": pack.title,
        "draft": pack.draft,
        "source": pack.source,
        "license": pack.manifest["license"]["concluded"],
        "training": pack.manifest["training"]["basis"],
    }


def _console() -> "Printer":
    import sys

    from understudy.cli.console import Printer

    # A pipe has no width; 160 columns keep a table's rows whole there.
    return Printer(highlight=False, width=None if sys.stdout.isatty() else 160, soft_wrap=False)


def _table(info: "EngineInfo") -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for heading in ("role", "pack", "version", "digest", "title", "license", "training", "source"):
        table.add_column(heading, overflow="fold")
    for pack in info.packs:
        row = _row(pack)
        kind = row["source"].replace(":", " ", 1).split(" ")[0]
        table.add_row(row["role"], row["id"], row["version"], row["sha256"][:12], row["title"], row["license"],
                      row["training"], kind)  # fmt: skip
    return table


def _print_report(report: "ConformanceReport") -> None:
    console = _console()
    console.print(f"{report.pin or report.folder}", markup=False)
    for result in report.results:
        console.print(f"  {_MARKS[result.status]:<7}{result.name:<14}{result.found}", markup=False)
        if result.fix:
            console.print(f"  {'':<21}fix: {result.fix}", markup=False)
    failed = len(report.failures)
    console.print("conforms" if not failed else f"{failed} of {len(report.results)} checks failed", markup=False)


def _print_value(console: "Printer", name: str, value: Any, depth: int) -> None:
    indent = "  " * depth
    if isinstance(value, dict):
        console.print(f"{indent}{name}:", markup=False)
        for key, inner in value.items():
            if inner not in ("", {}, [], None):
                _print_value(console, key, inner, depth + 1)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            _print_value(console, f"{name}[{number}]", inner, depth)
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        console.print(f"{indent}{name}: {text}", markup=False)
