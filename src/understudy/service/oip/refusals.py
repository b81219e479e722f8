# SPDX-License-Identifier: Apache-2.0
"""Answers that are no result: a status code and a sentence that tells nothing of the service's machine."""

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from understudy.contracts.errors import UnderstudyError
from understudy.service.rpc_errors import CallLog, rpc_errors

# A slash that begins a word, and what follows it: /srv/packs/m.onnx, ../x, ~/y; not FP16/FP32 or n/m.
_PATH = re.compile(r"(?<![\w.~/])(?:~|\.{1,2})?/[^\s\"';:,()]+")


class RefusedError(Exception):
    """A refusal with a status code of its own, where none of the error tree says the same.

    Args:
        code: The status.
        sentence: For the client.
    """

    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def refusals(context: Any, call: CallLog) -> Iterator[None]:
    """Turns what the body raises into the call's status; paths of this machine are left out.

    Args:
        context: Of the call.
        call: Its log.
    """
    refused: RefusedError | None = None
    with rpc_errors(context, call):
        try:
            yield
        except RefusedError as error:
            call.fields["error"] = error.code.name
            call.fields["problem"] = str(error)
            refused = error
        except UnderstudyError as error:
            call.fields["problem"] = str(error)
            raise public(error) from error
    if refused is not None:
        context.abort(refused.code, str(refused))


def public(error: UnderstudyError) -> UnderstudyError:
    """The same error with every path taken out."""
    where = error.where if error.where and "/" not in error.where and "\\" not in error.where else None
    told = copy.copy(error)  # with what else its class holds
    told.problem, told.where = without_paths(error.problem), where
    told.fix = without_paths(error.fix) if error.fix else None
    return told


def without_paths(text: str) -> str:
    """A sentence with an ellipsis for each path."""
    return _PATH.sub("…", text)
