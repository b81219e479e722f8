# SPDX-License-Identifier: Apache-2.0
"""What a plug-in calls an image effect: its description, or an instance of it; both take messages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.properties import PropertySet
from understudy.ofx_host.scope import ScopeOwner

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


class EffectObject(ScopeOwner):
    """A description or an instance.

    Args:
        properties: Its own.

    Attributes:
        properties: As given.
        handle: The plug-in's (``OfxImageEffectHandle``).
        parameters_handle: That of its parameter set.
        messages: All that the plug-in said, in order.
        persistent_message: What stands on the node; None for nothing.
        on_message: Told each message as it comes.
        on_question: Answers a question; None where nobody can be asked.
        on_progress: Told how much is done, 0 to 1, and what; the answer False stops. None leaves it to itself.
    """

    def __init__(self, properties: PropertySet) -> None:
        super().__init__()
        self.properties = properties
        self.parameters_handle = 0
        self.messages: list[Message] = []
        self.persistent_message: Message | None = None
        self.on_message: Callable[[Message], None] | None = None
        self.on_question: Callable[[str], bool] | None = None
        self.on_progress: Callable[[float, str], bool] | None = None
        self.progress_label: str | None = None
        self.handle = HANDLES.add(self)

    def post(self, message: Message) -> None:
        """Keeps a message and passes it on."""
        self.messages.append(message)
        if message.persistent:
            self.persistent_message = message
        if self.on_message is not None:
            self.on_message(message)

    def forget_handles(self) -> None:
        """Makes its handles bad."""
        HANDLES.drop(self.handle)
        self.properties.close()
