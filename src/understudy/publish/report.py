# SPDX-License-Identifier: Apache-2.0
"""The report of a publish for people who make no pictures: one HTML file that needs nothing else."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from understudy import __version__
from understudy.color.config import ColorConfig
from understudy.contracts.errors import UnderstudyError
from understudy.frames.atomic import atomic
from understudy.frames.sequence import format_frames
from understudy.provenance.job import PackEntry
from understudy.provenance.source_types import term
from understudy.publish.checks.catalog import CHECKS
from understudy.publish.subject import Subject
from understudy.review.proxy import Screen, proxy
from understudy.review.sheet import chosen, encoded

_STRIP = 5
"""Pictures of one product."""

_HEIGHT = 180
_FAMILIES = {
    "frames": "Every frame is there and whole",
    "color": "Color spaces are as declared",
    "picture": "Windows, channels and alpha came through",
    "record": "The record of how it was made is whole",
    "packs": "The models may be used on this show",
    "rights": "Consents and approvals are there",
    "quality": "Nothing about the quality stands out",
}
_ORIGINS = {
    "source": "stand for a frame of the plate",
    "synthesized": "were made between two frames of the plate",
    "held": "stand in for another frame",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What the report says of one product.

    Attributes:
        subject: What was checked.
        findings: What was found, as events.
        folder: Where the version is; empty where there is none.
        version: Its name, such as ``v003``; empty where there is none.
    """

    subject: Subject
    findings: Sequence[Mapping[str, Any]]
    folder: str = ""
    version: str = ""

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """What must be fixed."""
        return [one for one in self.findings if one["severity"] == "error"]

    @property
    def warnings(self) -> list[Mapping[str, Any]]:
        """What somebody should look at."""
        return [one for one in self.findings if one["severity"] == "warning"]

    @property
    def state(self) -> str:
        """``refused``, ``published`` or ``sound``."""
        return "refused" if self.errors else "published" if self.folder else "sound"


def write_report(path: Path, products: Sequence[Product], *, problems: Sequence[str] = (), published: bool) -> None:
    """Writes the report, whole or not at all.

    Args:
        path: Where.
        products: What was checked or published.
        problems: What is wrong with the publish as a whole.
        published: A publish was tried, and not the checks alone.

    Raises:
        OutputError: It can't be written.
    """
    environment = Environment(
        loader=PackageLoader("understudy.publish", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        products=[_facts(product) for product in products],
        problems=problems,
        headline=_headline(products, problems, published=published),
        good=not problems and not any(product.errors for product in products),
        version=__version__,
        show=next((one.subject.policy.show for one in products if one.subject.policy), ""),
        final=any(product.subject.is_final for product in products),
    )
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _headline(products: Sequence[Product], problems: Sequence[str], *, published: bool) -> str:
    refused = ", ".join(product.subject.name for product in products if product.errors)
    count = f"{len(products)} product{'' if len(products) == 1 else 's'}"
    if refused and published:
        return f"Not published: {refused}. Something must be fixed first"
    if refused:
        return f"{refused} can't be published yet"
    if problems:
        return "The publish did not work"
    return f"{count} published" if published else f"{count} may be published"


def _facts(product: Product) -> dict[str, Any]:
    subject, record = product.subject, product.subject.record
    found = {one["family"]: one["severity"] for one in reversed([*product.errors, *product.warnings])}
    jobs = list(record.jobs.values()) if record else []
    packs = {pack.pin: pack for job in jobs for pack in job.packs}
    return {
        "name": subject.name,
        "version": product.version,
        "folder": product.folder,
        "state": product.state,
        "source": str(subject.path_pattern),
        "errors": product.errors,
        "warnings": product.warnings,
        "pictures": _pictures(subject),
        "families": [(title, found.get(family, "")) for family, title in _FAMILIES.items()],
        "checks": len(CHECKS),
        "packs": [_pack(pack) for pack in packs.values()],
        "record": record,
        "signed": bool(record and record.signed),
        "runs": [
            (run.frames or "the still", run.count, _ORIGINS[run.origin], term(run.source_type) or "nothing to declare")
            for run in (record.runs if record else ())
        ],
        "frames": format_frames(frame for frame in subject.expected if frame is not None) or "a still",
        "colorspace": next((job.color.output for job in jobs), ""),
        "config": next((job.color.config for job in jobs), ""),
    }


def _pack(pack: PackEntry) -> dict[str, str]:
    return {
        "title": pack.title or pack.pin,
        "pin": pack.pin.partition("#")[0],
        "digest": pack.pin.partition("#")[2][:12],
        "badge": pack.badge,
        "why": "; ".join(pack.badge_reasons),
        "license": pack.license_concluded or "not known",
        "training": "never trained" if pack.training_basis == "none" else f"trained on {pack.training_basis} data",
    }


def _pictures(subject: Subject) -> list[tuple[str, str]]:
    """A few frames through the view: the label and a data URI. What can't be shown is left out; a check tells."""
    record = subject.record
    config = ColorConfig.load()
    for job in record.jobs.values() if record else ():
        try:
            config = ColorConfig.load(job.color.config)
        except UnderstudyError:
            continue
        break
    screen = Screen(config=config, height=_HEIGHT)
    shown = []
    for frame in chosen(subject.there, _STRIP):
        try:
            data = encoded(proxy(subject.path(frame), screen), ".jpg")
        except UnderstudyError:
            continue
        uri = "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
        shown.append(("still" if frame is None else str(frame), uri))
    return shown
