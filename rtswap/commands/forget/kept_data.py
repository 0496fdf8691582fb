"""Find and delete the consent records and the signing certificate on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtswap.core.errors import OutputError
from rtswap.disclosure.certificate import forget_identity, identity_path
from rtswap.source.consent.question import photo_files
from rtswap.source.consent.record import ConsentRecord, photo_digest


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored and where, except cached models, which hold nothing about the user."""

    photos: int
    """Number of photos confirmed as sources; each record is the hash, the date and the statement's version."""
    photos_in: str
    certificates: int
    """0 or 1: the certificate created here to sign recordings, with its key."""
    certificate_in: str


def find_kept(record: ConsentRecord, folder: Path | None = None) -> Kept:
    """Return what is stored. ``folder`` holds the signing certificate, by default the user's configuration folder.
    Raises OutputError."""
    certificate = identity_path(folder)
    try:
        there = certificate.is_symlink() or certificate.exists()
        return Kept(len(record), str(record.folder), int(there), str(certificate))
    except OSError as error:
        raise _failed("read", error) from None


def forget_photos(photos: Sequence[str | Path], record: ConsentRecord) -> int:
    """Delete the records of these photos and return how many there were. As a source, a folder means the photos in
    it. Raises SourceError, OutputError."""
    digests = [photo_digest(photo) for photo in photo_files(photos)]
    try:
        return sum(record.forget(digest) for digest in dict.fromkeys(digests))
    except OSError as error:
        raise _failed("delete", error) from None


def forget_all(record: ConsentRecord, folder: Path | None = None) -> Kept:
    """Delete everything and return what it was. Raises OutputError."""
    before = find_kept(record, folder)
    try:
        record.forget()
        forget_identity(folder)
    except OSError as error:
        raise _failed("delete", error) from None
    return before


def forget(photos: Sequence[str], *, everything: bool) -> dict[str, Any]:
    """Delete the records of ``photos`` or everything. Return what was ``deleted`` and what is still ``kept``. Raises
    RtswapError."""
    record = ConsentRecord()
    gone: dict[str, int] = {}
    if everything:
        before = forget_all(record)
        gone = {"photos": before.photos, "certificates": before.certificates}
    elif photos:
        gone = {"photos": forget_photos(photos, record), "certificates": 0}
    return {"deleted": gone, "kept": asdict(find_kept(record))}


def _failed(what: str, error: OSError) -> OutputError:
    return OutputError(
        f"cannot {what} {error.filename or 'the stored data'}",
        got=error.strerror or str(error),
        do="Check the permissions; `rtswap forget` lists the paths.",
    )
