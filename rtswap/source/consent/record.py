"""Record which photos are confirmed on this machine: one small file per photo, named by the photo's hash. It contains
the date and the version of the statement. No name, no path, no pixel.

The hash covers the file's bytes: it does not depend on the version of an image decoder, and an edited photo is a new
photo that needs a new confirmation. One file per photo needs no lock, and a damaged one costs one question.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from rtswap.core.errors import SourceError
from rtswap.core.files import open_regular, sha256_of, strangers_can_write, write_atomic
from rtswap.core.urls import shown_if_missing
from rtswap.core.user_folders import user_folder
from rtswap.source.personas import PREFIX, list_personas

STATEMENT_VERSION = 1
"""Incremented if the meaning of the statement changes: earlier confirmations no longer count."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 1000
MOST_BYTES = 1 << 31
"""No photo, and no DFM file, for which consent is asked as well, is larger."""


def photo_digest(path: Path) -> str:
    """SHA-256 of the file, in hex. Raises SourceError if it cannot be read."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise SourceError(f"{path} is not a regular file", expected="a photo", do="Save it to a file first.")
        return sha256_of(path, MOST_BYTES)
    except FileNotFoundError:
        shown, do = shown_if_missing(path)
        names = [persona.name for persona in list_personas()]
        do = f"Did you mean {PREFIX}{shown.lower()}?" if shown.lower() in names else do
        raise SourceError(f"no such file: {shown}", do=do) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot read {path}", got=reason, do="Check the path and its permissions.") from None


class ConsentRecord:
    """The confirmed photos stored in ``folder``, by default in the user's state folder. The constructor writes
    nothing."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = user_folder("state") / "consent" if folder is None else folder

    def holds(self, digest: str) -> bool:
        """True if the current statement is confirmed for this photo. A record that is unreadable, or that other users
        could have written, does not count."""
        try:
            if strangers_can_write(self._path(digest)):
                return False
            with open_regular(self._path(digest)) as file:
                found = json.loads(file.read(_MAX_BYTES))
            date.fromisoformat(found["date"])
            return type(found["statement"]) is int and found["statement"] == STATEMENT_VERSION
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def remember(self, digest: str, today: date | None = None) -> None:
        """Store a confirmation. Raises OSError if it cannot be written; then nothing is stored."""
        path = self._path(digest)
        day = today or datetime.now(UTC).date()
        content = json.dumps({"date": day.isoformat(), "statement": STATEMENT_VERSION})
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, content.encode(), private=True)

    def forget(self, digest: str | None = None) -> int:
        """Delete the records of one photo, or of all photos; returns the number deleted. Raises OSError."""
        if digest is not None:
            there = os.path.lexists(self._path(digest))
            self._path(digest).unlink(missing_ok=True)
            return int(there)
        found = self._files()
        for path in found:
            path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder contains files of others
            self.folder.rmdir()
        return sum(1 for path in found if _DIGEST.fullmatch(path.name))

    def __len__(self) -> int:
        """Number of records, readable or not. Raises OSError."""
        return sum(1 for path in self._files() if _DIGEST.fullmatch(path.name))

    def _files(self) -> list[Path]:
        """Our files, including partial ones left by a crash. Raises OSError."""
        try:
            return [
                path
                for path in self.folder.iterdir()
                if _DIGEST.fullmatch(path.name) or path.name.startswith(".")
                if path.is_symlink() or not path.is_dir()
            ]
        except FileNotFoundError:
            return []

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"expected a SHA-256 in hex, got {digest[:80]!r}")
        return self.folder / digest
