# SPDX-License-Identifier: Apache-2.0
"""Who sends requests, and how urgent they are."""

import getpass
import os
from dataclasses import dataclass

from understudy.contracts.errors import UsageError
from understudy.contracts.priority import Priority

USER_VARIABLE = "UNDERSTUDY_USER"
PRIORITY_VARIABLE = "UNDERSTUDY_PRIORITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Said with each request. A service that knows its callers by tokens or certificates goes by those.

    Attributes:
        user: Whose fair share of the service it is.
        priority: How urgent, beside other requests.
    """

    user: str = ""
    priority: Priority = Priority.NORMAL


def sender_from_environment() -> Sender:
    """``UNDERSTUDY_USER``, else the name this process runs under, and ``UNDERSTUDY_PRIORITY``.

    Raises:
        UsageError: The priority is none.
    """
    text = os.environ.get(PRIORITY_VARIABLE) or Priority.NORMAL.value
    if text not in list(Priority):
        raise UsageError(f'"{text}" is no priority', where=PRIORITY_VARIABLE, fix=f"write {', '.join(Priority)}")
    return Sender(user=os.environ.get(USER_VARIABLE) or _login(), priority=Priority(text))


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number without a name
        return f"uid{os.getuid()}" if hasattr(os, "getuid") else ""
