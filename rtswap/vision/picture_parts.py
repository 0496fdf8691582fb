"""Refuse pictures of so many parts that decoding them takes minutes or all memory, however small they are; measure
the parts of a TIFF.
"""

from __future__ import annotations

import re
import struct
from mmap import mmap
from pathlib import Path

from rtswap.core.errors import InputError

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
MOST_SCANS = 100
"""Of a progressive JPEG, each as large as the picture: 10 are usual, and 3,000 in 1 MB take minutes."""
MOST_PARTS = 100_000
"""Segments of a JPEG, chunks of a PNG, which Pillow reads one by one: two million in 24 MB took most of a minute."""
MOST_TEXTS = 100
"""Compressed texts of a PNG, each up to 8 MB, which OpenCV unpacks: a thousand in 8 MB took half a minute."""
_TEXTS = (b"zTXt", b"iTXt")
MOST_NOTES = 1000
"""Chunks of a PNG that hold none of its pictures: OpenCV's libpng prints a line for each that is wrong."""
_PICTURES = (b"IDAT", b"fdAT", b"fcTL")
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""Of JPEG (ITU T.81, B.1.1.3): not among the data of a scan."""
_SCAN, _JPEG_END, _LENGTH_BYTES = 0xDA, 0xD9, 2
_TILE = 322, 323
"""Tags of TIFF 6.0: TileWidth, TileLength."""
_NUMBERS = {3: "H", 4: "I", 8: "h", 9: "i", 16: "Q", 17: "q"}
"""TIFF's types of whole numbers above 255, as ``struct`` calls them."""
_CHUNK_BYTES = 12
"""Of a PNG, without its data: length, name, checksum."""


def refuse_many_parts(path: Path, data: bytes | mmap) -> None:
    """Raise InputError for a picture of too many parts. ``path``: for messages."""
    jpeg = data[: len(JPEG)] == JPEG
    parts, scans = _count_segments(data) if jpeg else (0, 0)
    chunks, texts, notes = (0, 0, 0) if jpeg else _count_chunks(data)
    if scans > MOST_SCANS:
        raise InputError(f"{path} is refused", expected=f"a JPEG of at most {MOST_SCANS} scans", got=f"{scans}")
    if texts > MOST_TEXTS:
        raise InputError(f"{path} is refused", expected=f"a PNG of at most {MOST_TEXTS} texts", got=f"{texts}")
    if notes > MOST_NOTES:
        raise InputError(f"{path} is refused", expected=f"a PNG of at most {MOST_NOTES:,} notes", got="more")
    if max(parts, chunks) > MOST_PARTS:
        raise InputError(f"{path} is refused", expected=f"a picture of at most {MOST_PARTS:,} parts", got="more")


def _count_segments(data: bytes | mmap) -> tuple[int, int]:
    """How many segments and scans a JPEG has, without what follows its end; no more than are refused."""
    segments, scans, at = 0, 0, 2
    while segments <= MOST_PARTS and (found := _MARKER.search(data, at)):
        at = found.end()
        kind = data[at - 1]
        if kind == _JPEG_END:
            break
        segments += 1
        scans += kind == _SCAN
        at += max(_LENGTH_BYTES, int.from_bytes(data[at : at + _LENGTH_BYTES], "big"))
    return segments, scans


def _count_chunks(data: bytes | mmap) -> tuple[int, int, int]:
    """How many chunks a PNG has, and packed texts and what is no picture among them; no more chunks than are refused.
    0 for another file."""
    chunks, texts, notes, at = 0, 0, 0, len(PNG)
    while data[: len(PNG)] == PNG and at < len(data) and chunks <= MOST_PARTS:
        chunks += 1
        texts += data[at + 4 : at + 8] in _TEXTS
        notes += data[at + 4 : at + 8] not in _PICTURES
        at += _CHUNK_BYTES + int.from_bytes(data[at : at + 4], "big")
    return chunks, texts, notes


def is_cut_off(data: bytes) -> bool:
    """Whether a PNG ends before its last chunk does: libpng prints a line of its own for it, and refuses it."""
    at = len(PNG)
    while data.startswith(PNG) and data[at + 4 : at + 8] != b"IEND" and at < len(data):
        at += _CHUNK_BYTES + int.from_bytes(data[at : at + 4], "big")
    return data.startswith(PNG) and at + _CHUNK_BYTES > len(data)


def tile_size(data: bytes) -> tuple[int, int]:
    """The largest (width, height) that the first directory of a TIFF states for its tiles, each of which is decoded
    as a whole, however small the picture is; (0, 0) without tiles and for another file. Raises struct.error."""
    order, large = {b"II": "<", b"MM": ">"}.get(data[:2]), data[2:4] in (b"+\0", b"\0+")
    if order is None or not (large or data[2:4] in (b"*\0", b"\0*")):
        return 0, 0
    offset, step, before = (order + "Q", 20, 12) if large else (order + "I", 12, 8)
    (at,) = struct.unpack_from(offset, data, 8 if large else 4)
    (count,) = struct.unpack_from(order + ("Q" if large else "H"), data, at)
    at += 8 if large else 2
    found = dict.fromkeys(_TILE, 0)
    for entry in range(at, at + step * min(count, MOST_PARTS), step):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in found and kind in _NUMBERS:
            number, place = order + _NUMBERS[kind], entry + before
            if struct.calcsize(number) > step - before:
                (place,) = struct.unpack_from(offset, data, place)
            found[tag] = max(
                found[tag], *struct.unpack_from(number, data, place)
            )  # some take the first, some the last
    return found[_TILE[0]], found[_TILE[1]]
