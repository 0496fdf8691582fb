"""Which settings a file that came with a folder may not change: ``option(..., own=...)`` in the table.

A ``rtswap.toml`` in the working folder may have been downloaded with the videos beside it. What decides whether a
real face shows, whether pictures are marked, whose agreement is taken for granted and where anything is sent or
written is taken from flags, from the user's own file or from ``--config`` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtswap.core.urls import scheme


def never(value: Any) -> bool:
    """A matter of taste: any file may set it."""
    return False


def always(value: Any) -> bool:
    """A matter of safety, whatever the value."""
    return True


def leads_away(value: Any) -> bool:
    """Whether an address, or one of several, is a URL, a device or a path outside the working folder."""
    addresses = value if isinstance(value, tuple) else (value,)
    return any(isinstance(address, str) and _leads_away(address) for address in addresses)


def _leads_away(address: str) -> bool:
    if scheme(address):
        return True
    try:
        return not Path(address.strip()).expanduser().resolve().is_relative_to(Path.cwd().resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a home of nobody, a NUL
        return True
