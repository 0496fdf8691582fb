"""The check of ``mp4_tables`` for what arrives bit by bit: each box that may hold tables is read ahead, and counted,
before FFmpeg gets its first byte."""

from __future__ import annotations

from bisect import bisect_left
from typing import Protocol, runtime_checkable

from rtswap.core.text import size
from rtswap.media.mp4_tables import IN_A_BYTE, LEAST, LONGEST_HEAD, box_at, count_samples

LONGEST = 64 << 20
"""Bytes that a box with tables may have: an index of ten hours has half of that. What begins with a longer box of
another kind is no MP4, since FFmpeg looks no further for one that it knows."""
MOST = 20_000_000
"""Samples that may be stated, however long a server says that its file is: they take 500 MB."""


class Readable(Protocol):
    """A file that is read from front to back."""

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


@runtime_checkable
class Seekable(Readable, Protocol):
    """A file that may be positioned."""

    def seekable(self) -> bool: ...

    def seek(self, offset: int, whence: int = 0) -> int: ...

    def tell(self) -> int: ...


class CheckedBoxes:
    """A file, read through. What is no MP4 is passed on as it is. Raises OSError for tables of too many samples."""

    def __init__(self, file: Readable, *, length: int | None = None, first: int = 0, last: int = 0) -> None:
        """``length``: of the whole file, if that is known; else what was read counts. ``first``, ``last``: of a part,
        its first byte, and the one after its end; 0: to the end."""
        self._file, self._length, self._first, self._last = file, length or 0, first, last
        self._at = self._wanted = file.tell() if isinstance(file, Seekable) else first
        self._ahead = b""
        """Read, and not passed on."""
        self._begins = [first]
        """Where boxes begin, as far as that is known; FFmpeg goes along the same chain. Empty for no MP4."""
        self._stated: dict[int, int] = {}
        """Samples in boxes, by where these begin: a server may send something else at the second time."""
        self._sum = 0
        self.cut_after: int | None = None
        """At the end, if that is within a box: how many bytes there were."""

    def read(self, size: int) -> bytes:
        if self._wanted != self._at:
            self._position()
        if self._last:
            size = min(size, self._last - self._at)
        data = self._look(self._ahead or self._file.read(size), size) if size > 0 else b""
        data, self._ahead = data[:size], data[size:]
        self._at = self._wanted = self._at + len(data)
        if self._begins and self._begins[-1] != self._at and (not data or self._at == self._last):
            self.cut_after = self._at - self._first
        return data

    def seekable(self) -> bool:
        return isinstance(self._file, Seekable) and self._file.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        assert isinstance(self._file, Seekable)
        if whence == 2:
            self._wanted = self._file.seek(offset, whence)
            self._file.seek(self._at + len(self._ahead))
        else:
            self._wanted = offset + (self._wanted if whence else 0)
        return self._wanted

    def tell(self) -> int:
        return self._wanted

    def close(self) -> None:
        self._file.close()

    def _position(self) -> None:
        """Go where the next byte is wanted."""
        moved = self._wanted - self._at
        if 0 <= moved < len(self._ahead):
            self._ahead = self._ahead[moved:]
        else:
            assert isinstance(self._file, Seekable)
            self._file.seek(self._wanted)
            self._ahead = b""
        self._at = self._wanted

    def _look(self, data: bytes, size: int) -> bytes:
        """Check the boxes that begin in the next bytes, up to ``size``. Returns them, with what was read ahead."""
        place = bisect_left(self._begins, self._at)
        while place < len(self._begins) and (begin := self._begins[place] - self._at) < min(size, len(data)):
            data = self._fill(data, begin + LONGEST_HEAD)
            box = box_at(data, begin, self._at) if len(data) >= begin + 8 else None
            if box is None:
                break
            length = LONGEST if box.end is None else box.end - self._at - begin
            if box.tables:
                data = self._fill(data, begin + min(length, LONGEST))
                self._count(data, begin, begin + length)
            elif length > LONGEST and self._begins == [self._first]:
                self._begins.clear()
                break
            place += 1
            if self._begins[place : place + 1] != [box.end] and box.end is not None:
                self._begins.insert(bisect_left(self._begins, box.end), box.end)
        return data

    def _fill(self, data: bytes, wanted: int) -> bytes:
        """Read on until there are so many bytes, or the file ends."""
        parts, have = [data], len(data)
        while have < wanted and (more := self._file.read(wanted - have)):
            parts.append(more)
            have += len(more)
        return b"".join(parts)

    def _count(self, data: bytes, begin: int, end: int) -> None:
        if min(end, len(data)) - begin >= LONGEST:
            raise OSError(f"an index of more than {size(LONGEST)}")
        at = self._at + begin
        try:
            before, found = self._stated.get(at, 0), count_samples(data, begin, min(end, len(data)))
        except ValueError as error:
            raise OSError(str(error)) from None
        self._stated[at] = max(before, found)
        self._sum += self._stated[at] - before
        known = max(self._length, self._at + len(data))
        if self._sum > max(LEAST, min(IN_A_BYTE * known, MOST)):
            raise OSError(f"tables of {self._sum:,} samples in {size(known)}")
