# SPDX-License-Identifier: Apache-2.0
"""What plug-ins tell people (``ofxMessage.h``)."""

from dataclasses import dataclass
from typing import Literal

MessageKind = Literal["fatal", "error", "warning", "message", "log", "question"]

MESSAGE_KINDS: dict[str, MessageKind] = {
    "OfxMessageFatal": "fatal",
    "OfxMessageError": "error",
    "OfxMessageWarning": "warning",
    "OfxMessageMessage": "message",
    "OfxMessageLog": "log",
    "OfxMessageQuestion": "question",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What a plug-in told a person (``ofxMessage.h``).

    Attributes:
        kind: How bad it is.
        identifier: The plug-in's name for it; may be empty.
        text: The sentence.
        persistent: Whether it stands on the node until it is cleared.
    """

    kind: MessageKind
    identifier: str
    text: str
    persistent: bool = False
