"""Open the files that an HLS playlist names, instead of FFmpeg, which would open any address: on the disk only files
in the playlist's own folder. ``web_files`` opens those on the web."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

from rtswap.core.errors import reason
from rtswap.core.files import open_regular
from rtswap.core.urls import redact, scheme
from rtswap.media.checked_boxes import CheckedBoxes, Readable

SUFFIXES = (".m3u8", ".m3u", ".hls")
"""FFmpeg takes no file with another suffix for a playlist."""
BEGINS = b"#EXTM3U"
_NAMED = re.compile(r'^([^#\s].*)$|URI="([^"]+)"', re.MULTILINE)
_MOST_BYTES = 64 << 20
"""Read until the first picture, so that an endless playlist does not fill the memory."""
_LONGEST = 4 << 20
"""Bytes of a playlist: two days have a tenth of that. FFmpeg keeps ten times as much of it."""
_VARIANT = re.compile(rb"#EXT-X-(?:STREAM|MEDIA:)")
_TAG_BYTES, _MOST_VARIANTS = 13, 500
"""Length of either tag, and how many further playlists those of one film may name: FFmpeg opens each, and of a list
that names itself in thousands of ways each again (200 kB: 8.8 GB, and no end)."""
_END = b"\n#EXT-X-ENDLIST\n"
_ENCRYPTED = ("crypto+", "crypto:")
_KEY_BYTES = 16
_CHUNK = 1 << 16


def files_named(path: Path) -> Iterator[Path]:
    """Yield the files that a playlist on the disk names, and those that playlists in it name; none for another
    file. Each playlist is read once: one can name itself by ten thousands of names."""
    waiting, known = [(path, 2)], set[str]()
    for playlist, levels in waiting:
        if playlist.suffix.lower() not in SUFFIXES or not levels or (real := os.path.realpath(playlist)) in known:
            continue
        known.add(real)
        try:
            with open_regular(playlist) as file:
                text = file.read(_LONGEST).decode(errors="replace")
        except (OSError, ValueError):
            continue
        for name in dict.fromkeys(line or uri for line, uri in _NAMED.findall(text)):
            named = playlist.parent / name.strip().removeprefix("file:")
            yield named
            waiting.append((named, levels - 1))


def is_playlist(path: Path) -> bool:
    """Whether the file is an HLS playlist. Raises OSError."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    with open_regular(path) as file:
        return file.read(len(BEGINS)) == BEGINS


class Opener:
    """Opens a playlist and what it names, as PyAV's ``io_open``. Raises OSError, which PyAV passes on."""

    address: str
    """Of the playlist, as FFmpeg is to be told."""
    length: int | None = None
    """Of the file, if there is but one."""

    def __init__(self) -> None:
        self._left: int | None = _MOST_BYTES
        self._most: int | None = _MOST_BYTES
        self.failed = False
        """From then on there is nothing to read: FFmpeg tries other files, and PyAV, which passes the first error on
        later, would print the traceback of a second."""
        self.cut_after: int | None = None
        """How many bytes the last file of a playlist has, if it ends within a box: FFmpeg reads on in the next one,
        where others then begin than in this one alone."""
        self.variants = 0
        """How many further playlists were named."""

    def playing(self, most: int | None = None) -> None:
        """The first picture has arrived: read at most ``most`` bytes until the next call; None: any number."""
        self._left = self._most = most

    def __call__(self, url: str, flags: int, options: dict[str, str]) -> Readable:
        if flags & 2:
            self.failed = True
            raise OSError("a playlist that opens a file for writing")
        key = None
        if url.startswith(_ENCRYPTED):
            url, key = url[len(_ENCRYPTED[0]) :], (options.get("key", ""), options.get("iv", ""))
        first, last = int(options.get("offset") or 0), int(options.get("end_offset") or 0)
        try:
            if self.cut_after is not None and (key is None or self.cut_after != _KEY_BYTES):
                raise OSError("its playlist names a part that ends within a box")
            self.cut_after = None
            file: Readable = io.BytesIO() if self.failed else self.open(url, first, last)
            if key is not None and not self.failed:
                file, first, last = _Decrypted(file, *key), 0, max(0, last - first)
            return _Limited(self, CheckedBoxes(file, length=self.length, first=first, last=last))
        except OSError:
            self.failed = True
            raise

    def open(self, url: str, first: int, last: int) -> Readable:
        """Open what the playlist names, from byte ``first`` up to ``last``, which is not included; 0: to the end."""
        raise NotImplementedError

    def count(self, size: int) -> None:
        """Note that ``size`` bytes were read. Raises OSError if that was too much."""
        if self._left is not None and self._most is not None:
            self._left -= size
            if self._left < 0:
                raise OSError(f"no picture within {self._most >> 20} MB")


