"""How much there is to decode in a HEIF file (ISO/IEC 23008-12): its pictures may be put together of others, those
of others again, and so on. Twenty that name two each are a million.

Only names and sizes are read; damage to the rest is left to the decoder.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from mmap import mmap

MOST_ITEMS = 1000
"""As libheif, which reads no file with more."""
MOST_NUMBERS = 100_000
"""Boxes, and ids and properties in them, that are read."""
LEAST_PIXELS = 1 << 16
"""What the smallest picture takes as long as."""
_MADE_OF, _BESIDE = b"dimg", b"auxl"
"""References from a picture to its parts, and from its transparency to the picture."""
Data = bytes | mmap


def heif_pixels(data: Data) -> int:
    """Return how many pixels the largest picture in a HEIF file has, with all that it is put together of, each as
    often as it is decoded; 0 for a file without pictures. Raises ValueError for a picture that is made of itself, for
    too many parts, for items of more bytes than the file has, and for overlays, whose size is stated elsewhere;
    struct.error and IndexError for a damaged file.
    """
    try:
        return _Items(data).pixels()
    except CycleError as error:
        raise ValueError("a picture that is made of itself") from error


class _Items:
    """What a file says of its items, by their ids."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._ids: set[int] = set()
        self._parts: defaultdict[int, list[int]] = defaultdict(list)
        self._sizes: list[int] = []
        """Pixels of each property; 0 for those that are no sizes."""
        self._owned: defaultdict[int, list[int]] = defaultdict(list)
        """Id -> numbers of its properties, from 1."""
        self._left = MOST_NUMBERS
        read = {
            b"iinf": self._list,
            b"iref": self._references,
            b"iprp": self._properties,
            b"iloc": self._places,
        }
        for kind, begin, end in self._boxes(0, len(data)):
            if kind == b"meta":
                for inner, start, stop in self._boxes(begin + 4, end):
                    if inner in read:
                        read[inner](start, stop)

    def pixels(self) -> int:
        """As ``heif_pixels``."""
        cost: dict[int, int] = {}
        for item in TopologicalSorter(self._parts).static_order():
            sizes = [self._sizes[number - 1] for number in self._owned[item] if 0 < number <= len(self._sizes)]
            cost[item] = max([LEAST_PIXELS, *sizes]) + sum(cost[part] for part in self._parts[item])
        return max(cost.values(), default=0)

    def _boxes(self, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """The boxes between two places: kind, and where the content begins and ends."""
        while begin + 8 <= end:
            self._count(1)
            length, kind = struct.unpack_from(">I4s", self._data, begin)
            inside = begin + 8
            if length == 1:
                (length,) = struct.unpack_from(">Q", self._data, inside)
                inside += 8
            stop = min(begin + length, end) if length else end
            if stop < inside:
                raise IndexError(stop)
            yield kind, inside, stop
            begin = stop

    def _count(self, more: int) -> None:
        self._left -= more
        if self._left < 0:
            raise ValueError("too many parts")

    def _numbers(self, kind: str, at: int, count: int = 1) -> tuple[int, ...]:
        self._count(count)
        return struct.unpack_from(f">{count}{kind}", self._data, at)

    def _list(self, begin: int, end: int) -> None:
        """``iinf``: the kind of each item."""
        first = begin + (6 if self._data[begin] == 0 else 8)
        for _, at, _ in self._boxes(first, end):
            wide = self._data[at] > 2
            (item,) = self._numbers("I" if wide else "H", at + 4)
            if self._data[at + (10 if wide else 8) : at + (14 if wide else 12)] == b"iovl":
                raise ValueError("pictures laid over each other")
            self._ids.add(item)
            self._parts[item] += []
        if len(self._ids) > MOST_ITEMS:
            raise ValueError(f"more than {MOST_ITEMS:,} items")

    def _references(self, begin: int, end: int) -> None:
        """``iref``: what an item is made of, and what belongs to another."""
        kind = "I" if self._data[begin] else "H"
        size = struct.calcsize(kind)
        for name, at, _ in self._boxes(begin + 4, end):
            (item,), (count,) = self._numbers(kind, at), self._numbers("H", at + size)
            if name in (_MADE_OF, _BESIDE):
                named = self._numbers(kind, at + size + 2, count)
                for part in named:
                    self._parts[item if name == _MADE_OF else part].append(part if name == _MADE_OF else item)

    def _places(self, begin: int, end: int) -> None:
        """``iloc``: where the bytes of each item are. All are read, EXIF of hundreds of items too."""
        version, widths = self._data[begin], self._data[begin + 4 : begin + 6]
        place, length, base, index = widths[0] >> 4, widths[0] & 15, widths[1] >> 4, widths[1] & 15
        (count,) = self._numbers("H" if version < 2 else "I", begin + 6)
        at, total = begin + (8 if version < 2 else 10), 0
        before = (2 if version < 2 else 4) + (2 if version else 0) + 2 + base
        step, first = (index if version else 0) + place + length, (index if version else 0) + place
        for _ in range(count):
            (parts,) = self._numbers("H", at + before)
            at += before + 2
            self._count(parts)
            for part in range(at, at + step * parts, step) if step else ():
                total += int.from_bytes(self._data[part + first : part + step], "big") or len(self._data)
            at += step * parts
        if total > 2 * len(self._data):
            raise ValueError(f"items of {total:,} bytes in a file of {len(self._data):,}")

    def _properties(self, begin: int, end: int) -> None:
        """``iprp``: the sizes, and whose they are."""
        for kind, start, stop in self._boxes(begin, end):
            if kind == b"ipco":
                for name, at, _ in self._boxes(start, stop):
                    width, height = self._numbers("I", at + 4, 2) if name == b"ispe" else (0, 0)
                    self._sizes.append(width * height)
            elif kind == b"ipma":
                self._owners(start)

    def _owners(self, at: int) -> None:
        """``ipma``: the numbers of each item's properties."""
        wide_id, wide_number = bool(self._data[at]), bool(self._data[at + 3] & 1)
        (count,) = self._numbers("I", at + 4)
        at += 8
        for _ in range(count):
            (item,), at = self._numbers("I" if wide_id else "H", at), at + (4 if wide_id else 2)
            numbers = self._numbers("H" if wide_number else "B", at + 1, self._data[at])
            self._owned[item] += [number & (0x7FFF if wide_number else 0x7F) for number in numbers]
            at += 1 + len(numbers) * (2 if wide_number else 1)
