"""Download a file from http or https for verification; the manifest may be anywhere in it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from rtswap.core.errors import InputError, reason
from rtswap.core.urls import scheme
from rtswap.core.web import Answer, Web

TIMEOUT_S = 15.0
_SLOWEST = 50e3
"""Bytes per second; a slower server is given up."""
MAX_BYTES = 4 << 30
_CHUNK = 1 << 20
_PLAYLISTS = ("mpegurl", "dash+xml", "x-mixed-replace")


@contextmanager
def fetch(url: str, name: str, on_event: Callable[[str], None]) -> Iterator[Path | None]:
    """Yield the downloaded file in a temporary folder, deleted at the end of the block; None for a stream.

    ``name``: the address without secrets, for messages. Raises InputError.
    """
    if scheme(url) not in ("http", "https"):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="rtswap-verify-") as folder:
        path = Path(folder, "fetched" + _suffix(url))
        try:
            found = _fetch(url, path, lambda size: on_event(f"downloading {name}, {size / 1e6:.1f} MB"))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot download {name}", got=reason(error), do="Check the address.") from None
        yield path if found else None


def _fetch(url: str, path: Path, on_size: Callable[[int], None]) -> bool:
    """Download into ``path``; return False for a stream. Raises OSError, ValueError."""
    web = Web(limit_s=TIMEOUT_S)
    with web.get(url) as answer:
        kind = answer.headers.get_content_type()
        size = int(answer.headers.get("Content-Length") or -1)
        if kind == "text/html":
            raise ValueError("a web page, not a video or a picture")
        if size < 0 or size > MAX_BYTES or any(word in kind for word in _PLAYLISTS):
            return False
        on_size(size)
        web.allow(TIMEOUT_S + size / _SLOWEST)
        with path.open("wb") as file:
            _copy(answer, file, size)
    return True


def _copy(answer: Answer, file: IO[bytes], size: int) -> None:
    done = 0
    while chunk := answer.read(min(_CHUNK, size - done)):
        file.write(chunk)
        done += len(chunk)
    if done < size:
        raise ValueError(f"the download stopped after {done >> 10} of {size >> 10} kB")


def _suffix(url: str) -> str:
    """Return ``.png`` for ``http://host/face.png?x=1``; empty for anything unusual."""
    try:
        suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    except ValueError:  # http://[::1
        return ""
    return suffix if suffix[1:].isalnum() and len(suffix) <= 6 else ""
