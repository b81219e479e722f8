# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in training, told to people."""


class TrainingError(Exception):
    """Something a person can put right.

    Args:
        problem: What was wrong, one sentence without a final period.
        where: The file and field (``"upscale-small.toml: run.steps"``).
        fix: What to do about it.
        exit_code: As the command line's: 1 internal or output, 2 usage, 3 input missing or unreadable,
            5 quality gate failed.
    """

    def __init__(self, problem: str, *, where: str = "", fix: str = "", exit_code: int = 2) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.fix = fix
        self.exit_code = exit_code

    def __str__(self) -> str:
        head = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{head}; {self.fix}" if self.fix else head
