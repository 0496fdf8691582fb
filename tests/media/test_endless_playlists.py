"""A playlist that is endless, or names others without end, is given up."""

from __future__ import annotations

from contextlib import suppress

from rtswap.media import playlists


class Endless(playlists.Opener):
    """Opens files that begin a byte at a time, and have no end."""

    def __init__(self, begins: bytes) -> None:
        super().__init__()
        self._first = [begins[at : at + 1] for at in reversed(range(len(begins)))]

    def open(self, url: str, first: int, last: int) -> playlists.Readable:
        return self

    def read(self, size: int) -> bytes:
        return self._first.pop() if self._first else bytes(size)

    def close(self) -> None:
        return


def test_one_that_is_read_again_while_it_plays_does_not_fill_the_memory() -> None:
    """The second answer for a live one took all memory; what it names may have any length."""
    variants = b"#EXTM3U" + 501 * b"#EXT-X-STREAM-INF:"
    for begins, most in ((b"#EXTM3U", 64 * 65_536), (b"#EXTM3", 200 * 65_536), (variants, 0)):
        opener = Endless(begins)
        opener.playing()
        file, size = opener("http://127.0.0.1/a", 0, {}), 0
        with suppress(OSError):
            while size < 200 * 65_536:
                size += len(file.read(65_536))
        assert most - 65_536 < size <= most + 65_536, begins
