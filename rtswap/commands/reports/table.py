"""Build the tables that commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtswap.core.text import printable

if TYPE_CHECKING:
    from rich.table import Table

Cell = str | tuple[str, str]
"""Text, or text and its style: good, bad, warn, bold, dim."""
STYLES = {"good": "green", "bad": "bold red", "warn": "yellow"}


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], title: str = "") -> Table:
    """Return a table for ``Console``. A column name starting with ``>`` is right-aligned, for numbers; one starting
    with ``!`` does not wrap."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        title=title or None,
        title_justify="left",
        title_style="bold",
        show_header=any(name.strip(">!") for name in columns),
    )
    for name in columns:
        right = name.startswith(">")
        made.add_column(
            Text(name.lstrip(">!")),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=name.startswith((">", "!")),
        )
    for row in rows:
        made.add_row(*(Text(*_style(cell)) for cell in row))
    return made


def _style(cell: Cell) -> tuple[str, str]:
    words, style = cell if isinstance(cell, tuple) else (cell, "")
    return printable(words), STYLES.get(style, style)
