# SPDX-License-Identifier: Apache-2.0
"""Which outputs of a plan are there and right, and why the others have to be made."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import InputError
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.sequence import format_frames
from understudy.graph.content_key import KEY, ContentKey, ContentKeys, difference, parse_key, read_patterns
from understudy.graph.ledger import Ledger
from understudy.graph.plan import Plan
from understudy.graph.steps.step import Frame

Output = tuple[str, Frame]
"""A write node and a frame."""


class State(StrEnum):
    """How an output stands."""

    DONE = "done"
    MISSING = "missing"
    DAMAGED = "damaged"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one output stands.

    Attributes:
        state: ``done`` is there, whole and of the wanted key; all else has to be made.
        why: For people; empty when done or missing.
    """

    state: State
    why: str = ""


def keys_of(keys: ContentKeys, ledger: Ledger, outputs: Sequence[Output]) -> dict[Output, ContentKey]:
    """The content key of every output; files that are not known to the ledger are read, on every core.

    Args:
        keys: Made with ``ledger.contents`` of one file at a time; asked after all files are known.
        ledger: Knows files.
        outputs: The outputs.
    """
    keys.know(ledger.contents(keys.files(tuple(outputs))))
    return {output: keys.of(*output) for output in outputs}


def standings(plan: Plan, wanted: Mapping[Output, ContentKey], ledger: Ledger) -> dict[Output, Standing]:
    """How every output stands.

    A file that the ledger knows is not opened. Of others the header is read, and where its key is the wanted one, all
    pixels, to see that nothing is missing.

    Args:
        plan: The plan.
        wanted: The key of each output.
        ledger: Learns what was found.
    """
    paths = {output: plan.writes[output[0]].path(output[1]) for output in wanted}
    known = ledger.keys(paths.values())
    reads = read_patterns(plan)

    def stands(output: Output) -> Standing:
        path, want = paths[output], wanted[output]
        if known.get(path) == want.digest:
            return Standing(State.DONE)
        return _look(path, want, reads)

    with ThreadPoolExecutor(available_cores(), thread_name_prefix="look") as pool:
        found = dict(zip(wanted, pool.map(stands, wanted), strict=True))
    for output, standing in found.items():
        if standing.state is State.DONE and paths[output] not in known:
            ledger.rendered(paths[output], wanted[output].digest)
    return found


def told(found: Mapping[Output, Standing]) -> list[tuple[str, Standing, str, int]]:
    """The standings of a plan, alike ones together: write node, standing, frames, count. What stands comes first."""
    groups: dict[tuple[str, Standing], list[Frame]] = {}
    for (name, frame), standing in found.items():
        groups.setdefault((name, standing), []).append(frame)
    order = list(State)
    return [
        (name, standing, _range(frames), len(frames))
        for (name, standing), frames in sorted(groups.items(), key=lambda item: order.index(item[0][1].state))
    ]


def _look(path: Path, want: ContentKey, reads: Mapping[str, str]) -> Standing:
    if not path.exists():
        return Standing(State.MISSING)
    try:
        header = read_header(path)
    except InputError as error:
        return Standing(State.DAMAGED, error.problem)
    made = parse_key(header.metadata.get(KEY))
    if made is None:
        return Standing(State.UNKNOWN, "its header holds no content key: another program or an older version made it")
    if made.digest != want.digest:
        return Standing(State.STALE, difference(made, want, reads))
    try:
        read_plate(path, frame=None, colorspace="", header=header)
    except InputError as error:
        return Standing(State.DAMAGED, error.problem)
    return Standing(State.DONE)


def _range(frames: Sequence[Frame]) -> str:
    return format_frames(frame for frame in frames if frame is not None) or "still"
