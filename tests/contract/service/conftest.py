# SPDX-License-Identifier: Apache-2.0
"""A service around an engine of known behavior."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from contract.service.rig import FakeEngine
from understudy.client.engine import RemoteEngine
from understudy.client.retries import NO_RETRIES, Retries
from understudy.service.limits import Limits
from understudy.service.server import Service


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    fake = FakeEngine()
    yield fake
    fake.release.set()  # nothing waits for longer than its test


Serving = Callable[..., Service]
Connect = Callable[..., RemoteEngine]


@pytest.fixture
def serving(engine: FakeEngine) -> Iterator[Serving]:
    """Starts a service around `engine` with these limits; stopped at the end."""
    with ExitStack() as stack:

        def start(*, reflection: bool = False, **limits: Any) -> Service:
            limits.setdefault("drain_s", 0.0)
            service = Service(engine, "127.0.0.1:0", limits=Limits(**limits), reflection=reflection)
            return stack.enter_context(service)

        yield start
        engine.release.set()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens clients; closed at the end."""
    with ExitStack() as stack:

        def open_client(
            address: str, *, timeout_s: float = 30.0, retries: Retries = NO_RETRIES, transport: str = "auto"
        ) -> RemoteEngine:
            client = RemoteEngine(address, timeout_s=timeout_s, retries=retries, transport=transport)
            stack.callback(client.close)
            return client

        yield open_client


@pytest.fixture
def remote(serving: Serving, connect: Connect) -> RemoteEngine:
    """A client of a service with usual limits."""
    return connect(serving().address)
