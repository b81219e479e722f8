# SPDX-License-Identifier: Apache-2.0
"""``understudy cache``: what renders kept for later ones."""

from typing import Any

import typer

from understudy.cli import options as o

cache_app = typer.Typer(help="Results that renders keep for later ones: show, clear.", no_args_is_help=True)


@cache_app.command("show")
def show(json: o.Json = False) -> None:
    """Say where the cache lies, what is in it, and how large it may grow."""
    from understudy.graph.plate_cache import default_cache

    cache = default_cache()
    if cache is None:
        _say({"event": "cache", "folder": None, "entries": 0, "bytes": 0, "budget_bytes": 0}, "no cache", json)
        return
    count, size = cache.used()
    event = {"event": "cache", "folder": str(cache.folder), "entries": count, "bytes": size}
    text = f"{cache.folder}: {_results(count)}, {size / 1e9:.2f} of {cache.budget / 1e9:.1f} GB"
    _say({**event, "budget_bytes": cache.budget}, text, json)


@cache_app.command("clear")
def clear(json: o.Json = False) -> None:
    """Remove what is kept; later renders compute it again."""
    from understudy.graph.plate_cache import default_cache

    cache = default_cache()
    count, size = cache.clear() if cache else (0, 0)
    folder = str(cache.folder) if cache else None
    event = {"event": "cleared", "folder": folder, "entries": count, "bytes": size}
    _say(event, f"removed {_results(count)}, {size / 1e9:.2f} GB", json)


def _results(count: int) -> str:
    return f"{count} result{'' if count == 1 else 's'}"


def _say(event: dict[str, Any], text: str, as_json: bool) -> None:
    import json

    typer.echo(json.dumps(event) if as_json else text)
