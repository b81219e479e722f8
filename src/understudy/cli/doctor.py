# SPDX-License-Identifier: Apache-2.0
"""``understudy doctor``: is this installation sound, and what does it have?"""

import json as json_module
from dataclasses import asdict
from typing import Annotated, Any

import typer

from understudy.cli import options as o
from understudy.contracts.errors import UnderstudyError

_LIBRARIES = (
    "numpy", "OpenImageIO", "opencolorio", "OpenEXR", "opencv-python-headless", "grpcio", "protobuf", "pydantic",
    "onnxruntime", "onnxruntime-gpu", "openvino", "torch", "pyblish-base",
)  # fmt: skip


def doctor(
    colorspaces: Annotated[bool, typer.Option("--colorspaces", help="List the config's color spaces.")] = False,
    ocio: o.Ocio = "",
    server: o.Server = "",
    policy: o.Policy = "",
    json: o.Json = False,
) -> None:
    """Check libraries, the OCIO config, devices and packs; exit 1 when something is broken."""
    from understudy.cli.job import open_engine
    from understudy.color.config import ColorConfig
    from understudy.color.selftest import self_test
    from understudy.packs.policy import find_policy

    color = ColorConfig.load(ocio)
    if colorspaces:
        _list_colorspaces(color, as_json=json)
        return
    problems = [f"color: {problem}" for problem in self_test(color)]
    libraries = _versions()
    if "onnxruntime" in libraries and "onnxruntime-gpu" in libraries:
        problems.append(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other:"
            " uninstall both, then install understudy[cpu] or understudy[gpu]"
        )
    facts: dict[str, Any] = {
        "libraries": libraries,
        "ocio": {"config": color.name, "source": color.source, "cache_id": color.cache_id},
    }
    try:
        rules = find_policy(policy)
        if rules is not None:
            facts["policy"] = {"show": rules.show, "sha256": rules.sha256, "file": rules.file}
    except UnderstudyError as error:
        rules = None
        problems.append(f"policy: {error}")
    addresses = [] if rules is None and problems and not server else _each(server)
    for address in addresses:
        where = f"{address}: " if len(addresses) > 1 else ""
        try:
            with open_engine(address, ocio, policy=rules) as engine:
                info = engine.info()
        except UnderstudyError as error:
            problems.append(f"engine: {error}")
            continue
        told = asdict(info)
        facts.setdefault("engine", told)
        if len(addresses) > 1:
            facts.setdefault("replicas", {})[address] = told
        problems += [f"{where}pack {failure.path}: {failure.problem}" for failure in info.failures]
    problems += _differences(facts.get("replicas", {}))
    facts["problems"] = problems
    if json:
        typer.echo(json_module.dumps(facts, default=str))
    else:
        _print(facts)
    if problems:
        raise typer.Exit(1)


def _each(server: str) -> list[str]:
    """The addresses to ask, each by itself; one that is empty stands for the engine in this process."""
    from understudy.codec.address import Replicas

    if not server:
        return [""]
    replicas = Replicas.parse(server)
    return [str(address) for address in replicas.addresses] if replicas.dns is None else [server]


def _differences(replicas: dict[str, Any]) -> list[str]:
    """What replicas should have in common and do not: frames would depend on who makes them."""
    found = []
    for what, of in (
        ("versions of Understudy", lambda engine: engine["version"]),
        ("devices", lambda engine: engine["device"]),
        ("OCIO configs", lambda engine: engine["ocio_cache_id"]),
        ("policies", lambda engine: (engine["policy"] or {}).get("sha256", "none")[:12]),
        ("packs", lambda engine: " ".join(sorted(pack["pin"]["sha256"][:12] for pack in engine["packs"]))),
    ):
        told = {address: of(engine) for address, engine in replicas.items()}
        if len(set(told.values())) > 1:
            detail = ", ".join(f"{address} {value}" for address, value in told.items()) if what != "packs" else ""
            found.append(f"the replicas have different {what}" + (f": {detail}" if detail else ""))
    return found


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _list_colorspaces(color: Any, *, as_json: bool) -> None:
    roles = color.roles()
    rows = [
        {
            "name": name,
            "encoding": color.encoding(name),
            "aliases": list(color.aliases(name)),
            "roles": [role for role, space in roles.items() if space == name],
        }
        for name in color.names()
    ]
    if as_json:
        typer.echo(json_module.dumps(rows))
        return
    for row in rows:
        also = ", ".join([*row["roles"], *row["aliases"]])
        typer.echo(f"{row['name']}  [{row['encoding'] or 'no encoding'}]" + (f"  also: {also}" if also else ""))


def _print(facts: dict[str, Any]) -> None:
    for name, version in facts["libraries"].items():
        typer.echo(f"{name} {version}")
    ocio = facts["ocio"]
    typer.echo(f"\nOCIO {ocio['config']} (from {ocio['source']}), cache id {ocio['cache_id']}")
    if rules := facts.get("policy"):
        typer.echo(f"\npolicy of show {rules['show']}, from {rules['file']}, sha256 {rules['sha256'][:12]}")
    for address, engine in (facts.get("replicas") or {"": facts.get("engine")}).items():
        if engine:
            _print_engine(address, engine, rules)
    typer.echo("")
    for problem in facts["problems"]:
        typer.echo(f"problem: {problem}")
    if not facts["problems"]:
        typer.echo("all is well")


def _print_engine(address: str, engine: dict[str, Any], rules: dict[str, Any] | None) -> None:
    if address:
        typer.echo(f"\n{address}")
    if engine["policy"] and engine["policy"]["sha256"] != (rules or {}).get("sha256"):
        typer.echo(f"\nthe service keeps to the policy of show {engine['policy']['show']}")
    providers = ", ".join(engine["providers"]) or "ONNX Runtime is not installed"
    typer.echo(f"\nengine {engine['version']} on {engine['device']}; {providers}")
    for kind, folder in engine["search_path"]:
        typer.echo(f"  looks for packs in {folder} ({kind})")
    for pack in engine["packs"]:
        pin = pack["pin"]
        badge = "refused" if pack["refused"] else pack["badge"]
        name = f"{pin['id']}@{pin['version']}#{pin['sha256'][:12]}"
        typer.echo(f"  {pack['role']:<12} {badge:<8} {name}  {pack['title']}")
