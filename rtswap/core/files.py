"""Files that are there whole or not at all, whoever else writes them and whatever ends the writing."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_atomic(path: Path, content: bytes, *, private: bool = False) -> None:
    """Put ``content`` in the place of whatever is at ``path``. ``private``: for its owner alone. Raises OSError."""
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(part, flags, 0o600 if private else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