class FolderPlaylist(Opener):
    """A playlist on the disk, which may name files in its own folder and the folders in that. It ends, whatever it
    says: FFmpeg would wait for more of one that does not, hours for each part if it says so."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path.absolute()
        self.address = str(self._path)
        self._folder = Path(os.path.realpath(self._path.parent))

    def open(self, url: str, first: int, last: int) -> Readable:
        if scheme(url) not in ("", "file"):
            raise OSError(f"its playlist names {redact(url)}, and a file may not open connections")
        path = url if Path(url).is_absolute() else url.removeprefix("file:")
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self._folder) and Path(path) != self._path:
            raise OSError(f"its playlist names {path[:200]!r}, which is outside its folder")
        try:
            file = open_regular(real)
            if not file.peek(len(BEGINS)).startswith(BEGINS):
                return file  # FFmpeg seeks in files by itself
            with file:
                return io.BytesIO(file.read(_LONGEST + 1) + _END)
        except (OSError, ValueError) as error:
            raise OSError(f"its playlist names {path[:200]!r}: {reason(error)}") from None


class _Limited:
    """A file whose bytes are counted, and which is no endless playlist."""

    def __init__(self, opener: Opener, file: CheckedBoxes) -> None:
        self._opener, self._file = opener, file
        self._head, self._tail, self._size = b"", b"", 0

    def read(self, size: int = -1) -> bytes:
        if self._opener.failed:
            return b""
        try:
            data = self._file.read(_CHUNK if size < 0 else size)
            self._opener.count(len(data))
            self._opener.cut_after = self._file.cut_after
            self._head, self._size = (self._head + data)[: len(BEGINS)], self._size + len(data)
            if self._head == BEGINS:
                self._count_variants(data)
            if self._size > _LONGEST + len(_END) and self._head == BEGINS:
                raise OSError(f"a playlist of more than {_LONGEST >> 20} MB")
        except OSError:
            self._opener.failed = True
            raise
        return data

    def _count_variants(self, data: bytes) -> None:
        text = self._tail + data  # a tag may be cut in two
        self._tail = text[1 - _TAG_BYTES :]
        self._opener.variants += len(_VARIANT.findall(text))
        if self._opener.variants > _MOST_VARIANTS:
            raise OSError(f"more than {_MOST_VARIANTS} further playlists in a playlist")

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


class _Decrypted:
    """AES-128-CBC with PKCS7 padding, by which HLS encrypts whole segments (RFC 8216, 4.3.2.4)."""

    def __init__(self, file: Readable, key: str, iv: str) -> None:
        """Key and initial vector in hex. Raises OSError if they are invalid."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7

        try:
            cipher = Cipher(algorithms.AES128(bytes.fromhex(key)), modes.CBC(bytes.fromhex(iv)))
        except ValueError:
            raise OSError("its playlist gives an invalid key") from None
        self._file, self._cipher, self._padding = file, cipher.decryptor(), PKCS7(128).unpadder()
        self._ready, self._ended = b"", False

    def read(self, size: int) -> bytes:
        while not self._ready and not self._ended:
            data = self._file.read(_CHUNK)
            self._ended = not data
            self._ready = self._padding.update(self._cipher.update(data)) if data else self._last()
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _last(self) -> bytes:
        try:
            return self._padding.finalize()
        except ValueError:  # a truncated segment; its last block is lost
            return b""

    def close(self) -> None:
        self._file.close()
