# SPDX-License-Identifier: Apache-2.0
"""``understudy serve``: the engine of this machine for others to use."""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from understudy.codec.address import DEFAULT_ADDRESS
from understudy.service.limits import Limits

_MB = 1_000_000
_DEFAULTS = Limits()


def serve(
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where: host:port, [IPv6]:port or unix:path.")
    ] = DEFAULT_ADDRESS,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Short for --listen 127.0.0.1:PORT; 0 takes a free one.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Jobs that run at once; 0: one per core.")] = _DEFAULTS.workers,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    ocio: Annotated[str, typer.Option(metavar="CONFIG", help="OCIO config for requests that name none.")] = "",
    packs: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="A pack, or a folder of packs; looked at first.")
    ] = None,
    max_request_mb: Annotated[int, typer.Option(min=1, help="Most pixels of one request, MB.")] = (
        _DEFAULTS.max_request_bytes // _MB
    ),
    max_total_mb: Annotated[int, typer.Option(min=1, help="Most pixels of all open requests together, MB.")] = (
        _DEFAULTS.max_total_bytes // _MB
    ),
    max_requests: Annotated[int, typer.Option(min=1, help="Requests open at once, waiting ones too.")] = (
        _DEFAULTS.max_requests
    ),
    drain: Annotated[float, typer.Option(min=0, help="Seconds that running jobs get when the service stops.")] = (
        _DEFAULTS.drain_s
    ),
    reflection: Annotated[bool, typer.Option("--reflection", help="Let tools list the service's methods.")] = False,
    insecure_listen_anywhere: Annotated[
        bool,
        typer.Option(
            "--insecure-listen-anywhere", help="Allow an address that others reach, though nobody is checked."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say where it serves as a line of JSON.")] = False,
) -> None:
    """Serves this machine's engine over gRPC until it is told to stop (Ctrl-C, SIGTERM)."""
    stop = _stop_signals()
    # Before gRPC loads: its fork handlers only cost, and its own lines on standard error are no JSON.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from understudy.roles.engine import LocalEngine
    from understudy.service.log import log_to_stderr
    from understudy.service.server import Service

    log_to_stderr(verbose=verbose)
    limits = Limits(
        workers=workers,
        max_requests=max_requests,
        max_request_bytes=max_request_mb * _MB,
        max_total_bytes=max_total_mb * _MB,
        drain_s=drain,
    )
    engine = LocalEngine(device=device, ocio_config=ocio, extra_packs=tuple(packs or ()))
    address = listen if port is None else f"127.0.0.1:{port}"
    service = Service(engine, address, limits=limits, reflection=reflection, anywhere=insecure_listen_anywhere)
    service.start()
    _say(service.address, as_json=as_json)
    stop.wait()
    if service.stop():
        engine.close()
        return
    # A model is in the middle of a tile and can't be interrupted; waiting for it would outlast the one who stops us.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _stop_signals() -> "_Stop":
    stop = _Stop()
    signal.signal(signal.SIGTERM, stop.request)
    signal.signal(signal.SIGINT, stop.request)
    return stop


class _Stop:
    """The first signal asks to stop, a second one leaves at once."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def request(self, *_: object) -> None:
        if self._asked.is_set():
            os._exit(130)
        self._asked.set()

    def wait(self) -> None:
        while not self._asked.wait(1.0):
            pass  # a wait without end would not let Python run the signal handler on every platform


def _say(address: str, *, as_json: bool) -> None:
    line = json.dumps({"event": "serving", "address": address}) if as_json else f"serving on {address}; Ctrl-C stops"
    typer.echo(line)
    sys.stdout.flush()
