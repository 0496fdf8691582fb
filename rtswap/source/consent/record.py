"""Which photos were confirmed, on this machine: a small file for each, named by the photo's hash. In it stand the day
and the version of the statement. No name, no path, no pixel.

The hash is that of the file's bytes. These are what was confirmed; they do not depend on which version of a decoder
reads them, and an edited photo is another photo, about which is asked again. A file for each photo needs no lock, and
a damaged one costs one question.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import platformdirs

from rtswap.core.errors import SourceError
from rtswap.core.files import write_atomic

STATEMENT_VERSION = 1
"""Raised when the statement changes in meaning: what was confirmed before then no longer counts."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 1000


def photo_digest(path: Path) -> str:
    """SHA-256 of the file, in hex. Raises SourceError where it cannot be read."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise SourceError(f"{path} is no ordinary file", expected="a photo", do="Save it to a file first.")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}", do="Check the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot read {path}", got=reason, do="Check the path and its permissions.") from None


class ConsentRecord:
    """The confirmed photos in ``folder``; by default in the user's state folder. Nothing is written by making one."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = platformdirs.user_state_path("rtswap") / "consent" if folder is None else folder

    def holds(self, digest: str) -> bool:
        """Was the present statement confirmed for this photo? Whatever cannot be read was not."""
        try:
            with self._path(digest).open("rb") as file:
                found = json.loads(file.read(_MAX_BYTES))
            date.fromisoformat(found["date"])
            return type(found["statement"]) is int and found["statement"] == STATEMENT_VERSION
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def remember(self, digest: str, today: date | None = None) -> None:
        """Raises OSError where it cannot be written; then nothing is."""
        path = self._path(digest)
        day = today or datetime.now(UTC).date()
        content = json.dumps({"date": day.isoformat(), "statement": STATEMENT_VERSION})
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, content.encode(), private=True)

    def forget(self, digest: str | None = None) -> int:
        """Delete what is kept of one photo, or of all; of how many. Raises OSError."""
        if digest is not None:
            there = os.path.lexists(self._path(digest))
            self._path(digest).unlink(missing_ok=True)
            return int(there)
        found = self._files()
        for path in found:
            path.unlink(missing_ok=True)
        with suppress(OSError):  # somebody else's files are in it
            self.folder.rmdir()
        return sum(1 for path in found if _DIGEST.fullmatch(path.name))

    def __len__(self) -> int:
        """Photos of which something is kept, whether it can be read or not. Raises OSError."""
        return sum(1 for path in self._files() if _DIGEST.fullmatch(path.name))

    def _files(self) -> list[Path]:
        """Ours, with what a crash may have left half written. Raises OSError."""
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
