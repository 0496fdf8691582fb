"""Whose pictures may be learnt from."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("left_out.txt")


@cache
def _read_left_out() -> frozenset[str]:
    lines = _LIST.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_usable(name: str) -> bool:
    """False for the pictures in ``left_out.txt``. ``name``: the file's, without its folder."""
    return name not in _read_left_out()
