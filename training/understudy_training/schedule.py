# SPDX-License-Identifier: Apache-2.0
"""The learning rate over a run: it warms up, stays, and falls to zero at the end (a trapezoid).

Only the cool-down depends on when the run ends. So a run can be ended at any time by starting its cool-down, and its
true step numbers then are a schedule like any other (Haegele et al., Scaling Laws and Compute-Optimal Training Beyond
Fixed Training Durations, 2024).
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Schedule:
    """A trapezoid, in steps.

    Attributes:
        steps: Steps of the whole run.
        warmup_steps: Steps over which the rate rises from zero.
        cooldown_steps: Steps at the end over which it falls to zero.
    """

    steps: int
    warmup_steps: int
    cooldown_steps: int

    def factor(self, step: int) -> float:
        """The share of the full rate at a step, counted from 0; the first and last step have small ones, none has 0."""
        rising = (step + 1) / self.warmup_steps if self.warmup_steps else 1.0
        falling = (self.steps - step) / self.cooldown_steps if self.cooldown_steps else 1.0
        return max(0.0, min(1.0, rising, falling))

    @property
    def cooldown_share(self) -> float:
        """The share of the steps that cool down."""
        return self.cooldown_steps / self.steps if self.steps else 0.0

    def ending(self, step: int, cooldown_steps: int) -> "Schedule":
        """The schedule that cools down from a step on, over so many steps."""
        return replace(self, steps=step + cooldown_steps, cooldown_steps=cooldown_steps)
