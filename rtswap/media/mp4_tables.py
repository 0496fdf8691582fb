"""Refuse MP4 and MOV files that state far more samples than they have bytes (ISO/IEC 14496-12).

FFmpeg notes where each sample is, 24 bytes or more for one, before it shows a picture. A few bytes state any number
of samples of one size (``stsz``), of a chunk (``stsc``) or of a fragment (``trun``), and each edit of a track
(``elst``) may repeat all of them: a file of 30 kB took all memory.
"""

from __future__ import annotations

import re
import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rtswap.core.files import open_regular

LEAST, IN_A_BYTE = 4_000_000, 2
"""Samples that any file may state, which take 100 MB, and that a larger one may state for each of its bytes: some old
ones count the samples of compressed sound."""
_MOST_PACKED = 16 << 20
"""Bytes of a compressed index (``cmov``), as QuickTime once wrote them."""
_TABLE = re.compile(rb"trak|stsz|stz2|stsc|stco|co64|elst|trun|cmvd|sidx")
_NAME = re.compile(rb"[a-z][a-z0-9 ]{3}")
"""Of a box that FFmpeg knows."""
_NO_TABLES = (b"mdat", b"skip", b"wide")
_MOVIE = (b"mvhd", b"cmov")
"""With what a ``free`` box begins that FFmpeg takes for an index, where there is none."""
LONGEST_HEAD = 24
"""Bytes of a box that tell what it is."""
_MOST_HIDDEN, _LEAST_HIDDEN = 10_000_000, 1000
"""Bytes of boxes to which only an index leads, which may overlap; the least that one counts as."""
_IN_A_PIECE = 160
"""Least samples of uncompressed sound that FFmpeg notes as one."""
_ONE = struct.pack(">I", 1)
Data = bytes | mmap


def refuse_many_samples(path: Path) -> None:
    """Raise ValueError for a file that states too many samples for its size, and OSError if it cannot be read."""
    with open_regular(path) as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        stated = sum(count_samples(data, begin, end) for begin, end in _boxes(data))
        if stated > max(LEAST, IN_A_BYTE * len(data)):
            raise ValueError(f"tables of {stated:,} samples in a file of {len(data):,} bytes")


@dataclass(slots=True)
class _Track:
    """What the tables of a track state."""

    plain_sound: bool = False
    """FFmpeg notes pieces of it."""
    samples: int = 0
    edits: int = 1
    chunks: int = 0
    in_a_chunk: int = 0

    @property
    def noted(self) -> int:
        """How many samples FFmpeg notes, at most."""
        pieces = self.chunks * self.in_a_chunk // _IN_A_PIECE
        return (pieces if self.plain_sound else max(self.samples, pieces)) * self.edits


class Box(NamedTuple):
    """A box of the outermost level, in bytes of the file. ``end``: None if it goes to the end. ``tables``: FFmpeg may
    find tables in it."""

    name: bytes
    inside: int
    end: int | None
    tables: bool


def box_at(data: Data, at: int, begins: int = 0) -> Box | None:
    """The box at a place in ``data``, which begin at byte ``begins`` of the file; None for what is none."""
    size, name = struct.unpack_from(">I4s", data, at)
    head = 8
    if size == 1:
        size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
    if 0 < size < head:
        return None
    hidden = name == b"free" and data[at + head + 4 : at + head + 8] in _MOVIE
    tables = hidden or (name not in (*_NO_TABLES, b"free") and bool(_NAME.fullmatch(name)))
    begin = begins + at
    return Box(name, begin + head, begin + size if size else None, tables)


def _boxes(data: mmap) -> Iterator[tuple[int, int]]:
    """Where the boxes of a file that may hold tables begin and end; none of a file of another kind. Raises
    ValueError."""
    begins, leads_to = array("Q"), set[int]()
    for at, end, box in _boxes_from(data, 0):
        begins.append(at)
        if box.name == b"sidx":
            leads_to.update(_fragments(data, box.inside, end))
        if box.tables:
            yield at, end
    hidden = 0
    for first in leads_to:  # FFmpeg goes there when it is positioned
        for at, end, box in _boxes_from(data, first):
            if begins[max(0, bisect_right(begins, at) - 1)] == at:
                break
            hidden += max(end - at, _LEAST_HIDDEN)
            if hidden > max(2 * len(data), _MOST_HIDDEN):
                raise ValueError("an index that leads to no fragments")
            if box.tables:
                yield at, end


