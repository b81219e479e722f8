# SPDX-License-Identifier: Apache-2.0
"""Plates to their wire description and back; the pixels go beside it (`understudy.codec.pixels`)."""

from collections.abc import Mapping, Sequence
from typing import get_args

from understudy.codec.half import CONVERTS
from understudy.codec.protocol import MAX_CHANNELS, MAX_PLATES, MAX_SIDE
from understudy.contracts.errors import PlateError
from understudy.contracts.plate import FloatImage, MetadataValue, Plate, SampleType, Sanitized, Storage, Window
from understudy.wire.understudy.v1 import understudy_pb2 as pb

_TYPE_TO_PB: dict[SampleType, pb.SampleType] = {
    "half": pb.SAMPLE_TYPE_HALF,
    "float": pb.SAMPLE_TYPE_FLOAT,
    "uint": pb.SAMPLE_TYPE_UINT,
    "uint8": pb.SAMPLE_TYPE_UINT8,
    "uint16": pb.SAMPLE_TYPE_UINT16,
}
ENCODINGS = (
    (pb.PIXEL_ENCODING_FLOAT32_LE, pb.PIXEL_ENCODING_FLOAT32_OR_HALF_LE)
    if CONVERTS
    else (pb.PIXEL_ENCODING_FLOAT32_LE,)
)
"""Encodings of pixels that this end reads."""

_TYPE_FROM_PB: dict[int, SampleType] = {int(value): name for name, value in _TYPE_TO_PB.items()}
if set(_TYPE_TO_PB) != set(get_args(SampleType)):  # pragma: no cover
    raise ImportError("a sample type has no wire value")


