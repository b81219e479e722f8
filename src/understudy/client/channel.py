# SPDX-License-Identifier: Apache-2.0
"""Opens the connection to a service, or to several replicas of one."""

import json
import socket
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from understudy.client.credentials import Credentials
from understudy.codec.address import Address, Replicas
from understudy.codec.protocol import INFO_METHOD, MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, SERVICE
from understudy.contracts.errors import UnavailableError

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.enable_http_proxy", 0),  # a studio's web proxy is not on the way to its GPU machine
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # a restarted service is found again at once
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # a minute otherwise, whatever the line above says
    ("grpc.service_config_disable_resolution", 1),  # what a DNS record says of balancing would replace ours
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
)

# Calls of one small message. Run is repeated by the client: gRPC does not keep that many pixels to send again.
_REPEATED_BY_GRPC = (INFO_METHOD, "Estimate", "Reach")
_RETRY_POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def open_channel(replicas: Replicas, credentials: Credentials | None = None) -> Any:
    """A channel to a service; nothing is connected before the first call.

    Of several replicas, those are asked in turn that say they are healthy under the service's own name. Names in a list
    are looked up here, once; a ``dns:///`` name is looked up by gRPC, and again whenever a replica goes away.

    Args:
        replicas: Where to.
        credentials: TLS and token; None takes the environment's.

    Raises:
        UsageError: The credentials are wrong, or the token would travel unencrypted.
        UnavailableError: None of several names is known.
    """
    credentials = credentials or Credentials.from_environment()
    socket_file = any(address.path for address in replicas.addresses)
    local = replicas.dns is None and all(address.local for address in replicas.addresses)
    if not replicas.several:
        return credentials.channel(replicas.addresses[0].target, _OPTIONS, socket=socket_file, local=local)
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": SERVICE},
        "methodConfig": [
            {"name": [{"service": SERVICE, "method": name} for name in _REPEATED_BY_GRPC], "retryPolicy": _RETRY_POLICY}
        ],
    }
    if replicas.addresses and not credentials.name:
        # Numbers stand in for the names; each certificate must be good for the first of them.
        credentials = replace(credentials, name=replicas.addresses[0].host)
    options = (*_OPTIONS, ("grpc.service_config", json.dumps(config)))
    return credentials.channel(balanced_target(replicas), options, socket=socket_file, local=local)


def balanced_target(replicas: Replicas) -> str:
    """One target for several replicas, as gRPC takes it.

    Raises:
        UnavailableError: None of the names is known.
    """
    if replicas.dns is not None:
        return f"dns:///{replicas.dns.target}"
    if replicas.addresses[0].path:
        return "unix:" + ",".join(address.path for address in replicas.addresses)
    numbers = list(dict.fromkeys(_looked_up(replicas.addresses)))
    if not numbers:
        raise UnavailableError("no machine has one of these names", where=str(replicas), fix="check the names")
    if all(isinstance(number, IPv4Address) for number, _ in numbers):
        return "ipv4:" + ",".join(f"{number}:{port}" for number, port in numbers)
    # One target holds one family; IPv4 has its place in IPv6 (RFC 4291, 2.5.5.2).
    return "ipv6:" + ",".join(
        f"[::ffff:{number}]:{port}" if isinstance(number, IPv4Address) else f"[{number}]:{port}"
        for number, port in numbers
    )


def _looked_up(addresses: Iterable[Address]) -> Iterable[tuple[IPv4Address | IPv6Address, int]]:
    """Numbers of the addresses; a name that nobody knows is left out, for its machine may be gone for good."""
    for address in addresses:
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except OSError:
            continue
        numbers = [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
        # A machine with both would count twice.
        family = [number for number in numbers if number.version == 4] or numbers
        for number in family:
            yield number, address.port
