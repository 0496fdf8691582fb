"""Open what is behind http and https instead of FFmpeg, which lets a server lead from https to http and verifies no
certificate of a playlist's segments: a single video, or an HLS playlist and all that it names."""

from __future__ import annotations

import re
from collections.abc import Callable

from rtswap.core.urls import redact, scheme
from rtswap.core.web import Answer, Web
from rtswap.media.checked_boxes import Readable
from rtswap.media.playlists import BEGINS, Opener

_SKIP = 1 << 18
"""Bytes that are rather read and dropped than asked for anew."""
_LONGER = 6
"""Times as long may the next picture of a playlist take, which comes in segments of seconds."""
PICTURE_BYTES = 256 << 20
"""Of a picture with what lies before it: FFmpeg keeps a part that does not end until memory does."""
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class WebFiles(Opener):
    """Opens an address and what a playlist there names. Behind https everything must be https; no redirect leads from
    https to http. Raises OSError."""

    def __init__(self, url: str, *, authorities: str, limit_s: float) -> None:
        """``authorities``: a file with CA certificates to trust instead of the system's; empty for those.
        ``limit_s``: until the first picture."""
        super().__init__()
        self._web = Web(limit_s=limit_s, authorities=authorities, https_only=scheme(url) == "https")
        first = self._web.get(url)
        self._first: WebFile | None = WebFile(first, lambda at: self._web.get(first.url, _range(at, 0)))
        self.is_playlist = self._first.begins_with(BEGINS)
        # After redirects: what a playlist names is relative to that. FFmpeg takes what ends in .jpg for a series.
        self.address = first.url if self.is_playlist else f"{first.url}#"
        self.length = None if self.is_playlist else self._first.length
        self.ends = self._first.length is not None and not self.is_playlist
        """Whether it has a known length, as no live stream has."""

    def begin(self, seconds: float) -> None:
        """Let everything until the next call take at most this long, or several times as long for a playlist, and no
        more than ``PICTURE_BYTES``."""
        self.playing(PICTURE_BYTES)
        self._web.allow(seconds * (_LONGER if self.is_playlist else 1))

    def open(self, url: str, first: int, last: int) -> Readable:
        if self._first is not None and url == self.address:
            file, self._first = self._first, None
            return file
        try:
            return WebFile(self._web.get(url, _range(first, last)), None, first)
        except OSError as error:
            raise OSError(f"its playlist names {redact(url)}: {error}") from None


class WebFile:
    """The content of an address. It is positioned by asking for the rest of it, if the server can do that."""

    def __init__(self, answer: Answer, again: Callable[[int], Answer] | None, first: int = 0) -> None:
        """``again``: asks for the content from a byte on; None: it is read from front to back. ``first``: the byte
        that was asked for; a server that does not know ranges sends more. Raises OSError."""
        self._answer, self._again = answer, again
        self._at = self._wanted = first
        self.length = _length(answer)
        self._head = b""
        ranges = answer.headers.get("Accept-Ranges", "").strip().lower() == "bytes"
        self._seekable = again is not None and ranges and self.length is not None
        self._align()

    def begins_with(self, start: bytes) -> bool:
        """Whether the content begins so, which is still read afterwards. Raises OSError."""
        while len(self._head) < len(start) and (data := self._answer.read(len(start) - len(self._head))):
            self._head += data
        return self._head.startswith(start)

    def read(self, size: int) -> bytes:
        if self._wanted != self._at or self._head:
            self._position()
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._answer.read(size)
            if not data and self.length is not None and self._at < self.length:
                raise OSError("the connection ended early")
        self._at += len(data)
        self._wanted = self._at
        return data

    def seekable(self) -> bool:
        return self._seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        """As for a file; the server is asked at the next ``read``."""
        self._wanted = offset + (0, self._wanted, self.length or 0)[whence]
        return self._wanted

    def tell(self) -> int:
        return self._wanted

    def close(self) -> None:
        self._answer.close()

    def _position(self) -> None:
        """Go where the next byte is wanted."""
        if self._wanted != self._at and self._again is not None:
            if not 0 < self._wanted - self._at <= _SKIP or self._head:
                self._answer.close()
                self._answer, self._head = self._again(self._wanted), b""
                self._at = self._wanted
                self._align()
            else:
                self._skip(self._wanted - self._at)

    def _align(self) -> None:
        """Move from where an answer begins to the requested byte. Raises OSError."""
        found = _RANGE.fullmatch(self._answer.headers.get("Content-Range", ""))
        begins = int(found[1]) if found else 0
        if begins > self._at:
            raise OSError("a server that sent a different part of the file than requested")
        wanted, self._at = self._at, begins
        self._skip(wanted - begins)

    def _skip(self, size: int) -> None:
        while size and (data := self._answer.read(min(size, 1 << 16))):
            size -= len(data)
            self._at += len(data)


def _range(first: int, last: int) -> dict[str, str]:
    return {"Range": f"bytes={first}-{last - 1 if last else ''}"} if first or last else {}


def _length(answer: Answer) -> int | None:
    """Return how long the whole content is; None if the server does not say. Raises OSError if it makes no sense."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found:
        return int(found[2]) if found[2] != "*" else None
    length = answer.headers.get("Content-Length", "")
    if length and not (length.isdecimal() and len(length) < 19):
        raise OSError("a server that states a length that is no number")
    return int(length) if length else None
