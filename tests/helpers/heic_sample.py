"""A HEIC photo, 96x64, left (200, 50, 20) and right (150, 160, 140): no library of the tests writes one."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from struct import pack

_DATA = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAAJMAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoDCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xy"
    "bmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABgAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAJtt"
    "ZGF0AAAAjygBrwng40ecuq///g8f//6Dm5D9aF+kglJ59VZcd8amf/zCquplxCjo/XBMIVurGe68+411gC5eDC6TDp/ATvg5Kk/B"
    "2mbdHh5d5Qk0+3Ox4CcLDEkCzVzgd4AExXmDvM3aXMFx75KDJm3jc10S2RS0J0j2xW50qTuz+axHzjZDXdHS235Tx+9b/4LnzkwT"
)


def heic() -> bytes:
    return base64.b64decode(_DATA)


def heic_of(
    items: Sequence[tuple[bytes, bytes, tuple[int, int]]], references: Sequence[tuple[bytes, int, Sequence[int]]] = ()
) -> bytes:
    """A HEIC file of these items, with ids from 1: kind (``hvc1`` is the photo), content, stated (width, height). The
    last is the picture that is shown. ``references``: kind, from, to."""
    content = heic()
    configuration = content[content.index(b"hvcC") - 4 :][:0x78]
    photo = content[0x17A:]
    owners, listed, places, held = b"", b"", b"", b""
    properties = configuration
    for id_, (kind, data, size) in enumerate(items, 1):
        properties += _box(b"ispe", pack(">III", 0, *size))
        numbers = [id_ + 1, *([1] if kind == b"hvc1" else [])]
        owners += pack(f">HB{len(numbers)}H", id_, len(numbers), *numbers)
        listed += _box(b"infe", pack(">IHH4sB", 2 << 24, id_, 0, kind, 0))
        data = photo if kind == b"hvc1" else data
        places += pack(">HHHHII", id_, 1, 0, 1, len(held), len(data))
        held += data
    inner = [
        _box(b"hdlr", pack(">II4s13x", 0, 0, b"pict")),
        _box(b"pitm", pack(">IH", 0, len(items))),
        _box(b"iloc", pack(">IHH", 1 << 24, 0x4400, len(items)) + places),
        _box(b"iinf", pack(">IH", 0, len(items)) + listed),
        _box(b"iref", bytes(4) + b"".join(_reference(*one) for one in references)),
        _box(b"iprp", _box(b"ipco", properties) + _box(b"ipma", pack(">II", 1, len(items)) + owners)),
        _box(b"idat", held),
    ]
    return _box(b"ftyp", b"heic\0\0\0\0mif1heic") + _box(b"meta", bytes(4) + b"".join(inner))


def grid_of(rows: int, columns: int, size: tuple[int, int]) -> bytes:
    """The content of an item of the kind ``grid``."""
    return pack(">BBBBII", 0, 1, rows - 1, columns - 1, *size)


def _box(kind: bytes, content: bytes) -> bytes:
    return pack(">I4s", 8 + len(content), kind) + content


def _reference(kind: bytes, item: int, to: Sequence[int]) -> bytes:
    return _box(kind, pack(f">HH{len(to)}H", item, len(to), *to))
