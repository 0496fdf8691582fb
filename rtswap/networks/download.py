"""Download a file from one of several mirrors, with resume, a size limit and progress, and verify its hash.

An interrupted download leaves ``NAME.part`` behind, and the next attempt asks only for the rest. The mirrors offer
the same file: where one breaks off, the next goes on. Only a file whose hash is right is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtswap.core.errors import ModelError, reason
from rtswap.core.files import is_linked, open_itself, sha256_of
from rtswap.core.text import size
from rtswap.core.web import Web
from rtswap.networks.catalog import Entry

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_SLOWEST = 50e3
"""Bytes per second; a slower server is given up."""
_MOST_BYTES = 4 << 30
"""Where the size is not known."""
_NOTHING_LEFT = "HTTP 416"
"""A server's word for: there is nothing after what we have."""
Progress = Callable[[int, int | None], None]
"""Takes the bytes that are there, and the size if it is known."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to download."""

    name: str
    """For messages: ``the model pnet``."""
    urls: Sequence[str]
    """Mirrors, best first."""
    sha256: Sequence[str] = ()
    """Allowed hashes; empty: the file is not known yet, and whatever comes is taken."""
    bytes: int = 0
    """0 = unknown."""

    @property
    def most(self) -> int:
        """More bytes than these are not downloaded."""
        return self.bytes or _MOST_BYTES


def fetch(wanted: Wanted, path: Path, on_progress: Progress = lambda done, total: None) -> str:
    """Download to ``path`` and return the SHA-256. Raises ModelError with every mirror's reason."""
    part = path.with_name(f"{path.name}.part")
    reasons = []
    for url in wanted.urls:
        try:
            _get(url, part, wanted, on_progress)
        except (OSError, ValueError) as error:
            reasons.append(f"{url}: {reason(error)}")
            continue
        found = sha256_of(part)
        if wanted.sha256 and found not in wanted.sha256:
            part.unlink(missing_ok=True)
            reasons.append(f"{url} is not {wanted.name}: sha256 {found[:12]}..., not {wanted.sha256[0][:12]}...")
            continue
        part.replace(path)
        return found
    have = f" {size(part.stat().st_size)} are kept; the next attempt continues from there." if part.is_file() else ""
    raise ModelError(
        f"cannot download {wanted.name}",
        got="; ".join(reasons) or "no address",
        do=f"Check the network connection, or download it with a browser.{have}",
    )


def download(entry: Entry, path: Path, on_event: Callable[[str], None]) -> None:
    """Download a network of the catalogue to ``path``. Raises ModelError."""
    told = 0

    def progress(done: int, total: int | None) -> None:
        nonlocal told
        if done * 10 // entry.bytes > told:
            told = done * 10 // entry.bytes
            on_event(f"downloading {entry.title}: {told * 10} %")

    on_event(f"downloading {entry.title}, {entry.bytes / 1e6:.0f} MB, licence {entry.licence}")
    fetch(Wanted(f"the model {entry.name}", [entry.url], [entry.sha256], entry.bytes), path, progress)


def _get(url: str, part: Path, wanted: Wanted, on_progress: Progress) -> None:
    """Complete ``part`` from one mirror. A link that others planted in its place is not followed. Raises OSError,
    ValueError."""
    if is_linked(part):
        part.unlink()
    have = part.stat().st_size if part.is_file() else 0
    if have > wanted.most:
        part.unlink()
        have = 0
    if have and have == wanted.bytes:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    web = Web(limit_s=_TIMEOUT_S)
    try:
        answer = web.get(url, headers)
    except OSError as error:
        if str(error) == _NOTHING_LEFT and have and not wanted.bytes:
            return  # it is complete; the hash decides
        raise
    with answer:
        resumed = bool(have) and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not resumed:
            have = 0
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() and len(length) < 19 else wanted.bytes or None
        if total is not None and wanted.bytes and total != wanted.bytes:
            part.unlink(missing_ok=True)
            raise ValueError(f"not {wanted.name}: {total} bytes instead of {wanted.bytes}")
        web.allow(_TIMEOUT_S + min(total or wanted.most, wanted.most) / _SLOWEST)
        if not resumed:
            part.unlink(missing_ok=True)
        with open(part, "ab" if resumed else "xb", opener=open_itself) as file:
            while chunk := answer.read(_CHUNK):
                have += len(chunk)
                if have > wanted.most:
                    raise ValueError(f"more than the expected {size(wanted.most)}")
                file.write(chunk)
                on_progress(have, total)
    if total is not None and have < total:
        raise ValueError(f"the download stopped after {size(have)} of {size(total)}")
