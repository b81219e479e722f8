# SPDX-License-Identifier: Apache-2.0
"""``understudy provenance``: what was made of what, whether it is still so, and who signs for it."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from understudy.cli import options as o
from understudy.contracts.errors import QualityGateError, UsageError

if TYPE_CHECKING:
    from understudy.provenance.findings import Verdict
    from understudy.provenance.record import Record

provenance_app = typer.Typer(
    help="Records of provenance: show, verify, sign and compare them.", no_args_is_help=True, rich_markup_mode=None
)

Where = Annotated[Path, typer.Argument(metavar="RECORD|FOLDER", help="A .provenance.json, or a folder with some.")]
RecordFile = Annotated[Path, typer.Argument(metavar="RECORD", help="A .provenance.json, or a folder with one.")]
Trust = Annotated[
    str,
    typer.Option("--trust", metavar="FILE", help="PEM file with the authorities whose signers are trusted."),
]


@provenance_app.command()
def show(record: RecordFile, json: o.Json = False) -> None:
    """Show what a record tells: frames and how they were made, packs and their badges, inputs, color, rights."""
    from understudy.provenance.record_file import as_json

    found = _read(record)
    if json:
        typer.echo(json_module.dumps({"event": "record", **as_json(found[1])}))
    else:
        _show(*found)


@provenance_app.command()
def verify(where: Where, trust: Trust = "", json: o.Json = False) -> None:
    """Compare files, headers, pixels, hash list and signature with the record; the exit code is 5 when one differs.

    A file that was only compressed another way or whose header was edited is told from one whose pixels were changed.
    """
    from understudy.provenance.content_credentials import read_anchors
    from understudy.provenance.verify import verify as verify_records

    verdict = verify_records(where, anchors=read_anchors(Path(trust)) if trust else "")
    if json:
        for finding in verdict.findings:
            typer.echo(json_module.dumps(finding.event()))
        typer.echo(json_module.dumps(verdict.event()))
    else:
        _tell(verdict)
    if verdict.errors:
        raise typer.Exit(QualityGateError.exit_code)


@provenance_app.command()
def sign(
    record: RecordFile,
    certificate: Annotated[
        str, typer.Option("--certificate", metavar="FILE", help="PEM file: the signer's certificate and its chain.")
    ] = "",
    key: Annotated[
        str, typer.Option("--key", metavar="FILE", help="PEM file with its private key, readable by you alone.")
    ] = "",
    tsa: Annotated[
        str,
        typer.Option("--tsa", metavar="URL", help="Time-stamping authority to ask; left out, no network is used."),
    ] = "",
    json: o.Json = False,
) -> None:
    """Sign a record with a C2PA manifest beside it, which covers every frame by its hash.

    Without the extra 'publish', or without a certificate, the manifest's definition is written, marked as unsigned.
    """
    from understudy.provenance.content_credentials import Signer, is_available
    from understudy.provenance.sign import sign_record

    if bool(certificate) != bool(key):
        raise UsageError("a certificate and its key are needed", fix="give both --certificate and --key, or none")
    if tsa and not certificate:
        raise UsageError("there is nothing to time-stamp", where="--tsa", fix="give --certificate and --key")
    path, _ = _read(record)
    signer = None
    if certificate and is_available():
        signer = Signer(Path(certificate), Path(key), tsa)
    done = sign_record(path, signer)
    if json:
        typer.echo(json_module.dumps({"event": "signed", "file": str(done.file), "signed": done.signed}))
    elif done.signed:
        typer.echo(f"signed: {done.file}")
    else:
        typer.echo(f"not signed; what would be signed: {done.file}")
    if certificate and not signer:
        raise UsageError("nothing was signed: c2pa-python is not installed", fix="pip install 'understudy[publish]'")


@provenance_app.command()
def mlbom(
    record: RecordFile,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where they go; made where it is missing.")],
    json: o.Json = False,
) -> None:
    """Write the rights record of each pack that a record names: CycloneDX ML-BOMs, as the packs had them then."""
    from understudy.provenance.boms import write_boms

    written, missing = write_boms(_read(record)[1], folder)
    for path in written:
        typer.echo(json_module.dumps({"event": "file", "name": "mlbom", "file": str(path)}) if json else str(path))
    for pin in missing:
        problem = f"the record holds no rights record of {pin.partition('#')[0]}"
        event = {"event": "warning", "node": None, "frame": None, "message": problem}
        typer.echo(json_module.dumps(event) if json else problem, err=not json)


@provenance_app.command()
def diff(before: RecordFile, after: RecordFile, json: o.Json = False) -> None:
    """Compare two records: parameters, packs, inputs, color, machines, and which frames have other pixels."""
    from understudy.provenance.diff import differences_of

    found = differences_of(_read(before)[1], _read(after)[1])
    if json:
        for one in found:
            typer.echo(json_module.dumps(one.event()))
        typer.echo(json_module.dumps({"event": "compared", "differences": len(found)}))
        return
    for one in found:
        change = "" if one.before is None and one.after is None else f": {_word(one.before)} -> {_word(one.after)}"
        typer.echo(f"{one.what}  {one.where}{change}")
    if not found:
        typer.echo("no difference but times")


def _read(where: Path) -> "tuple[Path, Record]":
    """A record, or the only one of a folder."""
    from understudy.contracts.errors import MissingFileError
    from understudy.provenance.record_file import find_records, read_record

    if not where.is_dir():
        return where, read_record(where)
    found = find_records(where)
    if not found:
        raise MissingFileError("the folder has no record", where=str(where), fix="render without --no-record")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError("the folder has several records", where=str(where), fix=f"name one of {names}")
    return found[0], read_record(found[0])


def _tell(verdict: "Verdict") -> None:
    from understudy.cli.console import counted

    for finding in verdict.findings:
        typer.echo(f"{finding.severity}  {finding.check}  {finding}")
    signed = (
        "signed, and trusted"
        if verdict.trusted
        else "signed, not trusted"
        if verdict.signed
        else "said to be signed, which does not hold"
        if verdict.claimed
        else "not signed"
    )
    counts = f"{counted(verdict.errors, 'error')}, {counted(verdict.warnings, 'warning')}"
    typer.echo(f"{counted(verdict.frames, 'frame')}, {verdict.bytes / 1e6:.1f} MB: {counts}; {signed}")


def _show(path: Path, record: "Record") -> None:
    for label, text in _lines(path, record):
        typer.echo(f"{label:<12}{text}")


def _lines(path: Path, record: "Record") -> list[tuple[str, str]]:
    from understudy.provenance.source_types import term

    sequence, quality, rights = record.sequence, record.quality, record.rights
    rate = f", {sequence.fps} fps" if sequence.fps else ""
    draft = ", DRAFT" if record.draft else ""
    lines = [
        ("record", f"{path} ({'signed' if record.signed else 'not signed'}), id {record.id}"),
        ("pictures", f"{sequence.pattern} {sequence.frames}{rate}{draft}"),
        ("as a whole", term(record.source_type) or "no source type"),
    ]
    for run in record.runs:
        mean = "" if run.confidence_mean is None else f", confidence {run.confidence_mean:.2f}"
        low = "" if run.confidence_p05 is None else f", low {run.confidence_p05:.2f}"
        kind = f" ({term(run.source_type)})" if run.source_type else ""
        lines.append(("frames", f"{run.frames or 'still'}: {run.origin}{kind}{mean}{low}, job {run.job[:12]}"))
    lines.append(("quality", f"{quality.clamped} samples clamped, {quality.nan} NaN and {quality.inf} Inf in inputs"))
    for identity, job in record.jobs.items():
        lines.append(("job", f"{identity[:12]}{' (draft)' if job.draft else ''}, {job.started} to {job.finished}"))
        lines += [("", _operation_line(operation.model_dump())) for operation in job.operations]
        for pack in job.packs:
            reasons = f" ({'; '.join(pack.badge_reasons)})" if pack.badge_reasons else ""
            learned = f"learned from {pack.training_basis} data" if pack.learned else "not learned"
            pin, _, digest = pack.pin.partition("#")
            badge = pack.badge or "no badge"
            lines.append(("  pack", f"{pin}#{digest[:12]}: {pack.license_concluded}, {learned}, {badge}{reasons}"))
        for entry in job.inputs:
            space = f" in {entry.colorspace} (by {entry.rule})" if entry.colorspace else ""
            lines.append(("  input", f"{entry.node}: {entry.pattern}{space}, {len(entry.files)} files"))
        lines.append(("  color", f"{job.color.config}, written in {job.color.output or 'data'}"))
        for one in job.environments:
            version = one.versions.get("understudy", "")
            by = ", ".join(one.providers) or "adapter"
            ran = f"{one.device} {one.precision} ({by})" if one.device else "no model"
            where = ", ".join(filter(None, (one.gpu, one.processor, one.instructions)))
            lines.append(("  machine", f"{ran}, {where}, {one.platform}, understudy {version}"))
        lines += [("  policy", f"{one.show} (of the {one.by}), sha256 {one.sha256[:12]}") for one in job.policies]
        lines += [("  warning", warning) for warning in job.warnings]
    people = {None: "nobody said", True: "recognizable people", False: "none"}[rights.talent]
    lines += [
        ("rights", f"{rights.use}; talent: {people}; do not train: {'yes' if rights.do_not_train else 'no'}"),
        ("consent", ", ".join(rights.consent) or "none"),
        ("approval", rights.approval or "none"),
    ]
    return lines


def _operation_line(operation: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name} {value}" for name, value in operation["parameters"].items() if name != "file")
    return f"{operation['node']}: {operation['type']}" + (f" ({parameters})" if parameters else "")


def _word(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json_module.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
