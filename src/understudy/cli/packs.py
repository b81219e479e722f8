# SPDX-License-Identifier: Apache-2.0
"""``understudy packs``: list, show, check, pin and add model packs, and write their rights records."""

import json as json_module
from dataclasses import replace
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
_OUT_OF_DATE = 6
_STYLES = {"green": "green", "amber": "yellow", "red": "bold red", "refused": "bold red"}
_MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "-"}

packs_app = typer.Typer(
    help="List, show, check, pin and add model packs; write their rights records.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The pack's folder, which holds pack.toml.")]


@packs_app.command("list")
def list_packs(server: o.Server = "", policy: o.Policy = "", json: o.Json = False) -> None:
    """List where packs are looked for, the packs found there with their badges, and what failed to load."""
    info = _info(server, policy)
    if json:
        typer.echo(
            json_module.dumps(
                {
                    "event": "packs",
                    "search_path": [{"kind": kind, "folder": folder} for kind, folder in info.search_path],
                    "policy": {"show": info.policy.show, "sha256": info.policy.sha256} if info.policy else None,
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
    if info.policy:
        console.print(f"by the policy of show {info.policy.show}", markup=False)
        for pack in info.packs:
            if pack.refused:
                console.print(f"refused: {pack.refused}", markup=False)
    for failure in info.failures:
        fix = f"; {failure.fix}" if failure.fix else ""
        console.print(f"failed: {failure.path}: {failure.problem}{fix}", markup=False)


@packs_app.command("show")
def show(pack: Annotated[str, typer.Argument(metavar="PACK", help="id, id@version or id@version#digest.")],
         server: o.Server = "", policy: o.Policy = "", json: o.Json = False) -> None:  # fmt: skip
    """Show what a pack promises: its contract, options, license and training basis, and the reasons of its badge."""
    from understudy.packs.pins import choose_pack, parse_pin

    found = choose_pack(_info(server, policy).packs, parse_pin(pack))
    if json:
        typer.echo(json_module.dumps({"event": "pack", **_row(found), "manifest": found.manifest}))
        return
    console = _console()
    console.print(f"{found.title}  {found.pin.id}@{found.pin.version}#{found.pin.sha256}", markup=False)
    console.print(found.description, markup=False)
    console.print(f"source: {found.source}", markup=False)
    console.print(f"badge: {found.badge or 'not told'}", style=_STYLES.get(found.badge), markup=False)
    for reason in found.badge_reasons:
        console.print(f"  {reason}", markup=False)
    if found.refused:
        console.print(f"refused: {found.refused}", style=_STYLES["refused"], markup=False)
    for name, value in found.manifest.items():
        if name not in {"schema", "id", "version", "title", "description"} and value not in ("", {}, [], None):
            _print_value(console, name, value, 0)


@packs_app.command("check")
def check(folder: Folder, policy: o.Policy = "", json: o.Json = False) -> None:
    """Run the conformance suite on a pack; exit 6 when a check fails, 7 when a show policy refuses the pack."""
    from understudy.packs.policy import find_policy

    rules = find_policy(policy)
    report = _checked(folder)
    if json:
        typer.echo(json_module.dumps({"event": "conformance", **report.as_json()}))
    else:
        _print_report(report)
    if not report.passed:
        raise typer.Exit(_NOT_CONFORMING)
    if rules is not None:
        from understudy.packs import open_pack

        rules.require(open_pack(folder).info())


@packs_app.command("bom")
def bom(
    folder: Folder,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 6 when the record is not up to date.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to; pack.cdx.json in the pack's folder when left out."),
    ] = None,
    json: o.Json = False,
) -> None:
    """Write a pack's rights record, a CycloneDX 1.6 ML-BOM, from its manifest, its card and its files."""
    from understudy.packs import open_pack
    from understudy.packs.bom import BOM_NAME, bom_text, serial_number, write_bom

    pack = open_pack(_existing(folder))
    pack.verify()
    text = bom_text(pack.manifest, pack.folder, pack.digest)
    path = out or pack.folder / BOM_NAME
    current = _holds(path, text)
    if not check and not current:
        write_bom(path, text)
    badge = open_pack(folder).info()
    facts = {
        "event": "bom",
        "pack": str(pack.pin),
        "sha256": pack.pin.sha256,
        "file": str(path),
        "serial": serial_number(pack.digest),
        "changed": not current,
        "badge": badge.badge,
        "badge_reasons": list(badge.badge_reasons),
    }
    if json:
        typer.echo(json_module.dumps(facts))
    elif check:
        typer.echo(f"{path} is {'up to date' if current else 'not up to date; run `understudy packs bom`'}")
    else:
        typer.echo(f"{path} {'was right already' if current else 'written'}; badge {badge.badge}")
        for reason in badge.badge_reasons:
            typer.echo(f"  {reason}")
    if check and not current:
        raise typer.Exit(_OUT_OF_DATE)


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
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A pack's folder; or a model: .onnx, TorchScript, weights as .safetensors or .pth."
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FOLDER", help="Where to; the first folder of $UNDERSTUDY_PACK_PATH when left out."
        ),
    ] = None,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="A model's role; found out when left out.")] = "",
    pack_id: Annotated[
        str, typer.Option("--id", metavar="ID", help="The id of a model's pack; the file's name when left out.")
    ] = "",
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="TorchScript is code: take it from someone you trust.")
    ] = False,
    json: o.Json = False,
) -> None:
    """Check a pack and copy it to where packs are looked for; of a model file, make a pack to complete."""
    from understudy.packs import discover, install_pack, open_pack, user_pack_folders

    folders = user_pack_folders()
    target = to or (folders[0] if folders else None)
    if target is None:
        fix = "give --to FOLDER, or set UNDERSTUDY_PACK_PATH"
        raise UsageError("there is no folder of your own packs", where="$UNDERSTUDY_PACK_PATH", fix=fix)
    if path.is_file() or (path.suffix and not path.is_dir()):
        from understudy.cli.packs_adopt import add_model

        add_model(path, target, role=role, pack_id=pack_id, trust_code=trust_code, json=json)
        return
    found = discover((target,) if target.is_dir() else ())
    report = _checked(path)
    if not report.passed:
        if json:
            typer.echo(json_module.dumps({"event": "conformance", **report.as_json()}))
        else:
            _print_report(report)
        raise typer.Exit(_NOT_CONFORMING)
    added = install_pack(open_pack(path), target, found)
    known = target.absolute() in folders
    if json:
        event = {"event": "added", "pack": str(added.pin), "folder": str(added.folder), "on_search_path": known}
        typer.echo(json_module.dumps(event))
        return
    typer.echo(f"added {added.pin} in {added.folder}")
    if not known:
        typer.echo(f"put {target.absolute()} on UNDERSTUDY_PACK_PATH to have it found")


