# SPDX-License-Identifier: Apache-2.0
"""What a plug-in calls an image effect: its description, or an instance of it; both take messages."""

from collections.abc import Callable

from understudy.ofx_host.handles import HANDLES
from understudy.ofx_host.message import Message
from understudy.ofx_host.properties import PropertySet
from understudy.ofx_host.scope import ScopeOwner, current_scope


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
        scope = current_scope(self)
        if scope is not None:
            scope.messages.append(message)
        if message.persistent:
            self.persistent_message = message
        if self.on_message is not None:
            self.on_message(message)

    def forget_handles(self) -> None:
        """Makes its handles bad."""
        HANDLES.drop(self.handle)
        self.properties.close()
