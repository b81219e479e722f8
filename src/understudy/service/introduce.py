# SPDX-License-Identifier: Apache-2.0
"""Tells at the start of an answer which service gives it, so that clients of several replicas can compare them."""

from collections.abc import Callable
from typing import Any

from understudy import __version__
from understudy.codec.protocol import VERSION_KEY


def introduced(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, with the service's version sent ahead of its answer."""

    def answer(request: Any, context: Any) -> Any:
        context.send_initial_metadata(((VERSION_KEY, __version__),))
        return method(request, context)

    return answer
