# SPDX-License-Identifier: Apache-2.0
"""Windows, channels and alpha came through as the work on the plate would have them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from statistics import median

from understudy.contracts.header import FileHeader
from understudy.contracts.plate import Window
from understudy.frames.look import FrameLook
from understudy.publish.checks.check import Check, Finding, FrameNumber
from understudy.publish.checks.words import frames_are, frames_have
from understudy.publish.lineage import Lineage
from understudy.publish.subject import Subject

WINDOW = Check(
    name="window-changed",
    severity="error",
    family="picture",
    title="Frame size or window changed",
    catches=(
        "the display window or the pixel aspect is not the plate's (times the upscale) or that of the other frames, or "
        "a data window is not the plate's or reaches beyond it"
    ),
    fix="look which program cropped or reformatted the frames, and render them again",
)
CHANNELS = Check(
    name="channels-changed",
    severity="error",
    family="picture",
    title="Channels are missing in some frames",
    catches="a frame has other channels than most",
    fix="render the frames again",
)
ALPHA = Check(
    name="alpha-lost",
    severity="error",
    family="picture",
    title="Alpha is lost",
    catches="the plate has an alpha and the frames have none",
    fix="write a container that holds alpha, such as EXR, and keep the channel A",
)
ASSOCIATION = Check(
    name="premultiplication-changed",
    severity="error",
    family="picture",
    title="Premultiplication changed",
    catches=(
        "soft edges are brighter or darker beside solid pixels than in the plate, as after an unpremultiply or a "
        "second premultiply (measured, for no EXR says which it is)"
    ),
    fix="look for an unpremultiply without its premultiply after the render",
)

CHECKS = (WINDOW, CHANNELS, ALPHA, ASSOCIATION)

_CHANGE = 1.35
"""Soft edges that are this much brighter or darker have another association."""


def find(subject: Subject) -> Iterator[Finding]:
    """What is wrong with windows, channels and alpha."""
    headers = {frame: look.header for frame, look in subject.sound.items() if look.header}
    sources = subject.sources()
    yield from _displays(subject, headers, sources)
    yield from _data_windows(subject, headers, sources)
    yield from _channels(subject, headers)
    if subject.record and subject.record.sequence.content == "picture":
        yield from _alpha(subject, sources)


Shape = tuple[Window, float]


def _displays(
    subject: Subject, headers: Mapping[FrameNumber, FileHeader], sources: Mapping[FrameNumber, FrameLook]
) -> Iterator[Finding]:
    shapes: dict[FrameNumber, Shape] = {
        frame: (header.display_window, header.pixel_aspect) for frame, header in headers.items()
    }
    if not shapes:
        return
    plate = next((look.header for look in sources.values() if look.header), None)
    lineage = _lineage(subject)
    if plate and lineage and lineage.plate:
        wanted: Shape = (plate.display_window.scaled(lineage.scale), plate.pixel_aspect)
        whose = "the plate's" if lineage.scale == 1 else f"the plate's times {lineage.scale}"
    else:
        wanted, whose = Counter(shapes.values()).most_common(1)[0][0], "that of most frames"
    wrong: dict[Shape, list[FrameNumber]] = defaultdict(list)
    for frame, shape in shapes.items():
        if shape != wanted:
            wrong[shape].append(frame)
    for shape, frames in wrong.items():
        yield WINDOW.found(
            f"the display window of {frames_have(frames).rpartition(' ')[0]} is {_shape(shape)}, and {whose} is "
            f"{_shape(wanted)}",
            frames=frames,
            file=str(subject.path(frames[0])),
        )


def _data_windows(
    subject: Subject, headers: Mapping[FrameNumber, FileHeader], sources: Mapping[FrameNumber, FrameLook]
) -> Iterator[Finding]:
    lineage = _lineage(subject)
    there = {
        frame: _data(look.header).scaled(lineage.scale) for frame, look in sources.items() if look.header and lineage
    }
    if not there or not lineage:
        return
    union = next(iter(there.values()))
    for window in there.values():
        union = union.union(window)
    wrong = []
    for frame, header in headers.items():
        own = _data(header)
        beyond = own.union(union) != union
        if beyond or (not lineage.retimes and frame in there and own != there[frame]):
            wrong.append(frame)
    if wrong:
        first = _data(headers[wrong[0]])
        wanted = union if lineage.retimes else there.get(wrong[0], union)
        yield WINDOW.found(
            f"the data window of {frames_have(wrong).rpartition(' ')[0]} is not the plate's: {first} for {wanted}",
            frames=wrong,
            file=str(subject.path(wrong[0])),
        )


def _channels(subject: Subject, headers: Mapping[FrameNumber, FileHeader]) -> Iterator[Finding]:
    names = {
        frame: frozenset(name for part in header.parts for name in part.channels) for frame, header in headers.items()
    }
    if len(set(names.values())) < 2:
        return
    usual = Counter(names.values()).most_common(1)[0][0]
    odd: dict[frozenset[str], list[FrameNumber]] = defaultdict(list)
    for frame, own in names.items():
        if own != usual:
            odd[own].append(frame)
    for own, frames in odd.items():
        lacking, beyond = ", ".join(sorted(usual - own)), ", ".join(sorted(own - usual))
        what = " and ".join(
            text for text in (f"no {lacking}" * bool(lacking), f"{beyond} beyond" * bool(beyond)) if text
        )
        yield CHANNELS.found(f"{frames_have(frames)} {what}", frames=frames, file=str(subject.path(frames[0])))


def _alpha(subject: Subject, sources: Mapping[FrameNumber, FrameLook]) -> Iterator[Finding]:
    with_alpha = [look for look in sources.values() if look.alpha]
    if not with_alpha:
        return
    pictures = {frame: look for frame, look in subject.sound.items() if look.light is not None}
    lost = [frame for frame, look in pictures.items() if not look.alpha]
    if pictures and len(lost) == len(pictures):  # some only: another channel list, which is told already
        yield ALPHA.found(
            f"the plate has an alpha, and {frames_have(lost)} none", frames=lost, file=str(subject.path(lost[0]))
        )
    before = [look.association for look in with_alpha if look.association is not None]
    usual = median(before) if before else 0
    if not usual:
        return
    changed = {
        frame: look.association / usual
        for frame, look in pictures.items()
        if look.association is not None and not 1 / _CHANGE < look.association / usual < _CHANGE
    }
    if changed:
        factor = median(changed.values())
        bright = f"{factor:.1f} times as bright as" if factor > 1 else f"{1 / factor:.1f} times darker than"
        what = "unpremultiplied" if factor > 1 else "premultiplied twice"
        yield ASSOCIATION.found(
            f"{frames_are(changed)} {what}, it seems: soft edges are {bright} in the plate",
            frames=changed,
            file=str(subject.path(next(iter(changed)))),
        )


def _lineage(subject: Subject) -> Lineage | None:
    """The way of the picture, where all jobs agree on the size."""
    ways = list(subject.lineages.values())
    return ways[0] if ways and len({way.scale for way in ways}) == 1 else None


def _data(header: FileHeader | None) -> Window:
    assert header is not None
    window = header.parts[0].data_window
    for part in header.parts:
        window = window.union(part.data_window)
    return window


def _shape(shape: Shape) -> str:
    window, aspect = shape
    return str(window) + (f" of pixels {aspect:g} wide" if aspect != 1 else "")
