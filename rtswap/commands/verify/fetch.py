"""Download a file from http or https for verification; the manifest may be anywhere in it."""

from __future__ import annotations

import http.client
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from rtswap.core.errors import InputError
from rtswap.core.urls import scheme

TIMEOUT_S = 15.0
MAX_BYTES = 4 << 30
_CHUNK = 1 << 20
_PLAYLISTS = ("mpegurl", "dash+xml", "x-mixed-replace")
_AGENT = {"User-Agent": "rtswap-verify"}


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
        except urllib.error.HTTPError as error:
            raise InputError(f"cannot download {name}", got=f"HTTP {error.code}", do="Check the address.") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise InputError(f"cannot download {name}", got=_line(reason), do="Check the address.") from None
        yield path if found else None


def _fetch(url: str, path: Path, on_size: Callable[[int], None]) -> bool:
    """Download into ``path``; return False for a stream. Raises OSError, HTTPException, ValueError."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=_AGENT), timeout=TIMEOUT_S) as answer:
        kind = answer.headers.get_content_type()
        size = int(answer.headers.get("Content-Length") or -1)
        if kind == "text/html":
            raise ValueError("a web page, not a video or a picture")
        if size < 0 or size > MAX_BYTES or any(word in kind for word in _PLAYLISTS):
            return False
        on_size(size)
        with path.open("wb") as file:
            _copy(answer, file, size)
    return True


def _copy(answer: IO[bytes], file: IO[bytes], size: int) -> None:
    done = 0
    while chunk := answer.read(min(_CHUNK, size - done)):
        file.write(chunk)
        done += len(chunk)
    if done < size:
        raise ValueError(f"download broke off after {done >> 10} of {size >> 10} kB")


def _suffix(url: str) -> str:
    """Return ``.png`` for ``http://host/face.png?x=1``; empty for anything unusual."""
    try:
        suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    except ValueError:  # http://[::1
        return ""
    return suffix if suffix[1:].isalnum() and len(suffix) <= 6 else ""


def _line(reason: object) -> str:
    text = getattr(reason, "strerror", None) or str(reason)
    return str(text).strip().splitlines()[0][:200] if str(text).strip() else type(reason).__name__