@packs_app.command("export")
def export(
    pack: Annotated[
        str, typer.Argument(metavar="PACK", help="id, id@version or id@version#digest; or a pack's folder.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; its suffix may be left out.")],
    to: Annotated[str, typer.Option("--to", metavar="HOST", help="flame (ONNX and JSON) or torchscript (for Nuke).")],
    scale: Annotated[int, typer.Option("--scale", help="Which of several factors.")] = 0,
    colorspace: Annotated[
        str,
        typer.Option("--colorspace", metavar="SPACE", help="The host's working space; scene_linear when left out."),
    ] = "",
    json: o.Json = False,
) -> None:
    """Write a network for Flame's or Nuke's inference node, color included, once it equals the engine."""
    from understudy.cli.packs_export import export_to_host

    export_to_host(pack, out, to=to, scale=scale, colorspace=colorspace, json=json)


def _info(server: str, policy: str) -> "EngineInfo":
    """What a server says of its packs; or this machine's, with their files compared with their hashes."""
    from understudy.packs.policy import find_policy

    rules = find_policy(policy)
    if server:
        from understudy.cli.job import open_engine

        with open_engine(server, "", policy=rules) as engine:
            info = engine.info()
        return replace(rules.judged(info), policy=rules.info) if rules else info
    from understudy.packs.inventory import local_inventory

    return local_inventory(rules)


def _holds(path: Path, text: str) -> bool:
    """Whether a file holds a text, to the byte."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


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
        "badge": pack.badge,
        "badge_reasons": list(pack.badge_reasons),
        "rights_record": pack.rights_record,
        "refused": pack.refused,
    }


def _console() -> "Printer":
    import sys

    from understudy.cli.console import Printer

    # A pipe has no width; 160 columns keep a table's rows whole there.
    return Printer(highlight=False, width=None if sys.stdout.isatty() else 160, soft_wrap=False)


def _table(info: "EngineInfo") -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for heading in ("role", "pack", "version", "digest", "badge", "title", "license", "training", "source"):
        table.add_column(heading, overflow="fold")
    for pack in info.packs:
        row = _row(pack)
        kind = row["source"].replace(":", " ", 1).split(" ")[0]
        badge = "refused" if pack.refused else pack.badge or "-"
        table.add_row(row["role"], row["id"], row["version"], row["sha256"][:12],
                      Text(badge, style=_STYLES.get(badge, "")), row["title"], row["license"], row["training"],
                      kind)  # fmt: skip
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
