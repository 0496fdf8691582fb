"""Fetching a model's file from the network: bounded, told, and believed only by its hash."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path

from rtswap.core.errors import ModelError
from rtswap.networks.catalog import Entry

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0


def download(entry: Entry, path: Path, on_event: Callable[[str], None]) -> None:
    """Fetch into a file beside ``path``, which takes its place only when the hash is right. Raises ModelError."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        found = _fetch(entry, part, on_event)
        if found != entry.sha256:
            raise ModelError(
                f"what {entry.url} delivered is not the model {entry.name}",
                expected=f"sha256 {entry.sha256[:12]}...",
                got=f"{found[:12]}...",
            )
        part.replace(path)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ModelError(
            f"the model {entry.name} could not be downloaded from {entry.url}",
            got=str(error),
            do=f"Check the network, or put the file at {path} yourself.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _fetch(entry: Entry, part: Path, on_event: Callable[[str], None]) -> str:
    """Download to ``part`` and return its sha256. Raises OSError, HTTPException, ValueError."""
    if not entry.url.startswith(("https://", "http://")):
        raise ValueError("only http and https are fetched")
    on_event(f"downloading {entry.title}, {entry.bytes / 1e6:.0f} MB, licence {entry.licence}")
    digest, done, told = hashlib.sha256(), 0, 0
    with urllib.request.urlopen(entry.url, timeout=_TIMEOUT_S) as answer, part.open("wb") as file:
        while chunk := answer.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if done > entry.bytes:
                raise ValueError(f"it is longer than the {entry.bytes} bytes expected")
            file.write(chunk)
            if done * 10 // entry.bytes > told:
                told = done * 10 // entry.bytes
                on_event(f"downloading {entry.title}: {told * 10} %")
    return digest.hexdigest()
