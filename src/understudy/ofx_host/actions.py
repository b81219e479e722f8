# SPDX-License-Identifier: Apache-2.0
"""Calls an action of a plug-in with its arguments, and judges the answer (OpenFX 1.5, "Image Effect Actions")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from understudy.contracts.errors import EffectError, JobCancelledError, MemoryBudgetError
from understudy.ofx_host.abi import Status, status_text
from understudy.ofx_host.bundles import PluginFile
from understudy.ofx_host.effect_object import EffectObject
from understudy.ofx_host.object_properties import IN_ARGUMENTS, OUT_ARGUMENTS
from understudy.ofx_host.properties import PropertySet, Rule, Value
from understudy.ofx_host.scope import Scope, entered

RENDER = "OfxImageEffectActionRender"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plug-in answered.

    Attributes:
        status: The status code.
        values: Out arguments.
        strangers: Names of properties that it asked of the arguments and that are not there.
    """

    status: int
    values: Mapping[str, tuple[Value, ...]]
    strangers: frozenset[str]

    @property
    def given(self) -> bool:
        """Whether it took the action on; otherwise the default holds."""
        return self.status == Status.OK

    def numbers(self, name: str) -> tuple[float, ...]:
        """An out argument of numbers."""
        return tuple(float(value) for value in self.values[name])

    def text(self, name: str) -> str:
        """An out argument that is one text."""
        return str(self.values[name][0])


def perform(
    plugin: PluginFile,
    target: EffectObject | None,
    action: str,
    scope: Scope,
    given: Mapping[str, Sequence[Value]] | None = None,
    more_out: Mapping[str, Rule] | None = None,
) -> Answer:
    """Calls the plug-in.

    Args:
        plugin: Which.
        target: The effect object; None for actions without.
        action: Name of the action.
        scope: What the call may use.
        given: In arguments; those not named have their defaults.
        more_out: Further out arguments, with their defaults.

    Raises:
        BaseException: What a callable of ours raised while the plug-in ran.
    """
    incoming = PropertySet(f"{action} in", IN_ARGUMENTS[action]) if action in IN_ARGUMENTS else None
    outgoing = None
    if action in OUT_ARGUMENTS:
        outgoing = PropertySet(f"{action} out", {**OUT_ARGUMENTS[action], **(more_out or {})})
    if incoming is not None:
        for name, arguments in (given or {}).items():
            incoming.put(name, *arguments)
    sets = [one for one in (incoming, outgoing) if one is not None]
    try:
        with entered(scope):
            status = plugin.struct.mainEntry(
                action.encode(),
                target.handle if target is not None else None,
                incoming.handle if incoming is not None else None,
                outgoing.handle if outgoing is not None else None,
            )
    finally:
        for one in sets:
            one.close()
    scope.end_action(action)
    values = {name: outgoing.values(name) for name in outgoing.names()} if outgoing is not None else {}
    return Answer(int(status), values, frozenset(name for one in sets for name in one.unknown))


def demand(answer: Answer, action: str, plugin: PluginFile, said: Sequence[str], *, aborted: bool = False) -> None:
    """Raises unless an action went well.

    Args:
        answer: To judge.
        action: What was called.
        plugin: Which.
        said: What the plug-in told people meanwhile.
        aborted: Whether it was told to stop.

    Raises:
        JobCancelledError: It was told to stop.
        MemoryBudgetError: It says that it has too little memory.
        EffectError: It failed.
    """
    if aborted:
        raise JobCancelledError("the render was aborted", where=plugin.identifier)
    if answer.status in {Status.OK, Status.REPLY_DEFAULT}:
        return
    what = action.removeprefix("OfxImageEffectAction").removeprefix("OfxAction")
    because = f": {' '.join(said)}" if said else ", and said nothing"
    problem = f"the effect answered {what} with {status_text(answer.status)}{because}"
    if answer.status == Status.MEMORY:
        raise MemoryBudgetError(problem, where=plugin.identifier, fix="render smaller frames")
    fix = None if said else "ask its maker"
    if answer.status == Status.MISSING_HOST_FEATURE:
        fix = "use it in a host that has what it needs"
    raise EffectError(problem, where=plugin.identifier, fix=fix)
