# SPDX-License-Identifier: Apache-2.0
"""Valid messages bent: by field, with values that break careless code, then by byte, with lengths and tags that lie.

Any protobuf message is taken as its descriptor says, so a field that is added to the protocol is bent without a change
here. JSON inside a message is bent as JSON.
"""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_INT = FieldDescriptor
_RANGES = {
    _INT.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    _INT.TYPE_SINT32: (-(1 << 31), (1 << 31) - 1),
    _INT.TYPE_UINT32: (0, (1 << 32) - 1),
    _INT.TYPE_ENUM: (0, (1 << 31) - 1),
    _INT.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    _INT.TYPE_SINT64: (-(1 << 63), (1 << 63) - 1),
    _INT.TYPE_UINT64: (0, (1 << 64) - 1),
}
_NUMBERS = (0, 1, -1, 2, 3, 4, 63, 64, 127, 128, 255, 256, 1023, 1024, 1025, 65535, 65536, 1 << 17, (1 << 17) + 1)
_REALS = (0.0, -0.0, 1.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e-320, 1e308, -1e308, 0.1, 3e9)
_TEXTS = (
    "",
    "\0",
    "a\0b",
    "\n",
    'x\n{"level": "error", "event": "forged"}',
    "\r\n\r\n",
    "\u202e",
    "é日本",
    "\U0001f600",
    "..",
    "../../../etc/passwd",
    "/etc/passwd",
    "/proc/self/environ",
    "/dev/shm",
    "%s%n%x",
    "{0.__class__}",
    "${HOME}",
    "'\"\\",
    "A" * 300,
    "\u0301" * 2000,
    "B" * 70_000,
    "upscale",
    "identity-upscale",
    "ACEScg",
    "plate",
)
_JSON_NODES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1 << 70,
    1e308,
    0.5,
    "",
    "\0",
    "3/0",
    "1e999999999",
    "NaN",
    [],
    {},
    [[]],
    {"": {}},
)
_JSON_TEXTS = (
    "",
    "null",
    "[]",
    "NaN",
    "-Infinity",
    "[" * 100_000,
    '{"a":' * 50_000,
    "[" * 5_000 + "]" * 5_000,
    "9" * 5_000,
    '{"role": "upscale", "scale": ' + "1" * 4_400 + "}",
    '"\\ud800"',
    '{"role": "upscale", "role": "motion"}',
    '{"__proto__": 1, "role": "upscale"}',
    "1e400",
    "\ufeff{}",
)


def mutated(message: Message, dice: random.Random) -> bytes:
    """A message bent in one to four places, as bytes; sometimes the bytes are bent too.

    A third of them have one number, word or value bent and nothing else: what passes the first checks goes deeper.
    """
    copy = type(message)()
    copy.CopyFrom(message)
    if dice.random() < 0.35:
        _bend(copy, dice)
        try:
            return copy.SerializeToString()
        except ValueError:
            return message.SerializeToString()
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        _bend(copy, dice)
    try:
        data = copy.SerializeToString()
    except ValueError:
        data = message.SerializeToString()
    return bent_bytes(data, dice) if dice.random() < 0.35 else data


