# SPDX-License-Identifier: Apache-2.0
"""``understudy publish``: checks, review and the next version of renders."""

import json as json_module
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from understudy.cli import options as o
from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.publish.runner import Published
    from understudy.publish.subject import Subject


def publish(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A record, a graph, a folder, or a pattern of frames.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="ROOT", help="The publish root.")] = "",
    target: Annotated[
        list[str], typer.Option("--target", metavar="NAME", help="A pyblish target beside default; may be repeated.")
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    final: Annotated[bool, typer.Option("--final", help="For final delivery: needs an approval, no drafts.")] = False,
    policy: o.Policy = "",
    check_only: Annotated[bool, typer.Option("--check-only", help="Run the checks and stop.")] = False,
    list_only: Annotated[bool, typer.Option("--list", help="Say what would be published and stop.")] = False,
    report: Annotated[str, typer.Option("--report", metavar="FILE.html", help="Write a report for people.")] = "",
    trust: Annotated[
        str, typer.Option("--trust", metavar="FILE", help="PEM file with the authorities whose signers are trusted.")
    ] = "",
    movies: Annotated[
        str, typer.Option("--movies", metavar="KINDS", help="Review movies: h264, prores, none, or auto.")
    ] = "auto",
    link: Annotated[bool, typer.Option("--link", help="Hard links where they can be made, not copies.")] = False,
    json: o.Json = False,
) -> None:
    """Check renders, make review pictures, and put them into a publish root as their next version.

    pyblish runs the plug-ins of Understudy and those on PYBLISHPLUGINPATH. The exit code is 0 only when every check
    passed and an integrator ran; 5 when a check failed, 7 when rights refuse it.
    """
    from understudy.packs.policy import find_policy
    from understudy.provenance.content_credentials import read_anchors
    from understudy.publish.runner import run_publish
    from understudy.publish.sources import find_subjects

    rules = find_policy(policy)
    anchors = read_anchors(Path(trust)) if trust else ""

    def subjects() -> "tuple[Subject, ...]":
        return find_subjects(source, final=final, policy=rules, anchors=anchors)

    if list_only or check_only:
        if list_only:
            _list(subjects(), to, as_json=json)
        else:
            _check(subjects(), report, as_json=json)
        return
    if not to:
        raise UsageError("no publish root was named", where="--to", fix="name one, or add --check-only")
    published = run_publish(
        source,
        Path(to),
        targets=target,
        final=final,
        policy=policy,
        trust=trust,
        movies=movies,
        link=link,
        hear=lambda event: _tell(event, as_json=json),
    )
    for problem in published.problems:
        _tell({"event": "problem", "problem": problem}, as_json=json)
    if report:
        _report_publish(subjects(), published, Path(report))
    if published.exit_code:
        raise typer.Exit(published.exit_code)


def _list(subjects: "Iterable[Subject]", root: str, *, as_json: bool) -> None:
    from understudy.publish.instances import instance_event

    for subject in subjects:
        event = instance_event(subject, Path(root) if root else None)
        if as_json:
            typer.echo(json_module.dumps(event))
        else:
            typer.echo(f"{event['name']}  {event['frames'] or 'still'}  {event['source']}")


def _check(subjects: "Iterable[Subject]", report: str, *, as_json: bool) -> None:
    from understudy.publish.checks.catalog import run_checks
    from understudy.publish.outcome import Outcome, exit_code

    outcomes = []
    for subject in subjects:
        outcome = Outcome(subject, run_checks(subject))
        outcomes.append(outcome)
        events = [*({**one.to_event(), "name": subject.name} for one in outcome.findings), outcome.to_event()]
        for event in events:
            _tell(event, as_json=as_json)
    if report:
        from understudy.publish.report import Product, write_report

        found = [Product(subject=one.subject, findings=[each.to_event() for each in one.findings]) for one in outcomes]
        write_report(Path(report), found, published=False)
    if code := exit_code(outcomes):
        raise typer.Exit(code)


def _report_publish(subjects: "Iterable[Subject]", published: "Published", path: Path) -> None:
    from understudy.publish.report import Product, write_report

    done = {event["name"]: event for event in published.instances}
    products = []
    for subject in subjects:
        event = done.get(subject.name, {})
        found = [one for one in published.findings if one["name"] == subject.name]
        version = f"v{event['version']:03d}" if event.get("publishDir") else ""
        folder = event.get("publishDir") or ""
        products.append(Product(subject=subject, findings=found, folder=folder, version=version))
    ours = {(event["instance"], "error") for event in published.failures if event["exit_code"] is None}
    told = {(one["name"], one["severity"]) for one in published.findings}
    others = [
        f"{event['label']}: {event['problem']}"
        for event in published.failures
        if event["exit_code"] is not None or (event["instance"], "error") not in told & ours
    ]
    write_report(path, products, problems=[*published.problems, *others], published=True)


def _tell(event: dict[str, Any], *, as_json: bool) -> None:
    from understudy.cli.console import counted

    if as_json:
        typer.echo(json_module.dumps(event, default=str))
        return
    kind = event["event"]
    if kind == "finding":
        mark = "✕" if event["severity"] == "error" else "!"
        typer.echo(f"{mark} {event['name']}: {event['title']}: {event['problem']}")
        typer.echo(f"    {event['fix']}  [{event['check']}]")
    elif kind == "checked":
        verdict = "may not be published" if event["errors"] else "may be published"
        counts = f"{counted(event['errors'], 'error')}, {counted(event['warnings'], 'warning')}"
        typer.echo(f"{event['name']}: {counts}; {verdict}")
    elif kind == "plugin" and not event["ok"] and event["exit_code"] is None and 0.5 <= event["order"] < 1.5:
        return  # a validator of ours: its findings are told
    elif kind == "plugin" and not event["ok"]:
        typer.echo(f"✕ {event['label']}: {event['problem']}")
    elif kind == "instance" and event.get("publishDir"):
        typer.echo(f"✓ {event['name']}: {event['publishDir']}")
    elif kind in ("problem", "retry"):
        typer.echo(f"{'✕' if kind == 'problem' else '!'} {event['problem']}")
