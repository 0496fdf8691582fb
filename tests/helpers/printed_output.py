"""Printed output as in a pipe, or on a terminal of a given width."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from rtswap.app.console import open_rich, rendered


class Terminal(io.StringIO):
    """A terminal that keeps what it was sent."""

    def isatty(self) -> bool:
        return True


def print_parts(*parts: Any) -> str:
    return rendered(parts, open_rich(io.StringIO(), {}))


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int = 80) -> Callable[..., list[str]]:
    """Renders for a terminal; gives the lines, without colours."""
    monkeypatch.setenv("COLUMNS", str(columns))

    def render(*parts: Any) -> list[str]:
        text = rendered(parts, open_rich(Terminal(), {"TERM": "xterm"}))
        return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()

    return render