def bent_bytes(data: bytes, dice: random.Random) -> bytes:
    """Bytes with a few of them changed, cut, moved, or a length that lies."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5))):
        at = dice.randrange(len(out) + 1)
        match dice.randrange(8):
            case 0 if out:
                out[at % len(out)] ^= 1 << dice.randrange(8)
            case 1:
                del out[at:]
            case 2:
                out[at:at] = dice.randbytes(dice.randint(1, 9))
            case 3 if out:
                out[at % len(out)] = dice.choice((0, 0x7F, 0x80, 0xFF))
            case 4:
                out[at:at] = b"\xff" * dice.randint(1, 11)  # a number that is too long
            case 5:
                out += out[at : at + 40]
            case 6:
                out[at:at] = _unknown(dice)
            case _:
                del out[at : at + dice.randint(1, 20)]
    return bytes(out)


def bent_json(text: str, dice: random.Random, words: Sequence[str] = ()) -> str:
    """JSON with a value replaced, or what looks like JSON and is none.

    Args:
        text: The JSON.
        dice: Decides.
        words: Further values that break careless code.
    """
    if dice.random() < 0.2:
        return dice.choice(_JSON_TEXTS)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return dice.choice(_JSON_TEXTS)
    places = list(_places(document))
    if places and dice.random() < 0.9:
        holder, key = dice.choice(places)
        match dice.randrange(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[dice.choice(_TEXTS[:24])] = dice.choice(_JSON_NODES)
            case _:
                holder[key] = dice.choice(
                    (*_JSON_NODES, *_TEXTS[:8], *words, *words, dice.choice(_NUMBERS), dice.uniform(-9, 9))
                )
    text = json.dumps(document)
    if dice.random() < 0.1:
        at = dice.randrange(len(text) + 1)
        text = text[:at] + dice.choice(("", "}", "[", "\0", "NaN", "9" * 400)) + text[at + dice.randrange(3) :]
    return text


def shuffled(messages: Sequence[bytes], dice: random.Random) -> list[bytes]:
    """A sequence of messages with one left out, said twice, moved, or from nowhere."""
    out = list(messages)
    for _ in range(dice.choice((0, 1, 1, 2))):
        at = dice.randrange(len(out)) if out else 0
        match dice.randrange(6):
            case 0 if out:
                del out[at]
            case 1 if out:
                out.insert(at, out[at])
            case 2 if out:
                out.append(out.pop(at))
            case 3:
                del out[at:]
            case 4:
                out.insert(at, dice.randbytes(dice.randrange(60)))
            case _:
                out.insert(at, b"")
    return out


def _bend(message: Message, dice: random.Random) -> None:
    """Bends one field of the message, or of one inside it."""
    fields: list[Any] = [*message.DESCRIPTOR.fields]
    if not fields:
        return
    here: list[Any] = [field for field, _ in message.ListFields()]
    inner = [field for field in here if field.message_type is not None and not _is_map(field)]
    if inner and dice.random() < 0.7:
        field = dice.choice(inner)
        value = getattr(message, field.name)
        if not field.is_repeated:
            _bend(value, dice)
            return
        if len(value) and dice.random() < 0.75:
            _bend(dice.choice(value), dice)
            return
    _set(message, dice.choice(here) if here and dice.random() < 0.6 else dice.choice(fields), dice)


def _set(message: Message, field: FieldDescriptor, dice: random.Random) -> None:
    if dice.random() < 0.15:
        message.ClearField(field.name)
    elif _is_map(field):
        holder = getattr(message, field.name)
        if field.message_type.fields_by_name["value"].message_type is None:
            holder[dice.choice((*_TEXTS[:24], *holder))] = dice.choice(_TEXTS)
        else:
            holder[dice.choice((*_TEXTS[:24], *holder))].SetInParent()
    elif field.is_repeated:
        _set_repeated(getattr(message, field.name), field, dice)
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
    elif field.name.endswith("_json"):
        setattr(message, field.name, bent_json(getattr(message, field.name), dice))
    else:
        setattr(message, field.name, _value(field, dice))


def _set_repeated(values: Any, field: FieldDescriptor, dice: random.Random) -> None:
    many = dice.choice((1, 2, 17, 300, 2000)) if field.message_type is None else dice.choice((1, 2, 40, 300))
    if field.message_type is None:
        values.extend(_value(field, dice) for _ in range(many if field.type != _INT.TYPE_STRING else min(many, 17)))
    elif len(values) and dice.random() < 0.8:
        one = type(values[0])()
        one.CopyFrom(dice.choice(values))
        for _ in range(many):
            values.add().CopyFrom(one)
    else:
        values.add()


def _value(field: FieldDescriptor, dice: random.Random) -> Any:
    if field.type in _RANGES:
        low, high = _RANGES[field.type]
        return min(max(dice.choice((*_NUMBERS, low, high, high - 1, dice.randint(low, high))), low), high)
    if field.type in (_INT.TYPE_DOUBLE, _INT.TYPE_FLOAT):
        return dice.choice(_REALS)
    if field.type == _INT.TYPE_BOOL:
        return dice.random() < 0.5
    if field.type == _INT.TYPE_BYTES:
        return dice.randbytes(dice.choice((0, 1, 3, 31, 32, 33, 64, 1000)))
    return dice.choice(_TEXTS)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key in a JSON document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield document, key
        yield from _places(value)


def _unknown(dice: random.Random) -> bytes:
    """A field that nobody knows, of any wire type, groups and reserved ones too."""
    tag = dice.choice((1, 5, 15, 2000, 1 << 28)) << 3 | dice.randrange(8)
    out = bytearray()
    while tag > 0x7F:
        out.append(tag & 0x7F | 0x80)
        tag >>= 7
    return bytes([*out, tag]) + dice.randbytes(dice.randrange(10))
