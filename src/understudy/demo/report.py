# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML file that needs nothing else."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from understudy.contracts.errors import OutputError
from understudy.demo.results import DraftResult, RoleResult
from understudy.demo.viewers import Viewers


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the report says of the run.

    Attributes:
        version: Understudy's version.
        seconds: Wall time until the report was written.
        shot_seconds: Of it, rendering the shot and the truths.
        cores: CPU cores of the machine.
        ocio: OCIO config.
        frames: Frames the roles rendered.
    """

    version: str
    seconds: float
    shot_seconds: float
    cores: int
    ocio: str
    frames: int


def write_report(
    out: Path, results: tuple[RoleResult, ...], drafts: tuple[DraftResult, ...], viewers: Viewers, facts: Facts
) -> Path:
    """Writes ``report.html``.

    Args:
        out: The demo folder.
        results: One per role.
        drafts: One per role.
        viewers: Viewers and pictures.
        facts: What to say of the run.

    Raises:
        OutputError: The file can't be written.
    """
    environment = Environment(
        loader=PackageLoader("understudy.demo", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        results=results,
        drafts=drafts,
        viewers=viewers.viewers,
        pictures=viewers.pictures,
        facts=facts,
        holds=all(result.holds for result in results),
        data=_script_json({name: asdict(viewer) for name, viewer in viewers.viewers.items()}),
        pictures_data=_script_json(dict(viewers.pictures)),
    )
    path = out / "report.html"
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", where=str(path)) from None
    return path


def _script_json(value: object) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
