# SPDX-License-Identifier: Apache-2.0
"""TLS and tokens on the client's side, from the environment."""

import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from understudy.contracts.errors import UsageError

Options = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client shows a service, and whom it trusts.

    Attributes:
        tls: Use TLS on TCP addresses.
        ca: PEM file with the authorities it trusts; None: the system's.
        certificate: PEM file with the client's certificate; None: it shows none.
        key: PEM file with its key.
        name: Name in the service's certificate, where it is not that of the address.
        token: Bearer token; empty for none.
    """

    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    name: str = ""
    token: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Credentials":
        """What the variables ``UNDERSTUDY_TLS*`` and ``UNDERSTUDY_TOKEN*`` say.

        Raises:
            UsageError: They contradict each other, or the token's file can't be read.
        """
        ca, certificate, key = (
            Path(environment[name]) if environment.get(name) else None
            for name in ("UNDERSTUDY_TLS_CA", "UNDERSTUDY_TLS_CERT", "UNDERSTUDY_TLS_KEY")
        )
        name = environment.get("UNDERSTUDY_TLS_NAME", "")
        wish = environment.get("UNDERSTUDY_TLS", "")
        if wish not in ("", "0", "1"):
            raise UsageError(f"UNDERSTUDY_TLS is {wish!r}", fix="set it to 1, or to 0 for none")
        if (certificate is None) != (key is None):
            missing = "UNDERSTUDY_TLS_CERT" if certificate is None else "UNDERSTUDY_TLS_KEY"
            raise UsageError("a client certificate needs its key", where=missing, fix="set both")
        tls = wish != "0" and bool(wish or ca or certificate or name)
        return cls(tls=tls, ca=ca, certificate=certificate, key=key, name=name, token=_token(environment))

    def channel(self, target: str, options: Options, *, socket: bool, local: bool) -> Any:
        """Opens a channel; nothing is connected before the first call.

        Args:
            target: As gRPC takes it.
            options: Of the channel.
            socket: It leads to a Unix socket, where TLS is not used.
            local: Only this machine is on the way.

        Raises:
            UsageError: A file is no certificate or key, or the token would travel where others can read it.
        """
        if self.tls and not socket:
            named = (*options, ("grpc.ssl_target_name_override", self.name)) if self.name else options
            channel = grpc.secure_channel(target, self._ssl(), options=named)
        else:
            if self.token and not local:
                raise UsageError(
                    "the token would travel unencrypted, where others can read it",
                    where=target,
                    fix="set UNDERSTUDY_TLS=1 (or UNDERSTUDY_TLS_CA), or unset UNDERSTUDY_TOKEN",
                )
            channel = grpc.insecure_channel(target, options=options)
        return grpc.intercept_channel(channel, _WithToken(self.token)) if self.token else channel

    def _ssl(self) -> grpc.ChannelCredentials:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca is not None:
            _checked(self.ca, "UNDERSTUDY_TLS_CA", lambda: context.load_verify_locations(self.ca))
        if self.certificate is not None:
            _checked(
                self.certificate,
                "UNDERSTUDY_TLS_CERT, UNDERSTUDY_TLS_KEY",
                lambda: context.load_cert_chain(str(self.certificate), self.key, password=_no_passphrase),
            )
        root, key, chain = (path.read_bytes() if path else None for path in (self.ca, self.key, self.certificate))
        return grpc.ssl_channel_credentials(root or _system_roots(), key, chain)


class _WithToken(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc] # gRPC has no types
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc] # gRPC has no types
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc] # gRPC has no types
    grpc.StreamStreamClientInterceptor,  # type: ignore[misc] # gRPC has no types
):
    """Adds the token to each call."""

    def __init__(self, token: str) -> None:
        self._entry = ("authorization", f"Bearer {token}")

    def _intercept(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(_Details.of(details, (*(details.metadata or ()), self._entry)), request)

    intercept_unary_unary = _intercept
    intercept_unary_stream = _intercept
    intercept_stream_unary = _intercept
    intercept_stream_stream = _intercept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Details:
    """The facts of a call, as `grpc.ClientCallDetails` names them."""

    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str], ...]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any

    @classmethod
    def of(cls, like: Any, metadata: tuple[tuple[str, str], ...]) -> "_Details":
        return cls(
            method=like.method,
            timeout=like.timeout,
            metadata=metadata,
            credentials=like.credentials,
            wait_for_ready=like.wait_for_ready,
            compression=like.compression,
        )


def _token(environment: Mapping[str, str]) -> str:
    token, file = environment.get("UNDERSTUDY_TOKEN", ""), environment.get("UNDERSTUDY_TOKEN_FILE", "")
    where = "UNDERSTUDY_TOKEN"
    if token and file:
        raise UsageError("UNDERSTUDY_TOKEN and UNDERSTUDY_TOKEN_FILE are both set", fix="unset one of them")
    if file:
        where = f"UNDERSTUDY_TOKEN_FILE ({file})"
        try:
            token = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UsageError(f"the token can't be read: {reason}", where=where) from None
    token = token.strip()
    if not (token.isascii() and token.isprintable()) or " " in token or len(token) > 4096:
        raise UsageError("this is no token", where=where, fix="a token is one line of letters and digits")
    return token


def _checked(path: Path, where: str, load: Any) -> None:
    try:
        load()
    except (OSError, ValueError) as error:
        if isinstance(error, ssl.SSLError):
            reason = (error.reason or "there is no PEM in it").replace("_", " ").lower()
        else:
            reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} can't be used: {reason}", where=where) from None


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def _system_roots() -> bytes | None:
    """The authorities that OpenSSL finds on this system; None leaves gRPC its own list."""
    path = ssl.get_default_verify_paths().cafile
    return Path(path).read_bytes() if path and Path(path).is_file() else None
