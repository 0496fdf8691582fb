"""Move the index of an MP4 or MOV file to its front, so that players start before the whole file has arrived.

ISO/IEC 14496-12: the box ``moov`` holds, for every chunk of every track, its place in the file (``stco``, ``co64``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_MOST_INDEX = 512 << 20


def move_index(source: Path, target: Path) -> bool:
    """Write ``source`` to ``target`` with its index before the media. Returns False, and writes nothing, if there is
    nothing to move or the places would not fit their fields. Raises OSError."""
    with source.open("rb") as file:
        boxes = list(_boxes(file, source.stat().st_size))
        kinds = [kind for kind, _, _ in boxes]
        if kinds.count(b"moov") != 1 or b"mdat" not in kinds or kinds.index(b"moov") < kinds.index(b"mdat"):
            return False
        _, start, size = boxes[kinds.index(b"moov")]
        first = boxes[kinds.index(b"mdat")][1]
        if size > _MOST_INDEX or any(kind == b"moof" for kind in kinds):
            return False
        file.seek(start)
        index = bytearray(file.read(size))
        if not _shift(index, 0, size, size, first, start):
            return False
        with target.open("wb") as out:
            _copy(file, out, 0, first)
            out.write(index)
            _copy(file, out, first, start)
            _copy(file, out, start + size, source.stat().st_size)
    return True


def lacks_index(path: Path) -> bool:
    """Whether a file begins like an MP4 or MOV, and its index is missing or cut off: recordings get it at their end.
    Raises OSError."""
    with path.open("rb") as file:
        kinds = [kind for kind, _, _ in _boxes(file, path.stat().st_size)]
    return kinds[:1] == [b"ftyp"] and b"moov" not in kinds


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, start, size) of the boxes of the file."""
    at = 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, kind = struct.unpack(">I4s", head[:8])
        size = struct.unpack(">Q", head[8:])[0] if size == 1 and len(head) == 16 else size or end - at
        if size < 8 or at + size > end:
            return
        yield kind, at, size
        at += size


def _shift(index: bytearray, at: int, end: int, by: int, first: int, last: int) -> bool:
    """Add ``by`` to every place from ``first`` to ``last``. Returns False if one does not fit."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", index, at)
        if size < 8 or at + size > end:
            return False
        if kind in _PARENTS and not _shift(index, at + 8, at + size, by, first, last):
            return False
        if kind in (b"stco", b"co64"):
            (count,) = struct.unpack_from(">I", index, at + 12)
            form = f">{count}{'I' if kind == b'stco' else 'Q'}"
            if 16 + struct.calcsize(form) > size:
                return False
            places = [
                place + by if first <= place < last else place for place in struct.unpack_from(form, index, at + 16)
            ]
            if kind == b"stco" and places and max(places) >= 1 << 32:
                return False
            struct.pack_into(form, index, at + 16, *places)
        at += size
    return True


def _copy(file: BinaryIO, out: BinaryIO, start: int, end: int) -> None:
    file.seek(start)
    left = end - start
    while left > 0:
        data = file.read(min(left, 1 << 20))
        if not data:
            raise OSError("the file became shorter")
        out.write(data)
        left -= len(data)