def plate_to_pb(name: str, plate: Plate) -> pb.Plate:
    """Describes a plate.

    Args:
        name: What the role calls it.
        plate: Its pixels are only measured.

    Raises:
        PlateError: Something does not fit the wire (a number over 64 bits, text that is no Unicode).
    """
    try:
        return pb.Plate(
            name=name,
            channels=[
                pb.Channel(name=channel, sample_type=_TYPE_TO_PB[kind])
                for channel, kind in zip(plate.channels, plate.sample_types, strict=True)
            ],
            data_window=_window_to_pb(plate.data_window),
            display_window=_window_to_pb(plate.display_window),
            pixel_aspect=plate.pixel_aspect,
            frame=plate.frame,
            colorspace=plate.colorspace,
            premultiplied=plate.premultiplied,
            metadata=[pb.MetadataEntry(name=key, value=metadata_to_pb(value)) for key, value in plate.metadata.items()],
            storage=pb.Storage(
                container=plate.storage.container,
                compression=plate.storage.compression,
                colorspace=plate.storage.colorspace,
                aces_container=plate.storage.aces_container,
            ),
            sanitized=pb.Sanitized(nan=plate.sanitized.nan, inf=plate.sanitized.inf),
            encoding=pb.PIXEL_ENCODING_FLOAT32_LE,
            inline=pb.InlinePixels(size=plate.nbytes),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise PlateError(f"its description can't be sent: {error}", where=_where(name, plate.frame)) from error


def check_plate(message: pb.Plate) -> tuple[int, int, int]:
    """Checks a description before anything is allocated for it.

    Returns:
        Height, width, channels.

    Raises:
        PlateError: It is incomplete, out of bounds or contradicts itself.
    """
    where = _where(message.name, message.frame if message.HasField("frame") else None)
    if not message.name:
        raise PlateError("a plate has no name")
    if not message.HasField("data_window") or not message.HasField("display_window"):
        raise PlateError("a window is missing", where=where)
    width, height, count = message.data_window.width, message.data_window.height, len(message.channels)
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise PlateError(f"the data window is {width}x{height}; sides of 1 to {MAX_SIDE} pixels fit", where=where)
    if not 0 < count <= MAX_CHANNELS:
        raise PlateError(f"{count} channels; 1 to {MAX_CHANNELS} fit", where=where)
    for channel in message.channels:
        if channel.sample_type not in _TYPE_FROM_PB:
            raise PlateError(f"channel {channel.name!r} has no known sample type", where=where)
    kind = message.WhichOneof("pixels")
    if message.encoding not in ENCODINGS or (kind == "shared" and message.encoding != pb.PIXEL_ENCODING_FLOAT32_LE):
        raise PlateError(f"pixel encoding {message.encoding} is not known to this version", where=where)
    if kind is None:
        raise PlateError("its pixels are not in the call", where=where, fix="send them as chunks")
    if pixels_size(message) != width * height * count * 4:
        raise PlateError(
            f"{pixels_size(message)} bytes of pixels declared, but {width}x{height} with {count} channels takes"
            f" {width * height * count * 4}",
            where=where,
        )
    return height, width, count


def pixels_size(message: pb.Plate) -> int:
    """Bytes of pixels that a description declares, wherever they are; 0 when it does not say where."""
    match message.WhichOneof("pixels"):
        case "inline":
            return message.inline.size
        case "shared":
            return message.shared.size
        case "hashed":
            return message.hashed.size
        case _:
            return 0


def check_plates(declared: Sequence[pb.Plate]) -> list[tuple[int, int, int]]:
    """Checks the descriptions of a header.

    Returns:
        Height, width, channels of each.

    Raises:
        PlateError: One is wrong (`check_plate`), there are too many, or two have one name.
    """
    if len(declared) > MAX_PLATES:
        raise PlateError(f"{len(declared)} plates in one request; at most {MAX_PLATES} fit")
    shapes = [check_plate(message) for message in declared]
    names = [message.name for message in declared]
    if len(set(names)) != len(names):
        raise PlateError(f"plate names repeat: {', '.join(names)}")
    return shapes


def plate_from_pb(message: pb.Plate, pixels: FloatImage) -> Plate:
    """Joins a checked description (`check_plate`) with its pixels.

    Raises:
        PlateError: Channel names repeat, or a metadata value is empty.
    """
    frame = message.frame if message.HasField("frame") else None
    where = _where(message.name, frame)
    try:
        return Plate(
            pixels=pixels,
            channels=tuple(channel.name for channel in message.channels),
            sample_types=tuple(_TYPE_FROM_PB[channel.sample_type] for channel in message.channels),
            data_window=_window_from_pb(message.data_window),
            display_window=_window_from_pb(message.display_window),
            pixel_aspect=message.pixel_aspect,
            frame=frame,
            colorspace=message.colorspace,
            premultiplied=message.premultiplied,
            metadata={entry.name: metadata_from_pb(entry) for entry in message.metadata},
            storage=Storage(
                container=message.storage.container,
                compression=message.storage.compression,
                colorspace=message.storage.colorspace,
                aces_container=message.storage.aces_container,
            ),
            sanitized=Sanitized(nan=message.sanitized.nan, inf=message.sanitized.inf),
        )
    except PlateError as error:
        raise PlateError(error.problem, where=where, fix=error.fix) from error


def metadata_to_pb(value: MetadataValue) -> pb.MetadataValue:
    """A header value with its type.

    Raises:
        ValueError: A number does not fit 64 bits, or text is no Unicode.
        TypeError: It is none of the types a header value has.
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:  # bytes of a file that were not UTF-8, carried by Python's surrogate escapes
            return pb.MetadataValue(raw_text=value.encode(errors="surrogateescape"))
        return pb.MetadataValue(text=value)
    if isinstance(value, int):
        return pb.MetadataValue(integer=value) if value < 1 << 63 else pb.MetadataValue(unsigned=value)
    if isinstance(value, float):
        return pb.MetadataValue(real=value)
    if not isinstance(value, tuple):
        raise TypeError(f"a header value of type {type(value).__name__}")
    if all(isinstance(item, int) for item in value):
        return pb.MetadataValue(integers=pb.Integers(values=[int(item) for item in value]))
    return pb.MetadataValue(reals=pb.Floats(values=value))


def metadata_from_pb(entry: pb.MetadataEntry) -> MetadataValue:
    """The header value of an entry.

    Raises:
        PlateError: It has none that this version knows.
    """
    value = entry.value
    match value.WhichOneof("value"):
        case "text":
            return value.text
        case "raw_text":
            return value.raw_text.decode(errors="surrogateescape")
        case "integer":
            return value.integer
        case "unsigned":
            return value.unsigned
        case "real":
            return value.real
        case "integers":
            return tuple(value.integers.values)
        case "reals":
            return tuple(value.reals.values)
        case _:
            raise PlateError(f"metadata {entry.name!r} has no value that this version knows")


def plates_to_pb(plates: Mapping[str, Plate]) -> list[pb.Plate]:
    """Describes named plates, in their order."""
    return [plate_to_pb(name, plate) for name, plate in plates.items()]


def _window_to_pb(window: Window) -> pb.Window:
    return pb.Window(x=window.x, y=window.y, width=window.width, height=window.height)


def _window_from_pb(window: pb.Window) -> Window:
    return Window(window.x, window.y, window.width, window.height)


def _where(name: str, frame: int | None) -> str:
    return f"plate {name!r}" if frame is None else f"plate {name!r}, frame {frame}"
