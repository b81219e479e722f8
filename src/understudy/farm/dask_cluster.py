# SPDX-License-Identifier: Apache-2.0
"""Where a Dask job runs: on a cluster that is there, or on worker processes of its own that only this machine reaches.

Whoever reaches a Dask scheduler may run any program as its workers. So the own one listens on loopback alone and, where
the package ``cryptography`` is installed, lets in only who holds a certificate that is made for it and kept in memory.
"""

import logging
import os
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import AccessError, MissingFileError, UnavailableError, UnderstudyError, UsageError

LOOPBACK = "127.0.0.1"
CONNECT_S = 20.0
"""How long a scheduler may take to answer."""

_CORES_PER_WORKER = 4
_LEAST_WORKERS = 2
_SETTINGS: Mapping[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.deploy.lost-worker-timeout": "60s",  # a busy machine takes longer than 15 s to start a process
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a job runs.

    Attributes:
        scheduler: Address of a scheduler, ``host:port`` with ``tls://`` or ``tcp://`` before it or without; empty for
            worker processes of its own.
        workers: How many of these; 0: chosen.
        tls_ca: Certificate of the authority that both ends trust.
        tls_cert: Our certificate.
        tls_key: Its key; None when the certificate's file holds it.
    """

    scheduler: str = ""
    workers: int = 0
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def check(self) -> None:
        """Refuses what does not go together.

        Raises:
            UsageError: It does not.
            MissingFileError: A file of TLS is not there.
        """
        if self.scheduler and self.workers:
            raise UsageError(
                "--workers starts workers here, and --scheduler names others", where="--workers", fix="give one of them"
            )
        files = {"--tls-ca": self.tls_ca, "--tls-cert": self.tls_cert, "--tls-key": self.tls_key}
        given = {option: path for option, path in files.items() if path is not None}
        if given and not self.scheduler:
            raise UsageError("certificates are for a cluster that is there", where=next(iter(given)), fix=_NAME_IT)
        if given and not (self.tls_ca and self.tls_cert):
            raise UsageError("TLS needs --tls-ca and --tls-cert", where=next(iter(given)), fix="add the other one")
        if given and self.scheduler.startswith("tcp://"):
            raise UsageError("tcp:// is not encrypted", where="--scheduler", fix="name it tls://")
        if self.scheduler.startswith("tls://") and not given:
            raise UsageError(
                "a scheduler with TLS asks for a certificate",
                where="--scheduler",
                fix="give --tls-ca, --tls-cert and --tls-key",
            )
        for option, path in given.items():
            if not path.is_file():
                raise MissingFileError("there is no such file", where=f"{option} {path}")

    @property
    def address(self) -> str:
        """The scheduler's address with its protocol."""
        if "://" in self.scheduler:
            return self.scheduler
        return ("tls://" if self.tls_ca else "tcp://") + self.scheduler


_NAME_IT = "name it with --scheduler"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """An open cluster.

    Attributes:
        client: The ``distributed.Client``.
        cores: Name of each worker that we started, to the cores it may use; empty for a cluster that was there.
        remark: What a person should know about it; empty for nothing.
        refill: Starts workers anew that were given up; for a cluster that was there nothing.
    """

    client: Any
    cores: Mapping[str, tuple[int, ...]]
    remark: str = ""
    refill: Callable[[], None] = lambda: None


def require_dask() -> None:
    """Makes sure that Dask is installed.

    Raises:
        UsageError: It is not.
    """
    try:
        import distributed  # noqa: F401 - whether it is there
    except ImportError:
        raise UsageError(
            "Dask is not installed", where="--to dask", fix='pip install "understudy[farm]", here and on the workers'
        ) from None


@contextmanager
def open_cluster(place: Place) -> Iterator[Cluster]:
    """The cluster of a place; own workers end with it.

    Raises:
        UsageError: Dask is not installed, or the place makes no sense.
        AccessError: One end does not trust the other's certificate.
        UnavailableError: The scheduler does not answer, or workers can't be started.
    """
    place.check()
    require_dask()
    _quiet()
    with _existing(place) if place.scheduler else _own(place.workers or default_workers()) as cluster:
        yield cluster


def default_workers() -> int:
    """A worker for four cores, and two at least."""
    return max(_LEAST_WORKERS, available_cores() // _CORES_PER_WORKER)


def core_shares(cores: Sequence[int], workers: int) -> list[tuple[int, ...]]:
    """The cores of each worker: neighbors stay together; with fewer cores than workers, several have the same one."""
    if workers >= len(cores):
        return [(cores[index % len(cores)],) for index in range(workers)]
    bounds = [round(index * len(cores) / workers) for index in range(workers + 1)]
    return [tuple(cores[low:high]) for low, high in pairwise(bounds)]


@contextmanager
def _existing(place: Place) -> Iterator[Cluster]:
    from distributed import Client, Security

    security = None
    if place.tls_ca:
        try:
            security = Security(
                tls_ca_file=str(place.tls_ca),
                tls_client_cert=str(place.tls_cert),
                tls_client_key=str(place.tls_key or place.tls_cert),
                require_encryption=True,
            )
            security.get_connection_args("client")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise UsageError(
                f"the certificates can't be used ({error})", where="--tls-cert", fix="check that the key fits"
            ) from None
    with _errors(place.address), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that library versions differ: we compare what decides pixels ourselves
        client = Client(place.address, security=security, timeout=CONNECT_S, set_as_default=False, name="understudy")
    try:
        yield Cluster(client=client, cores={}, remark=_open_door(place))
    finally:
        with suppress(Exception):
            client.close()


@contextmanager
def _own(workers: int) -> Iterator[Cluster]:
    import dask
    from distributed import Client, LocalCluster

    security = _temporary_security()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    with dask.config.set(_SETTINGS):
        with _errors("the workers of this machine"):
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host=LOOPBACK,
                protocol="tls://" if security else "tcp://",
                security=security,
                dashboard_address=f"{LOOPBACK}:0",
                worker_dashboard_address=f"{LOOPBACK}:0",
                memory_limit=0,  # Dask's limit counts results that wait; what a frame takes is no such thing
                silence_logs=logging.CRITICAL,
            )
        try:
            with _errors("the workers of this machine"):
                client = Client(cluster, set_as_default=False, name="understudy", timeout=CONNECT_S)
            try:
                shares = core_shares(cores, workers) if cores else []
                yield Cluster(
                    client=client,
                    cores={str(name): share for name, share in enumerate(shares)},
                    remark="" if security else _UNGUARDED,
                    refill=lambda: cluster.scale(workers),
                )
            finally:
                with suppress(Exception):
                    client.close()
        finally:
            with suppress(Exception):
                cluster.close(timeout=5)


_UNGUARDED = "the workers are reached without a certificate, by others on this machine too: pip install cryptography"


def _temporary_security() -> Any:
    from distributed import Security

    try:
        return Security.temporary()
    except ImportError:
        return None


def _open_door(place: Place) -> str:
    host = place.address.partition("://")[2].rpartition(":")[0].strip("[]")
    if place.tls_ca or host in ("localhost", "::1") or host.startswith("127."):
        return ""
    return "the cluster has no TLS: whoever reaches its scheduler can run programs on its workers"


@contextmanager
def _errors(where: str) -> Iterator[None]:
    """Errors of the network as ours."""
    try:
        yield
    except UnderstudyError:
        raise
    except Exception as error:
        if _is_distrust(error):
            raise AccessError(
                "one end does not trust the other's certificate",
                where=where,
                fix="check --tls-ca and --tls-cert; one authority must have signed both ends",
            ) from None
        if isinstance(error, (ValueError, TypeError)):
            raise UsageError(f"is no address of a scheduler ({error})", where=where, fix="write host:port") from None
        raise UnavailableError(
            f"does not answer ({type(error).__name__}: {error})", where=where, fix="is a Dask scheduler running there?"
        ) from None


def _is_distrust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError) or "certificate" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _quiet() -> None:
    """Keeps Dask's log off the terminal: what matters is told as events and errors."""
    if os.environ.get("UNDERSTUDY_DEBUG"):
        return
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
