"""Which user has the other end of a connection on this machine."""

from __future__ import annotations

from pathlib import Path

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LOCAL, _REMOTE, _USER = 1, 2, 7
"""Columns of Linux's tables (proc(5))."""


def users_at(theirs: int, ours: int) -> set[int]:
    """The users who have a connection from their port to one of ours; none where the system does not say (macOS,
    Windows). More than one where the same ports are in use on several addresses."""
    ends = f":{theirs:04X}", f":{ours:04X}"
    found = set()
    for table in TABLES:
        try:
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        except OSError:
            continue
        found |= {int(row[_USER]) for row in rows if row[_LOCAL].endswith(ends[0]) and row[_REMOTE].endswith(ends[1])}
    return found