def _boxes_from(data: mmap, at: int) -> Iterator[tuple[int, int, Box]]:
    """Boxes one after the other: where each begins and ends, and what it is."""
    while at + 8 <= len(data) and (box := box_at(data, at)) is not None:
        end = len(data) if box.end is None else min(box.end, len(data))
        yield at, end, box
        at = end


def _fragments(data: mmap, begin: int, end: int) -> Iterator[int]:
    """Where an index of fragments (``sidx``) leads to."""
    long = data[begin : begin + 1] == b"\1"
    at = begin + (28 if long else 20)
    to = end + int.from_bytes(data[at - (8 if long else 4) : at], "big")
    for row in range(at + 4, min(end, at + 4 + 12 * int.from_bytes(data[at + 2 : at + 4], "big")), 12):
        yield to
        to += int.from_bytes(data[row : row + 4], "big") & 0x7FFFFFFF


def count_samples(data: Data, begin: int, end: int) -> int:
    """How many samples the tables between two places state, whatever they are in. Raises ValueError."""
    total, track, left = 0, _Track(), 2 * (end - begin)
    for found in _TABLE.finditer(data, begin, end):
        name, at, length = found[0], found.end(), int.from_bytes(data[found.start() - 4 : found.start()], "big") - 8
        if length == 1 - 8:  # FFmpeg reads the length of any box from eight more bytes, if it is 1
            at, length = at + 8, int.from_bytes(data[at : at + 8], "big") - 16
        _, first, second = struct.unpack(">3I", data[at : at + 12].ljust(12, b"\0"))
        inside = 0
        """Bytes that are read, here or by the table's box."""
        if name == b"trak":
            inside = max(0, min(length, end - at))
            total += track.noted
            track = _Track(left >= inside and _is_plain_sound(data[at : at + inside]))
        elif name == b"trun":
            total += first
        elif name == b"cmvd":
            inside = end - at
            total += _count_packed(data[at:end]) if left >= inside else 0
        elif name == b"sidx":
            if found.start() > begin + 4 and data[at : at + 1] in (b"\0", b"\1"):
                raise ValueError("an index of fragments within another box")
        elif name == b"elst":
            track.edits = max(track.edits, first)
        elif name in (b"stsz", b"stz2"):
            track.samples = max(track.samples, second)
        elif name == b"stsc":
            inside = 12 * max(0, min(first, (end - at - 8) // 12))
            if left >= inside:
                sizes = np.frombuffer(data, ">u4", inside // 4, at + 8)[1::3].max(initial=0)
                track.in_a_chunk = max(track.in_a_chunk, int(sizes))
        else:
            track.chunks = max(track.chunks, first)
        left -= inside
        if left < 0:
            raise ValueError("tables that overlap")
    return total + track.noted


def _is_plain_sound(track: bytes) -> bool:
    """Whether a track is, to FFmpeg without any doubt, sound whose samples last a tick each."""
    media = _child(track, b"mdia")
    times = _child(_child(_child(media, b"minf"), b"stbl"), b"stts")
    even = (times[4:8], times[12:16], track.count(b"stts")) == (_ONE, _ONE, 1)
    return even and _child(media, b"hdlr")[8:12] == b"soun" and b"vide" not in track and b"m1v " not in track


def _child(data: bytes, wanted: bytes) -> bytes:
    """The content of the first box of a kind; empty if there is none."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name == wanted:
            return data[at + 8 : at + size]
        at += max(8, size)
    return b""


def _count_packed(data: bytes) -> int:
    """The same of a compressed index. Raises ValueError for one that is too large, or in another."""
    size = int.from_bytes(data[:4], "big")
    if size > _MOST_PACKED:
        raise ValueError(f"a compressed index of {size:,} bytes")
    with suppress(zlib.error):
        unpacked = zlib.decompressobj().decompress(data[4:], _MOST_PACKED)
        if b"cmvd" in unpacked:
            raise ValueError("a compressed index in another")
        return count_samples(unpacked, 0, len(unpacked))
    return 0
