# SPDX-License-Identifier: Apache-2.0
"""Names of the protocol's service and methods."""

from understudy.inference_protocol import messages

_SERVICE = messages.DESCRIPTOR.services_by_name["GRPCInferenceService"]

SERVICE = _SERVICE.full_name
"""``inference.GRPCInferenceService``."""

METHODS = tuple(method.name for method in _SERVICE.methods)


def path(method: str) -> str:
    """How gRPC addresses a method.

    Args:
        method: Such as ``ModelInfer``.
    """
    return f"/{SERVICE}/{method}"
