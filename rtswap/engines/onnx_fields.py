"""An ONNX file is read field by field before any engine sees it: what is not known here is refused.

Engines follow what a file says: weights may lie in other files, anywhere on the disk, and operators in other
libraries. A search for such words can be passed by, since the format writes one thing in many ways; so the file is
parsed as protobuf's wire format prescribes (protobuf.dev/programming-guides/encoding), with the numbers of
onnx.proto (ONNX 1.17).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

Wire = tuple[int, ...]
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_NUMBERS, _FLOATS, _DOUBLES, _TEXT = (_VARINT,), (_FOUR,), (_EIGHT,), (_BYTES,)
_LISTED: dict[Wire, Wire] = {_NUMBERS: (_VARINT, _BYTES), _FLOATS: (_FOUR, _BYTES), _DOUBLES: (_EIGHT, _BYTES)}
"""Lists of numbers are written one by one, or packed into bytes."""
DEEPEST = 24
"""Messages in messages: a network within a network takes three."""
MOST_FIELDS = 4_000_000
_STANDARD_DOMAINS = (b"", b"ai.onnx")

Message = Mapping[int, Wire | str]
"""Field number -> the wire types that it may have, or the message that it holds."""


_ATTRIBUTE: dict[int, Wire | str] = {
    1: _TEXT,
    2: _FLOATS,
    3: _NUMBERS,
    4: _TEXT,
    7: _LISTED[_FLOATS],
    8: _LISTED[_NUMBERS],
    9: _TEXT,
    5: "tensor",
    6: "graph",
    10: "tensor",
    11: "graph",
    13: _TEXT,
    20: _NUMBERS,
}
_TENSOR: dict[int, Wire | str] = {
    1: _LISTED[_NUMBERS],
    2: _NUMBERS,
    4: _LISTED[_FLOATS],
    5: _LISTED[_NUMBERS],
    6: _TEXT,
    8: _TEXT,
    7: _LISTED[_NUMBERS],
    9: _TEXT,
    10: _LISTED[_DOUBLES],
    11: _LISTED[_NUMBERS],
    12: _TEXT,
    14: _NUMBERS,
    16: "pair",
}


def _message(fields: dict[int, Wire | str]) -> Message:
    return MappingProxyType(fields)


MESSAGES: Mapping[str, Message] = MappingProxyType(
    {
        "model": _message(
            {1: _NUMBERS, 2: _TEXT, 3: _TEXT, 4: _TEXT, 5: _NUMBERS, 6: _TEXT, 7: "graph", 8: "opset", 14: "pair"}
        ),
        "opset": _message({1: _TEXT, 2: _NUMBERS}),
        "pair": _message({1: _TEXT, 2: _TEXT}),
        "graph": _message(
            {1: "node", 2: _TEXT, 5: "tensor", 10: _TEXT, 11: "value", 12: "value", 13: "value", 16: "pair"}
        ),
        "node": _message({1: _TEXT, 2: _TEXT, 3: _TEXT, 4: _TEXT, 5: "attribute", 6: _TEXT, 7: _TEXT, 9: "pair"}),
        "attribute": _message(_ATTRIBUTE),
        "tensor": _message(_TENSOR),
        "value": _message({1: _TEXT, 2: "type", 3: _TEXT, 4: "pair"}),
        "type": _message({1: "tensor type", 6: _TEXT}),
        "tensor type": _message({1: _NUMBERS, 2: "shape"}),
        "shape": _message({1: "dimension"}),
        "dimension": _message({1: _NUMBERS, 2: _TEXT, 3: _TEXT}),
    }
)
_EXTERNAL, _LOCATION = 13, 14
"""Fields of a tensor: where in which file its numbers lie, and whether they do."""


def why_refused(content: bytes) -> str:
    """What speaks against the file, in a few words; empty where nothing does."""
    try:
        for count, _ in enumerate(_walk(memoryview(content), "model", 0)):
            if count >= MOST_FIELDS:
                return "more fields than a network has"
    except ValueError as error:
        return str(error)
    return ""


def _walk(data: memoryview, kind: str, depth: int) -> Iterator[None]:
    """Something for each field, of inner messages too. Raises ValueError."""
    if depth > DEEPEST:
        raise ValueError(f"messages more than {DEEPEST} deep")
    for number, wire, body in _fields(data):
        yield
        if kind == "tensor" and (number == _EXTERNAL or (number == _LOCATION and body.tobytes() != b"\0")):
            raise ValueError("weights in other files")
        if (kind, number) in (("node", 7), ("opset", 1)) and bytes(body) not in _STANDARD_DOMAINS:
            raise ValueError(f"operators of {bytes(body)[:40]!r}, which are not ONNX's own")
        allowed = MESSAGES[kind].get(number, ())
        if isinstance(allowed, str) and wire == _BYTES:
            yield from _walk(body, allowed, depth + 1)
        elif isinstance(allowed, str) or wire not in allowed:
            raise ValueError(f"field {number} of a {kind}, which networks do not need")


def _fields(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(number, wire type, content) of each field; a number's content is what its bytes come to, 0 as ``b"\\0"``."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, memoryview(b"\0" if value == 0 else b"\1")
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FOUR, _EIGHT):
            size = 4 if wire == _FOUR else 8
        else:
            raise ValueError(f"damage at byte {at}")
        if number == 0 or size > end - at:
            raise ValueError(f"damage: a field is longer than what holds it ({size} bytes)")
        yield number, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """(value, where the next byte lies). At most 10 bytes, of which 64 bits count."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("damage: the file ends in the middle of a number")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), at
    raise ValueError("damage: a number of more than 10 bytes")
