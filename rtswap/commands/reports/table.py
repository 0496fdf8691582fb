"""Build the tables that commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtswap.core.text import printable

if TYPE_CHECKING:
    from rich.table import Table

Cell = str | tuple[str, str]
"""Text, or text and its style: good, bad, warn, bold, dim."""
NARROWEST = 10
"""Columns to which a cell wraps; in a terminal that is narrower still, lines are broken by the terminal."""
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
    cells = [[Text(*_style(cell)) for cell in row] for row in rows]
    for at, name in enumerate(columns):
        head, whole = Text(name.lstrip(">!")), name.startswith((">", "!"))
        longest = max((text.cell_len for text in (head, *(row[at] for row in cells))), default=0)
        made.add_column(
            head,
            justify="right" if name.startswith(">") else "left",
            overflow="fold",
            no_wrap=whole,
            min_width=longest if whole else min(longest, NARROWEST),
        )
    for row in cells:
        made.add_row(*row)
    return made


def _style(cell: Cell) -> tuple[str, str]:
    words, style = cell if isinstance(cell, tuple) else (cell, "")
    return printable(words), STYLES.get(style, style)
