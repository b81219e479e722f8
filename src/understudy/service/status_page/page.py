# SPDX-License-Identifier: Apache-2.0
"""The page as HTML."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from understudy.service.status_page.status import Status

_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def page_html(status: Status) -> bytes:
    """The page that shows a status; it asks for nothing but ``/status.css`` and ``/status.js``."""
    return _template().render(status=status).encode()


@cache
def asset(name: str) -> bytes:
    """``status.css`` or ``status.js``."""
    return files(__package__).joinpath(name).read_bytes()


def size_text(size: float) -> str:
    """Bytes for people: ``1.3 GB``."""
    for unit, name in _UNITS:
        if size >= unit:
            number = size / unit
            return f"{number:.1f} {name}" if number < 10 else f"{number:.0f} {name}"
    return f"{size:.0f} B" if size else "0"


def time_text(seconds: float) -> str:
    """A span of time for people: ``2 d 4 h``, ``3 min 20 s``, ``4.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = int(seconds)
    for unit, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // part
            return f"{whole // unit} {name} {rest} {part_name}" if rest else f"{whole // unit} {name}"
    return f"{seconds:.0f} s"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(size=size_text, span=time_text)
    return environment.get_template("status.html.j2")
