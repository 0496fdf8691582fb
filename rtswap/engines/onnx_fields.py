"""Parse an ONNX file field by field before an engine loads it, and reject unknown fields.

An ONNX file can make an engine read weights from other files, anywhere on the disk, or load operators from other
libraries. A text search for such references can be bypassed, since protobuf can encode the same content in several
ways; so the file is parsed according to protobuf's wire format (protobuf.dev/programming-guides/encoding), with the
field numbers of onnx.proto (ONNX 1.17).
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
"""Maximum nesting of messages. A subgraph adds three levels."""
MOST_FIELDS = 4_000_000
_STANDARD_DOMAINS = (b"", b"ai.onnx")
"""Domains that a node's operator may have. A domain that is only declared (converters list several) loads nothing."""

Message = Mapping[int, Wire | str]
"""Field number -> allowed wire types, or the name of the message type it contains."""


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
"""Fields ``external_data`` and ``data_location`` of a tensor."""


def why_refused(content: bytes) -> str:
    """Return why the file is rejected, in a few words; empty if it is accepted."""
    try:
        for count, _ in enumerate(_walk(memoryview(content), "model", 0)):
            if count >= MOST_FIELDS:
                return f"more than {MOST_FIELDS} fields"
    except ValueError as error:
        return str(error)
    return ""


def _walk(data: memoryview, kind: str, depth: int) -> Iterator[None]:
    """Check each field, recursively; yields once per field. Raises ValueError for one that is not allowed."""
    if depth > DEEPEST:
        raise ValueError(f"messages nested more than {DEEPEST} deep")
    for number, wire, body in fields(data):
        yield
        if kind == "tensor" and (number == _EXTERNAL or (number == _LOCATION and body.tobytes() != b"\0")):
            raise ValueError("weights in other files")
        if (kind, number) == ("node", 7) and bytes(body) not in _STANDARD_DOMAINS:
            raise ValueError(f"operators of the domain {bytes(body)[:40]!r}, which is not part of ONNX")
        allowed = MESSAGES[kind].get(number, ())
        if isinstance(allowed, str) and wire == _BYTES:
            yield from _walk(body, allowed, depth + 1)
        elif isinstance(allowed, str) or wire not in allowed:
            raise ValueError(f"field {number} of a {kind}, which is not supported")


def fields(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield (number, wire type, content) of each field. The content of a varint is ``b"\\0"`` for 0, else
    ``b"\\1"``."""
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
            raise ValueError(f"incomplete or damaged: unknown wire type at byte {at}")
        if number == 0 or size > end - at:
            raise ValueError(f"incomplete or damaged: a field of {size} bytes is longer than its message")
        yield number, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return (value, offset of the next byte). At most 10 bytes; the lowest 64 bits are used."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("incomplete or damaged: the file ends in the middle of a number")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), at
    raise ValueError("incomplete or damaged: a number of more than 10 bytes")
