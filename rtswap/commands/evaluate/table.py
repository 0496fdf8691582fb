"""Format the figures as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rtswap.app.console import Shown
from rtswap.commands.evaluate.figures import Comparison, Figure, Row, column, compare, middle
from rtswap.commands.reports.table import Cell, table

BEST = {"more": "high", "less": "low", "near 1": "1"}
Line = tuple[Figure, list[float], Comparison | None]
"""A figure, its value for each contender, and the comparison of two contenders."""


def table_lines(figures: Sequence[Figure], rows: Sequence[Sequence[Row]]) -> list[Line]:
    """Return the lines of the table. ``rows``: per contender. Figures without any value are skipped."""
    lines: list[Line] = []
    for figure in figures:
        columns = [column(of_one, figure.key) for of_one in rows]
        values = [middle(figure, values) for values in columns]
        if all(math.isnan(value) for value in values):
            continue
        lines.append((figure, values, compare(figure, columns[0], columns[1]) if len(columns) == 2 else None))
    return lines


def figures_table(names: Sequence[str], lines: Sequence[Line]) -> Shown:
    """Return the table; with two contenders, with the difference and the better one."""
    compared = len(names) == 2
    rows = []
    for figure, values, verdict in lines:
        cells: list[Cell] = [_number(value, figure.digits) for value in values]
        if verdict is not None:
            better = {"A": 0, "B": 1}.get(verdict.better)
            if better is not None:
                cells = [(str(cell), "good" if n == better else "bad") for n, cell in enumerate(cells)]
            who = names[better] if better is not None else verdict.better
            cells += [_number(verdict.difference, figure.digits, signed=True), who]
        rows.append([figure.label, BEST[figure.better], *cells])
    extra = (">difference", "!better") if compared else ()
    return table(("figure", "!best", *(f">{name}" for name in names), *extra), rows)


def _number(value: float, digits: int, *, signed: bool = False) -> str:
    if not np.isfinite(value):
        return "-"
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
