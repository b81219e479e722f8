# SPDX-License-Identifier: Apache-2.0
"""What a role may use: a color config and loaded models. Each role module has ``run(request, tools, control)``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from understudy.color.config import ColorConfig
from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import OptionValue, PackManifest, Role
from understudy.contracts.model import Call, Tensors
from understudy.contracts.plate import FloatImage


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedModel:
    """A loaded model with the promise it was loaded under.

    Attributes:
        manifest: The pack's manifest.
        pin: Id, version and digest.
        device: Where it runs: ``cpu``, ``cuda:0``.
        run: One call, safe from several threads.
        settle: Checks option values against the manifest and fills in defaults; raises UsageError.
    """

    manifest: PackManifest
    pin: PackPin
    device: str
    run: Callable[[Mapping[str, FloatImage], Call], Tensors]
    settle: Callable[[Mapping[str, OptionValue]], dict[str, OptionValue]]


class RoleTools(Protocol):
    """Given to a role by the engine, for one request."""

    @property
    def color(self) -> ColorConfig:
        """The OCIO config that the request's color spaces belong to."""
        ...

    def load(self, pin: PackPin, role: Role) -> PackedModel:
        """The model of a pack, loaded once and shared.

        Raises:
            PackError: It is missing, broken, of another role, or not the pinned one.
        """
        ...
