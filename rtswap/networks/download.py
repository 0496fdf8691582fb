"""Download a model's file with a size limit and progress events, and verify its hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from rtswap.core.errors import ModelError, reason
from rtswap.core.web import Web
from rtswap.networks.catalog import Entry

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_SLOWEST = 50e3
"""Bytes per second; a slower server is given up."""


def download(entry: Entry, path: Path, on_event: Callable[[str], None]) -> None:
    """Download to a temporary file and rename it to ``path`` if its hash is correct. Raises ModelError."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        found = _fetch(entry, part, on_event)
        if found != entry.sha256:
            raise ModelError(
                f"the file from {entry.url} is not the model {entry.name}",
                expected=f"sha256 {entry.sha256[:12]}...",
                got=f"{found[:12]}...",
            )
        part.replace(path)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot download the model {entry.name} from {entry.url}",
            got=reason(error),
            do=f"Check the network connection, or place the file at {path} manually.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _fetch(entry: Entry, part: Path, on_event: Callable[[str], None]) -> str:
    """Download to ``part`` and return its sha256. Raises OSError, ValueError."""
    on_event(f"downloading {entry.title}, {entry.bytes / 1e6:.0f} MB, licence {entry.licence}")
    digest, done, told = hashlib.sha256(), 0, 0
    with Web(limit_s=_TIMEOUT_S + entry.bytes / _SLOWEST).get(entry.url) as answer, part.open("wb") as file:
        while chunk := answer.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if done > entry.bytes:
                raise ValueError(f"more than the expected {entry.bytes} bytes")
            file.write(chunk)
            if done * 10 // entry.bytes > told:
                told = done * 10 // entry.bytes
                on_event(f"downloading {entry.title}: {told * 10} %")
    return digest.hexdigest()
