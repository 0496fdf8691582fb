"""Which user has the other end of a connection on this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LOCAL, _REMOTE, _STATE, _USER, _INODE = 1, 2, 3, 7, 9
"""Columns of Linux's tables (proc(5))."""
_ESTABLISHED = "01"


def users_at(theirs: int, ours: int) -> set[int | None]:
    """The users who have a connection from their port to one of ours; none where the system does not say (macOS,
    Windows). More than one where the same ports are in use on several addresses. None: somebody who has closed it,
    whom Linux no longer knows: it says 0, which is root, or nothing, though what was sent can still be read."""
    found = {None if row[_INODE] == "0" else int(row[_USER]) for row in _connections(theirs, ours) or ()}
    if found:
        return found
    own = _connections(ours, theirs)  # read after theirs: what was closed before is closed here, too
    return set() if own is None or any(row[_STATE] == _ESTABLISHED for row in own) else {None}


def _connections(local: int, remote: int) -> list[list[str]] | None:
    """Rows of the connections between two ports, as the local end; None where there is no table."""
    tables = []
    for table in TABLES:
        with suppress(OSError):
            tables.append(Path(table).read_text())
    if not tables:
        return None
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    ends = f":{local:04X}", f":{remote:04X}"
    return [row for row in rows if row[_LOCAL].endswith(ends[0]) and row[_REMOTE].endswith(ends[1])]
