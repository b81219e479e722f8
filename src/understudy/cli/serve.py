# SPDX-License-Identifier: Apache-2.0
"""``understudy serve``: the engine of this machine for others to use."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

_MB = 1_000_000


def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A configuration (understudy.service/1); the options below go before what it says."
        ),
    ] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Where: host:port, [IPv6]:port or unix:path; 127.0.0.1:7433 when left out. May be repeated.",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Short for --listen 127.0.0.1:PORT; 0 takes a free one.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Jobs that run at once on each device; one per core when left out."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or openvino; several with commas, such as cuda:0,cuda:1.")
    ] = None,
    ocio: Annotated[str | None, typer.Option(metavar="CONFIG", help="OCIO config for requests that name none.")] = None,
    packs: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="A pack, or a folder of packs; looked at first.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The show policy: packs that it refuses are not loaded, whoever asks."),
    ] = None,
    max_request_mb: Annotated[
        int | None, typer.Option(metavar="MB", min=1, help="Most pixels of one request; 4096 when left out.")
    ] = None,
    max_total_mb: Annotated[
        int | None, typer.Option(metavar="MB", min=1, help="Most pixels of all open requests; 8192 when left out.")
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Requests open at once, waiting ones too; 64 when left out.")
    ] = None,
    drain: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="What running jobs get when the service stops; 30 when left out."),
    ] = None,
    exit_when_idle: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=1, help="Stop when no request has been open for so long; never when left out."
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="TLS on TCP addresses: the service's certificate.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="PEM", help="Its private key.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Authority of client certificates; every client needs one then.")
    ] = None,
    access: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tokens and roles, as `understudy tokens` writes it; every call needs one."),
    ] = None,
    read_root: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Render by reference: files here may be read. May be repeated."),
    ] = None,
    write_root: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Render by reference: files here may be written. May be repeated."),
    ] = None,
    reflection: Annotated[bool, typer.Option("--reflection", help="Let tools list the service's methods.")] = False,
    insecure_listen_anywhere: Annotated[
        bool,
        typer.Option(
            "--insecure-listen-anywhere",
            help="Allow an address that others reach, without TLS or with nobody checked.",
        ),
    ] = False,
    status: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Status page and /metrics over HTTP: host:port; none when left out."),
    ] = None,
    insecure_status_anywhere: Annotated[
        bool,
        typer.Option(
            "--insecure-status-anywhere", help="Allow a status address that others reach, though nobody is checked."
        ),
    ] = False,
    tracing: Annotated[
        bool, typer.Option("--tracing", help="Send spans by OpenTelemetry, as its OTEL_* environment says.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say where it serves as a line of JSON.")] = False,
) -> None:
    """Serves this machine's engine over gRPC until it is told to stop (Ctrl-C, SIGTERM), or is idle for long."""
    stop = _stop_signals()
    # Before gRPC loads: its fork handlers only cost, and its own lines on standard error are no JSON.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from understudy.service.allocator import keep_memory

    keep_memory()
    from understudy.packs.policy import POLICY_VARIABLE
    from understudy.roles.engine import LocalEngine
    from understudy.service.config import default_config, load_config
    from understudy.service.log import log_to_stderr
    from understudy.service.server import Service

    addresses = [f"127.0.0.1:{port}"] if port is not None else listen
    settings = (default_config() if config is None else load_config(config)).replaced(
        {
            "listen": {
                "addresses": addresses,
                "reflection": reflection or None,
                "insecure_anywhere": insecure_listen_anywhere or None,
            },
            "engine": {"device": device, "ocio": ocio, "pack_folders": packs},
            "packs": {"policy": policy},
            "limits": {
                "workers": workers,
                "max_requests": max_requests,
                "max_request_bytes": max_request_mb and max_request_mb * _MB,
                "max_total_bytes": max_total_mb and max_total_mb * _MB,
                "drain_s": drain,
            },
            "tls": {"certificate": tls_certificate, "key": tls_key, "client_ca": tls_client_ca},
            "access": {"file": access},
            "files": {"read": read_root, "write": write_root},
            "log": {"verbose": verbose or None},
            "watch": {
                "status": status,
                "insecure_status_anywhere": insecure_status_anywhere or None,
                "tracing": tracing or None,
            },
        }
    )
    if settings.packs.policy is None and (named := os.environ.get(POLICY_VARIABLE)):
        settings = settings.replaced({"packs": {"policy": Path(named)}})
    log_to_stderr(verbose=settings.log.verbose)
    engines = [
        LocalEngine(
            device=name,
            ocio_config=settings.engine.ocio,
            extra_packs=settings.engine.pack_folders,
            settings=settings.packs.shared_by(len(settings.engine.devices)),
        )
        for name in settings.engine.devices
    ]
    with ExitStack() as closing:
        for engine in engines:
            closing.callback(engine.close)
            engine.watch()
        service = Service(
            engines,
            settings.listen.addresses,
            limits=settings.limits,
            queue=settings.queue,
            reflection=settings.listen.reflection,
            anywhere=settings.listen.insecure_anywhere,
            tls=settings.tls,
            access=settings.access,
            files=settings.files,
            watch=settings.watch,
            inference=settings.inference,
        )
        service.start()
        _say(service.addresses, service.status_url, as_json=as_json)
        stop.wait(lambda: exit_when_idle is not None and service.idle_s >= exit_when_idle)
        if service.stop():
            return
        closing.pop_all()
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

    def wait(self, done: Callable[[], bool]) -> None:
        # A wait without end would not let Python run the signal handler on every platform.
        while not self._asked.wait(1.0) and not done():
            pass


def _say(addresses: tuple[str, ...], status_url: str, *, as_json: bool) -> None:
    facts: dict[str, object] = {"event": "serving", "address": addresses[0], "addresses": list(addresses)}
    if status_url:
        facts["status"] = status_url
    page = f" (status: {status_url})" if status_url else ""
    typer.echo(json.dumps(facts) if as_json else f"serving on {', '.join(addresses)}{page}; Ctrl-C stops")
    sys.stdout.flush()
