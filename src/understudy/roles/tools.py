# SPDX-License-Identifier: Apache-2.0
"""What a role may use: a color config and loaded models. Each role module has ``run(request, tools, control)``."""

from typing import Protocol

from understudy.color.config import ColorConfig
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import Role
from understudy.contracts.model import PackedModel

__all__ = ["PackedModel", "RoleTools"]


class RoleTools(Protocol):
    """Given to a role by the engine, for one request."""

    @property
    def color(self) -> ColorConfig:
        """The OCIO config that the request's color spaces belong to."""
        ...

    def load(self, pin: PackPin, role: Role) -> PackedModel:
        """The model of a pack, loaded once, shared, and kept in memory until the request ends.

        Raises:
            PackError: It is missing, broken, of another role, or not the pinned one.
        """
        ...
