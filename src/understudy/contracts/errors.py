# SPDX-License-Identifier: Apache-2.0
"""The error tree. Each class carries the exit code of the command line; the service maps them to gRPC once.

::

    UnderstudyError                     1   internal
     + UsageError                       2   a parameter, an option, a graph document
     |  + ColorspaceError               2   unknown or undeclared color space
     |  + GraphError                    2   graph document
     + InputError                       3   a file or a sequence
     |  + MissingFileError              3
     |  + UnreadableFileError           3
     |  + UnsupportedFileError          3   understood, and refused with a reason (deep, no pixels)
     |  + SequenceError                 3   gaps, padding, mixed sizes
     |  + PlateError                    3   pixels that break the plate contract
     |     + UnknownPixelsError         3   pixels named to a service that does not have them
     + OutputError                      1   the disk is full, the folder is read-only
     + EffectError                      1   an OpenFX effect failed
     + MemoryBudgetError                4   does not fit in memory
     + QualityGateError                 5
     + PackError                        6   pack missing, broken, or not the pinned one
     |  + PackNotFoundError             6
     |  + PinMismatchError              6
     |  + ManifestError                 6
     |  + DuplicatePackError            6
     |  + DeviceUnavailableError        6   a device was asked for and is not there
     + RightsError                      7
     + AccessError                     77   the service does not know who calls, or the ends do not trust each other
     |  + ForbiddenError               77   it knows, and does not allow this
     + UnavailableError                75   try again
     |  + BusyError                    75   there and full; it says when to try again
     + JobCancelledError              130
"""

from typing import ClassVar


class UnderstudyError(Exception):
    """Base of all errors meant for people.

    Args:
        problem: What was wrong, one sentence without a final period.
        where: The file, field or node (``"plate.1004.exr"``, ``"nodes.slow.speed"``).
        fix: What to do about it, one sentence without a final period.

    Attributes:
        request_id: The request it ended, as a service's log names it; empty for none.
    """

    exit_code: ClassVar[int] = 1
    request_id: str = ""

    def __init__(self, problem: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        head = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{head}; {self.fix}" if self.fix else head


class UsageError(UnderstudyError):
    """A parameter, an option or a document is wrong."""

    exit_code = 2


class ColorspaceError(UsageError):
    """A color space is unknown to the config, or none was declared."""


class GraphError(UsageError):
    """The graph document is wrong; ``where`` points at it like ``nodes.slow.speed``."""


class InputError(UnderstudyError):
    """An input is missing or can't be used."""

    exit_code = 3


class MissingFileError(InputError):
    """A file or folder does not exist."""


class UnreadableFileError(InputError):
    """A file exists and can't be decoded or opened."""


class UnsupportedFileError(InputError):
    """A file is sound and of a kind that is refused."""


class SequenceError(InputError):
    """Frames are missing, padded wrongly or do not match each other."""


class PlateError(InputError):
    """Pixels or channels break the plate contract of the operation."""


class UnknownPixelsError(PlateError):
    """A request names pixels that the service does not have; our client then sends them."""


class OutputError(UnderstudyError):
    """A result can't be written."""


class EffectError(UnderstudyError):
    """An OpenFX effect failed, or breaks the rules of OpenFX."""


class MemoryBudgetError(UnderstudyError):
    """The job does not fit in memory."""

    exit_code = 4


class QualityGateError(UnderstudyError):
    """A result fell below a declared threshold."""

    exit_code = 5


class PackError(UnderstudyError):
    """A pack is missing or broken."""

    exit_code = 6


class PackNotFoundError(PackError):
    """No pack of that id (or version) is on the search path."""


class PinMismatchError(PackError):
    """A pack is there, with other bytes than the pinned ones."""


class ManifestError(PackError):
    """``pack.toml`` is wrong."""


class DuplicatePackError(PackError):
    """Two folders claim one id and version."""


class DeviceUnavailableError(PackError):
    """A device was asked for and is not there."""


class RightsError(UnderstudyError):
    """A policy refuses the pack or the job."""

    exit_code = 7


class AccessError(UnderstudyError):
    """The service does not know who calls, or one end does not trust the other's certificate."""

    exit_code = 77


class ForbiddenError(AccessError):
    """The caller may not do this, or not with this file."""


class UnavailableError(UnderstudyError):
    """The service is busy or away; trying again may help."""

    exit_code = 75


class BusyError(UnavailableError):
    """The service is there and can't take the job now.

    Args:
        problem: What was wrong.
        where: As for every error.
        fix: As for every error.
        retry_after_s: When trying again may help, seconds from now; the service's estimate.
    """

    def __init__(
        self, problem: str, *, where: str | None = None, fix: str | None = None, retry_after_s: float = 2.0
    ) -> None:
        super().__init__(problem, where=where, fix=fix)
        self.retry_after_s = retry_after_s


class JobCancelledError(UnderstudyError):
    """The caller cancelled the job."""

    exit_code = 130
