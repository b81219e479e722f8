# SPDX-License-Identifier: Apache-2.0
"""Which outputs of a plan are there and right, and why the others have to be made."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import InputError
from understudy.contracts.header import FileHeader
from understudy.frames.header import read_header
from understudy.frames.read import read_plate
from understudy.frames.sequence import format_frames
from understudy.graph.content_key import ContentKey, ContentKeys, difference, parse_key, read_patterns
from understudy.graph.key_header import KEY, Holds, has_image_id, holds
from understudy.graph.ledger import Ledger
from understudy.graph.plan import Plan
from understudy.graph.steps.step import Frame

_BESIDE = "+"
"""In the ledger: behind the digest of a picture that has a sidecar."""

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
    """How every output stands, with its sidecar where it has one.

    A file that the ledger knows is not opened. Of others the header is read, and where its key is the wanted one, all
    pixels, to see that nothing is missing.

    Args:
        plan: The plan.
        wanted: The key of each output.
        ledger: Learns what was found.
    """
    paths = {output: plan.writes[output[0]].path(output[1]) for output in wanted}
    beside = {output: plan.writes[output[0]].sidecar(output[1]) for output in wanted}
    known = ledger.keys([*paths.values(), *(path for path in beside.values() if path is not None)])
    reads = read_patterns(plan)

    def stands(output: Output) -> Standing:
        path, want, sidecar = paths[output], wanted[output], beside[output]
        told = known.get(path)
        if told == want.digest:
            return Standing(State.DONE)
        if told != want.digest + _BESIDE or sidecar is None:
            return _look(path, want, reads, sidecar, ledger)
        return Standing(State.DONE) if known.get(sidecar) == want.digest else _look_beside(sidecar, want, reads, ledger)

    with ThreadPoolExecutor(available_cores(), thread_name_prefix="look") as pool:
        return dict(zip(wanted, pool.map(stands, wanted), strict=True))


def note_rendered(ledger: Ledger, files: Sequence[Path], digest: str) -> None:
    """Has the ledger know the files of an output, which are whole.

    Args:
        ledger: The ledger.
        files: The picture, and its sidecar where it has one.
        digest: Of their content key.
    """
    for sidecar in files[1:]:
        ledger.rendered(sidecar, digest)
    ledger.rendered(files[0], digest + (_BESIDE if len(files) > 1 else ""))


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


def _look(path: Path, want: ContentKey, reads: Mapping[str, str], sidecar: Path | None, ledger: Ledger) -> Standing:
    if not path.exists():
        return Standing(State.MISSING)
    try:
        header = read_header(path)
        found = holds(header.metadata, want.digest)
        if found is None:
            return _other(header, want, reads)
        read_plate(path, frame=None, colorspace="", header=header)
    except InputError as error:
        return Standing(State.DAMAGED, error.problem)
    if found is Holds.ALONE or sidecar is None:
        note_rendered(ledger, [path], want.digest)
        return Standing(State.DONE)
    standing = _look_beside(sidecar, want, reads, ledger)
    if standing.state is State.DONE:
        note_rendered(ledger, [path, sidecar], want.digest)
    return standing


def _look_beside(sidecar: Path, want: ContentKey, reads: Mapping[str, str], ledger: Ledger) -> Standing:
    """How an output stands whose picture is done."""
    standing = _look(sidecar, want, reads, None, ledger)
    if standing.state is State.DONE:
        return standing
    state = State.DAMAGED if standing.state is State.MISSING else standing.state
    return Standing(state, f"its sidecar: {standing.why or 'is missing'}")  # alike for all frames: told together


def _other(header: FileHeader, want: ContentKey, reads: Mapping[str, str]) -> Standing:
    """How a file stands that was not made from what is wanted."""
    made = parse_key(header.metadata.get(KEY))
    if made is not None:
        return Standing(State.STALE, difference(made, want, reads))
    if has_image_id(header.metadata, header.container):
        return Standing(State.STALE, "by its image id it was made from something else, or by another program")
    return Standing(State.UNKNOWN, "its header holds no content key: another program or an older version made it")


def _range(frames: Sequence[Frame]) -> str:
    return format_frames(frame for frame in frames if frame is not None) or "still"
