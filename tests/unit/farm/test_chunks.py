# SPDX-License-Identifier: Apache-2.0
"""Chunks hold every frame once, and ranges mean the same here and in OpenJD."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.contracts.errors import UsageError
from understudy.farm.chunks import are_scattered, chunks, from_openjd, to_openjd
from understudy.frames.sequence import format_frames, parse_frames

FRAMES = st.sets(st.integers(-20, 300), min_size=1, max_size=60).map(sorted)


@given(FRAMES, st.integers(1, 12), st.booleans())
def test_every_frame_is_in_one_chunk_in_order(frames: list[int], size: int, contiguous: bool) -> None:  # noqa: FBT001
    found = chunks(frames, size, contiguous=contiguous)
    assert [frame for chunk in found for frame in chunk] == frames
    assert all(1 <= len(chunk) <= size for chunk in found)
    if contiguous:
        assert all(chunk[-1] - chunk[0] == len(chunk) - 1 for chunk in found)


def test_chunks_are_even() -> None:
    assert [len(chunk) for chunk in chunks(range(1001, 1011), 4, contiguous=True)] == [4, 3, 3]
    with pytest.raises(UsageError):
        chunks([1], 0, contiguous=True)


def test_every_second_frame_is_scattered_and_a_shot_with_a_hole_is_not() -> None:
    assert are_scattered(range(1, 100, 2), 10)
    assert not are_scattered([*range(1, 50), *range(60, 100)], 10)
    assert not are_scattered([], 10)


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("20-20", [20]),
        ("5,20,24,28", [5, 20, 24, 28]),
        ("32-40:4", [32, 36, 40]),
        ("1-4, 7 - 9", [1, 2, 3, 4, 7, 8, 9]),
        ("-5--1:2", [-5, -3, -1]),
        ("10-1:-3", [1, 4, 7, 10]),
        ("1001", [1001]),
    ],
)
def test_ranges_of_openjd(text: str, frames: list[int]) -> None:
    assert list(parse_frames(from_openjd(text))) == frames


@pytest.mark.parametrize("text", ["", "a", "1-", "1-10:0", "10-1", "1-10x2", "1-9999999999", "1,,2", "1:2"])
def test_what_is_no_range_of_openjd(text: str) -> None:
    with pytest.raises(UsageError):
        from_openjd(text)


@given(FRAMES)
def test_ranges_go_there_and_back(frames: list[int]) -> None:
    assert from_openjd(to_openjd(frames)) == format_frames(frames)


@settings(deadline=None)  # the first import takes its time
@given(FRAMES)
def test_openjd_reads_what_we_write_and_we_what_it_writes(frames: list[int]) -> None:
    model = pytest.importorskip("openjd.model")
    theirs = model.IntRangeExpr.from_str(to_openjd(frames))
    assert list(theirs) == frames
    assert from_openjd(str(theirs)) == format_frames(frames)
