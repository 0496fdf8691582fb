"""Addresses of streams that a client names."""

from __future__ import annotations

from collections.abc import Sequence

from rtswap.core.errors import UsageError
from rtswap.core.urls import redact, scheme

_LACKED = "srt"
"""PyAV's wheels have no such protocol: it is taken, and not offered."""


def stream_address(address: str, schemes: Sequence[str], example: str) -> str:
    """Return the address without spaces around it. Raises UsageError for one of none of these ``schemes``, with what
    was given, but without its secrets."""
    address = address.strip()
    if scheme(address) in schemes and "\0" not in address:
        return address
    got = redact(address if scheme(address) else f"none://{address}").removeprefix("none://")
    known = ", ".join(name for name in schemes if name != _LACKED)
    raise UsageError("wrong address", expected=f"a URL such as {example}, of {known}", got=got[:200] or "nothing")
