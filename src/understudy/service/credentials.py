# SPDX-License-Identifier: Apache-2.0
"""TLS on the service's side: certificate and key, read again when they are renewed, and client certificates."""

import logging
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from understudy.contracts.errors import UsageError
from understudy.private_file import require_private
from understudy.service.log import log_event


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """TLS on every TCP address; a Unix socket needs none, for it can be used by its owner alone.

    Attributes:
        certificate: PEM file with the service's certificate, then those between it and the authority. None: no TLS.
        key: PEM file with its private key, without a passphrase, readable by the service's user and group alone.
        client_ca: PEM file with the authorities of client certificates; given, every client needs one.
    """

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    @property
    def on(self) -> bool:
        """Whether anything of it is set."""
        return any((self.certificate, self.key, self.client_ca))


class TlsFiles:
    """The files of a `TlsSettings`, and credentials that follow them.

    Args:
        settings: With a certificate and a key.

    Raises:
        UsageError: A file is missing, not private, or no certificate or key; or the two do not belong together.
    """

    def __init__(self, settings: TlsSettings) -> None:
        if settings.certificate is None or settings.key is None:
            missing = "certificate" if settings.certificate is None else "key"
            raise UsageError(f"TLS needs a certificate and a key; there is no {missing}", where=f"tls.{missing}")
        self._certificate = settings.certificate
        self._key = settings.key
        self._client_ca = settings.client_ca
        self._lock = threading.Lock()
        self._stamp = self._stamped()
        self._first = self._load()

    def credentials(self) -> grpc.ServerCredentials:
        """For `grpc.Server.add_secure_port`; new handshakes use renewed files, running connections stay."""
        return grpc.dynamic_ssl_server_credentials(
            self._first, self._renewed, require_client_authentication=self._client_ca is not None
        )

    def _renewed(self) -> Any:
        """The new configuration when the files changed, else None. Files that do not fit leave the old one in use."""
        with self._lock:
            stamp = self._stamped()
            if stamp == self._stamp:
                return None
            self._stamp = stamp
            try:
                configuration = self._load()
            except UsageError as error:
                log_event("certificate refused", {"problem": str(error)}, level=logging.ERROR)
                return None
            log_event("certificate renewed")
            return configuration

    def _stamped(self) -> tuple[object, ...]:
        files = [path for path in (self._certificate, self._key, self._client_ca) if path is not None]
        return tuple(_stamp(path) for path in files)

    def _load(self) -> Any:
        require_private(self._key, "the key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # gRPC says of files that do not fit only that the port can't be opened; OpenSSL says which and why.
            context.load_cert_chain(self._certificate, self._key, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"certificate and key can't be used: {_reason(error)}",
                where=str(self._certificate),
                fix="check that both are PEM, and that the key is that of the first certificate",
            ) from None
        if self._client_ca is not None:
            try:
                context.load_verify_locations(self._client_ca)
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"the clients' authority can't be used: {_reason(error)}", where=str(self._client_ca)
                ) from None
        return grpc.ssl_server_certificate_configuration(
            [(self._key.read_bytes(), self._certificate.read_bytes())],
            self._client_ca.read_bytes() if self._client_ca is not None else None,
        )


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM in it").replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size)
