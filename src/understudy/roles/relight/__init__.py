# SPDX-License-Identifier: Apache-2.0
"""The relight role: shade AOVs under new lights, or multiply a plate by new light over present light."""

from understudy.roles.relight.fit import fit_normals
from understudy.roles.relight.run import run

__all__ = ["fit_normals", "run"]
