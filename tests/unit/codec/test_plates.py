# SPDX-License-Identifier: Apache-2.0
"""A plate that crosses the wire is the same plate, bit for bit."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.service.rig import assert_same_plate, full_plate
from understudy.codec.pixels import Receiver, chunks
from understudy.codec.plates import check_plate, plate_to_pb, plates_to_pb
from understudy.codec.protocol import MAX_CHANNELS, MAX_PLATES, MAX_SIDE
from understudy.contracts.errors import MemoryBudgetError, PlateError
from understudy.contracts.plate import MetadataValue, Plate, SampleType, Sanitized, Storage, Window
from understudy.wire.understudy.v1 import understudy_pb2 as pb


def cross(plates: Mapping[str, Plate], size: int = 1 << 20, **limits: Any) -> dict[str, Plate]:
    """Sends plates through bytes."""
    declared = [pb.Plate.FromString(message.SerializeToString()) for message in plates_to_pb(plates)]
    receiver = Receiver(declared, **limits)
    for chunk in chunks(plates.values(), size):
        receiver.add(memoryview(bytes(chunk)))
    return receiver.finish()


int64 = st.integers(-(1 << 63), (1 << 64) - 1)
real = st.floats(allow_nan=True)
texts = st.text(max_size=8) | st.binary(max_size=8).map(lambda data: data.decode(errors="surrogateescape"))
metadata_values: st.SearchStrategy[MetadataValue] = (
    texts
    | int64
    | real
    | st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=4).map(tuple)
    | st.lists(real, min_size=1, max_size=4).map(tuple)
)
coordinate = st.integers(-(1 << 31), (1 << 31) - 1)


@st.composite
def plates(draw: st.DrawFn) -> Plate:
    names = draw(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4, unique=True))
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    bits = draw(st.binary(min_size=height * width * len(names) * 4, max_size=height * width * len(names) * 4))
    types: tuple[SampleType, ...] = tuple(draw(st.sampled_from(get_args(SampleType))) for _ in names)
    return Plate(
        pixels=np.frombuffer(bits, np.float32).reshape(height, width, len(names)).copy(),
        channels=tuple(names),
        sample_types=types,
        data_window=Window(draw(coordinate), draw(coordinate), width, height),
        display_window=Window(draw(coordinate), draw(coordinate), draw(st.integers(0, 9000)), draw(st.integers(0, 9))),
        colorspace=draw(st.text(max_size=10)),
        pixel_aspect=draw(st.floats(allow_nan=False)),
        frame=draw(st.none() | st.integers(-(1 << 63), (1 << 63) - 1)),
        premultiplied=draw(st.booleans()),
        metadata=draw(st.dictionaries(st.text(max_size=6), metadata_values, max_size=4)),
        storage=Storage(container=draw(st.text(max_size=4)), aces_container=draw(st.booleans())),
        sanitized=Sanitized(nan=draw(st.integers(0, 1 << 40)), inf=draw(st.integers(0, 9))),
    )


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=5), plates(), max_size=3), st.integers(1, 200))
def test_plates_survive_whatever_their_bits_and_however_they_are_cut(sent: dict[str, Plate], size: int) -> None:
    got = cross(sent, size, finite=False)
    assert list(got) == list(sent)
    for name, plate in sent.items():
        assert_same_plate(got[name], plate)


def test_uint_bits_that_look_like_nan_pass_the_finite_check() -> None:
    plate = full_plate()
    assert not np.isfinite(plate.pixels[..., 3]).all()
    assert_same_plate(cross({"plate": plate})["plate"], plate)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name_and_place(bad: float) -> None:
    plate = full_plate()
    pixels = plate.pixels.copy()
    pixels[4, 6, 1] = bad
    with pytest.raises(
        PlateError, match=rf"plate 'a', frame -1001: channel left\.G is {bad} at pixel 3, -996"
    ) as caught:
        cross({"a": replace(plate, pixels=pixels)})
    assert caught.value.fix


def test_a_large_plate_is_checked_to_its_last_row() -> None:
    pixels = np.zeros((3000, 701, 1), np.float32)
    pixels[2999, 700, 0] = np.nan
    window = Window(0, 0, 701, 3000)
    plate = Plate(
        pixels=pixels,
        channels=("Y",),
        sample_types=("float",),
        data_window=window,
        display_window=window,
        colorspace="",
    )
    with pytest.raises(PlateError, match="at pixel 700, 2999"):
        cross({"plate": plate})


def described(**changes: Any) -> pb.Plate:
    message = plate_to_pb("plate", full_plate())
    for name, value in changes.items():
        if value is None:
            message.ClearField(name)
        elif isinstance(value, (int, str)):
            setattr(message, name, value)
        else:
            getattr(message, name).CopyFrom(value)
    return message


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "no name"),
        ({"data_window": None}, "a window is missing"),
        ({"display_window": None}, "a window is missing"),
        ({"data_window": pb.Window(width=0, height=5)}, "0x5"),
        ({"data_window": pb.Window(width=MAX_SIDE + 1, height=1)}, f"{MAX_SIDE + 1}x1"),
        ({"data_window": pb.Window(width=5, height=7)}, None),
        (
            {"data_window": pb.Window(width=7, height=6)},
            "560 bytes of pixels declared, but 7x6 with 4 channels takes 672",
        ),
        ({"inline": pb.InlinePixels(size=1 << 63)}, "bytes of pixels declared"),
        ({"inline": None}, "not in the call"),
        ({"encoding": 0}, "encoding 0"),
        ({"encoding": 77}, "encoding 77"),
    ],
)
def test_wrong_descriptions_are_refused_before_memory_is_taken(changes: dict[str, Any], sentence: str | None) -> None:
    message = described(**changes)
    if sentence is None:
        assert check_plate(message) == (7, 5, 4)
        return
    with pytest.raises(PlateError, match=sentence):
        Receiver([message])


def test_channels_are_bounded_and_typed() -> None:
    message = described()
    message.channels[1].sample_type = 99  # type: ignore[assignment]
    with pytest.raises(PlateError, match=r"channel 'left\.G' has no known sample type"):
        Receiver([message])
    del message.channels[:]
    with pytest.raises(PlateError, match="0 channels"):
        Receiver([message])
    message.channels.extend(pb.Channel(name=str(i), sample_type=pb.SAMPLE_TYPE_HALF) for i in range(MAX_CHANNELS + 1))
    with pytest.raises(PlateError, match=f"{MAX_CHANNELS + 1} channels"):
        Receiver([message])


def test_repeated_channel_names_and_empty_metadata_are_refused_with_the_plate_named() -> None:
    message = described()
    message.channels[1].name = "R"
    with pytest.raises(PlateError, match="plate 'plate', frame -1001: channel names repeat"):
        Receiver([message]).add(memoryview(bytes(560)))
    message = described()
    message.metadata[0].value.Clear()
    with pytest.raises(PlateError, match="metadata 'owner' has no value"):
        Receiver([message]).add(memoryview(bytes(560)))


def test_the_budget_counts_all_plates_before_any_memory_is_taken() -> None:
    huge = pb.Window(width=MAX_SIDE, height=MAX_SIDE)
    message = described(data_window=huge, inline=pb.InlinePixels(size=MAX_SIDE * MAX_SIDE * 16))
    with pytest.raises(MemoryBudgetError, match="274878 MB"):
        Receiver([message], max_bytes=4 << 30)
    two = [described(), described(name="other")]
    assert Receiver(two, max_bytes=1120).size == 1120
    with pytest.raises(MemoryBudgetError):
        Receiver(two, max_bytes=1119)


def test_names_repeat_or_are_too_many() -> None:
    with pytest.raises(PlateError, match="plate names repeat: plate, plate"):
        Receiver([described(), described()])
    with pytest.raises(PlateError, match=f"{MAX_PLATES + 1} plates"):
        Receiver([described(name=str(i)) for i in range(MAX_PLATES + 1)])


def test_more_or_fewer_bytes_than_declared_are_refused() -> None:
    receiver = Receiver([described()], finite=False)
    receiver.add(memoryview(bytes(559)))
    with pytest.raises(PlateError, match="559 bytes of pixels came of the 560"):
        receiver.finish()
    with pytest.raises(PlateError, match="more pixels came than the 560 bytes"):
        receiver.add(memoryview(bytes(2)))
    receiver.add(memoryview(bytes(1)))
    assert list(receiver.finish()) == ["plate"]


@pytest.mark.parametrize(
    "metadata", [{"n": 1 << 64}, {"n": (1 << 63, 0)}, {"n": "\ud800"}, {"n": None}, {"n": [1]}, {"\udcff": 1}]
)
def test_what_the_wire_can_not_carry_is_a_sentence(metadata: dict[str, Any]) -> None:
    with pytest.raises(PlateError, match="plate 'a', frame -1001: its description can't be sent"):
        plate_to_pb("a", replace(full_plate(), metadata=metadata))


def test_nothing_is_copied_to_cut_a_plate() -> None:
    plate = full_plate()
    first = next(chunks([plate], 16))
    assert np.shares_memory(np.frombuffer(first, np.uint8), plate.pixels)
    assert [len(chunk) for chunk in chunks([plate], 100)] == [100, 100, 100, 100, 100, 60]
