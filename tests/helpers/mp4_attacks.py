"""MP4 files that state far more samples than they have bytes, made of a small film."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

MANY = 40_000_000
PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf")


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + kind + inside


def table(kind: bytes, *numbers: int) -> bytes:
    return box(kind, struct.pack(f">{1 + len(numbers)}I", 0, *numbers))


def long(whole: bytes) -> bytes:
    """A box, its length written in eight bytes."""
    return struct.pack(">I4sQ", 1, whole[4:8], 8 + len(whole)) + whole[8:]


def with_tables(data: bytes, changed: dict[bytes, bytes]) -> bytes:
    """A file, some of whose boxes have another content."""
    at, made = 0, b""
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        inside = data[at + 8 : at + size]
        made += changed.get(kind) or box(kind, with_tables(inside, changed) if kind in PARENTS else inside)
        at += size
    return made


def packed(data: bytes, *, stated: int | None = None) -> bytes:
    """A file whose index is compressed, as QuickTime did it."""

    def squeeze(index: bytes) -> bytes:
        size = len(index) if stated is None else stated
        inside = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", size), zlib.compress(index))
        return box(b"moov", box(b"cmov", inside))

    start = data.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", data, start)
    return data[:start] + squeeze(data[start : start + size]) + data[start + size :]


MANY_OF_ONE_SIZE = {b"stsz": table(b"stsz", 1, MANY)}
MANY_IN_A_RUN = box(b"trun", struct.pack(">III", 1, MANY, 0))
FRAGMENT = box(b"moof", box(b"traf", MANY_IN_A_RUN))
ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "many samples of one size": lambda data: with_tables(data, MANY_OF_ONE_SIZE),
    "edits that repeat them": lambda data: with_tables(
        data, {b"stsz": table(b"stsz", 1, 5000), b"elst": table(b"elst", 10_000, *(5000, 0, 1 << 16) * 10_000)}
    ),
    "chunks of as many": lambda data: with_tables(
        data, {b"stsc": table(b"stsc", 1, 1, 2_000_000_000, 1), b"stco": table(b"stco", 40, *[48] * 40)}
    ),
    "a fragment": lambda data: data + FRAGMENT,
    "tables with a long length": lambda data: with_tables(data, {b"stsz": long(table(b"stsz", 1, MANY))}),
    "a fragment with long lengths": lambda data: data + long(box(b"moof", long(box(b"traf", long(MANY_IN_A_RUN))))),
    "behind a box of another kind": lambda data: box(b"\1\2\3\4") + with_tables(data, MANY_OF_ONE_SIZE),
    "in a free box": lambda data: with_tables(data, MANY_OF_ONE_SIZE).replace(b"moov", b"free"),
    "a compressed index": lambda data: packed(with_tables(data, MANY_OF_ONE_SIZE)),
    "a large compressed index": lambda data: packed(data, stated=1 << 30),
    "a compressed index in another": lambda data: packed(packed(data)),
    "many compressed ones": lambda data: data + box(b"udta", (b"cmvd\0\0\1\0" + zlib.compress(b"")) * 9000),
    "an index in the wrong place": lambda data: data + box(b"udta", with_tables(data, MANY_OF_ONE_SIZE)),
    "tracks that overlap": lambda data: data + box(b"udta", *[struct.pack(">I4s", 99_999, b"trak")] * 9000),
    "tables that overlap": lambda data: data + box(b"udta", *[struct.pack(">4sII", b"stsc", 0, 9000)] * 9000),
}
