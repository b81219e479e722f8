# SPDX-License-Identifier: Apache-2.0
"""``understudy review``: movies, a thumbnail and a contact sheet of frames that are there."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from understudy.cli import options as o

if TYPE_CHECKING:
    from understudy.color.config import ColorConfig
    from understudy.provenance.content_credentials import Signer
    from understudy.publish.subject import Subject
    from understudy.review.movie import Kind


def review(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A record, a pattern of frames, or a folder of one.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder for the files.")],
    movies: Annotated[
        str,
        typer.Option(
            "--movies",
            metavar="KINDS",
            help="h264, prores, both with a comma, none; auto: both if PyAV is there.",
        ),
    ] = "auto",
    height: Annotated[int, typer.Option("--height", metavar="PX", min=16, help="Height of the pictures.")] = 540,
    display: Annotated[str, typer.Option("--display", metavar="NAME", help="OCIO display; the default one.")] = "",
    view: Annotated[str, typer.Option("--view", metavar="NAME", help="OCIO view; the display's default one.")] = "",
    version: Annotated[str, typer.Option("--version", metavar="v###", help="The version that is burnt in.")] = "",
    doubts: Annotated[str, typer.Option("--doubts", metavar="RANGE", help="Frames that the sheet has in amber.")] = "",
    certificate: Annotated[
        str, typer.Option("--certificate", metavar="FILE", help="PEM file with the chain of who signs the files.")
    ] = "",
    key: Annotated[str, typer.Option("--key", metavar="FILE", help="PEM file with the signer's key.")] = "",
    colorspace: o.Colorspace = "",
    ocio: o.Ocio = "",
    json: o.Json = False,
) -> None:
    """Make review movies with slate and burn-ins, a thumbnail and a contact sheet, through the OCIO view."""
    from understudy.color.config import ColorConfig
    from understudy.contracts.errors import UsageError
    from understudy.frames.sequence import parse_frames
    from understudy.publish.sources import find_subjects
    from understudy.review.make import Shot, make_review
    from understudy.review.movie import can_make_movies
    from understudy.review.of_record import frame_rate
    from understudy.review.proxy import Screen

    if movies == "auto":
        movies = "h264,prores" if can_make_movies() else "none"
    kinds = [kind for kind in movies.split(",") if kind != "none"]
    if unknown := set(kinds) - {"h264", "prores"}:
        raise UsageError(f"there is no movie {min(unknown)!r}", where="--movies", fix="write h264, prores or none")
    subjects = find_subjects(source)
    if len(subjects) > 1:
        names = ", ".join(str(one.record_path or one.path_pattern) for one in subjects)
        raise UsageError("holds several products", where=source, fix=f"name one of {names}")
    (subject,) = subjects
    config = ColorConfig.load(ocio or _config_of(subject))
    screen = Screen(config=config, height=height, display=display, view=view, colorspace=colorspace)
    shot = Shot(
        frames=tuple((frame, subject.path(frame)) for frame in subject.there),
        fps=frame_rate(subject.record),
        labels=_labels(subject, config, version, display, view, colorspace),
        doubts=frozenset(parse_frames(doubts) if doubts else ()),
    )
    signer = _signer(certificate, key)
    files = make_review(shot, out, screen, cast("list[Kind]", kinds))
    for file in files:
        if signer and subject.record:
            from understudy.provenance.sign import embed_manifest

            embed_manifest(file.path, subject.record, signer)
        event: dict[str, Any] = {"event": "file", "name": file.name, "file": str(file.path), "encoder": file.encoder}
        typer.echo(json_module.dumps(event) if json else str(file.path))


def _signer(certificate: str, key: str) -> "Signer | None":
    """Who signs review files; None for nobody."""
    from understudy.contracts.errors import UsageError
    from understudy.provenance.content_credentials import Signer

    if bool(certificate) != bool(key):
        raise UsageError("a signer has a certificate and a key", where="--certificate", fix="give both, or none")
    return Signer(Path(certificate), Path(key)) if certificate else None


def _config_of(subject: "Subject") -> str:
    """The config that a record names, where it is on this machine."""
    from understudy.color.config import ColorConfig
    from understudy.contracts.errors import ColorspaceError

    for job in subject.record.jobs.values() if subject.record else ():
        try:
            ColorConfig.load(job.color.config)
        except ColorspaceError:
            continue
        return job.color.config
    return ""


def _labels(subject: "Subject", config: "ColorConfig", version: str, display: str, view: str, colorspace: str) -> Any:
    from understudy.review.labels import Labels
    from understudy.review.of_record import is_draft, labels_of, marked_draft

    record = subject.record
    space = colorspace or next((job.color.output for job in record.jobs.values()), "") if record else colorspace
    shown = config.display_view(space or config.scene_linear, display, view)
    color = f"{space} to {shown[0]}, {shown[1]}" if space else ", ".join(shown)
    if record:
        labels = labels_of(record, name=subject.name, version=version, color=color)
    else:
        labels = Labels(name=subject.name, version=version, color=color)
    return marked_draft(labels) if any(map(is_draft, map(subject.path, subject.there))) else labels
