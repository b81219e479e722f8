# SPDX-License-Identifier: Apache-2.0
"""Opens the connection to a service."""

from typing import Any

import grpc

from understudy.codec.protocol import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.enable_http_proxy", 0),  # a studio's web proxy is not on the way to its GPU machine
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # a restarted service is found again at once
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


def open_channel(target: str) -> Any:
    """A channel to a service; nothing is connected before the first call.

    Args:
        target: As gRPC takes it: ``host:port`` or ``unix:path``.
    """
    return grpc.insecure_channel(target, options=_OPTIONS)
