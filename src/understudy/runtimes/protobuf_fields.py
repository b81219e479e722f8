# SPDX-License-Identifier: Apache-2.0
"""Reads the fields of a protobuf message without its schema (protobuf.dev, "Encoding"). Bytes are not copied."""

from collections.abc import Iterator

Field = tuple[int, memoryview | int]
"""Number and value: bytes of a nested message, a text or a fixed number; or a whole number."""

FIXED32 = 5
FIXED64 = 1


def fields(view: memoryview) -> Iterator[Field]:
    """Field numbers and values of one message, in the order of the file.

    Raises:
        ValueError: It is cut short, or no message.
    """
    position, end = 0, len(view)
    while position < end:
        tag, position = varint(view, position)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("a field without a number")
        if wire_type == 0:
            value, position = varint(view, position)
            yield number, value
            continue
        if wire_type == 2:
            length, position = varint(view, position)
        elif wire_type in {FIXED64, FIXED32}:
            length = 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError("a wire type that ONNX does not use")
        if length > end - position:
            raise ValueError("cut short")
        yield number, view[position : position + length]
        position += length


def varint(view: memoryview, position: int) -> tuple[int, int]:
    """A number and the position after it.

    Raises:
        ValueError: It is cut short, or longer than 64 bits.
    """
    result = shift = 0
    while position < len(view):
        byte = view[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            if result >= 1 << 64:
                break
            return result, position
        shift += 7
        if shift > 63:
            break
    raise ValueError("a number that is cut short or longer than 64 bits")


def signed(value: int) -> int:
    """An ``int64`` from the unsigned number it is written as."""
    return value - (1 << 64) if value >= 1 << 63 else value


def integers(value: memoryview | int, most: int) -> Iterator[int]:
    """The numbers of one field of ``repeated int64``: packed, or one by one.

    Args:
        value: The field's value.
        most: How many there may be.

    Raises:
        ValueError: There are more, or they are cut short.
    """
    if isinstance(value, int):
        yield signed(value)
        return
    position, count = 0, 0
    while position < len(value):
        count += 1
        if count > most:
            raise ValueError("a list that is too long")
        number, position = varint(value, position)
        yield signed(number)


def text(value: memoryview | int) -> str:
    """A field of text.

    Raises:
        ValueError: It is a number, or not UTF-8.
    """
    if isinstance(value, int):
        raise ValueError("a number in the place of a text")
    return bytes(value).decode()
