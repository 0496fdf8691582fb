"""The figures as a table for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rtswap.commands.evaluate.figures import Comparison, Figure, Row, column, compare, middle

Line = tuple[Figure, list[float], Comparison | None]
"""A figure, its value for each contender, and how two of them compare."""


def table_lines(figures: Sequence[Figure], rows: Sequence[Sequence[Row]]) -> list[Line]:
    """``rows``: of each contender. Figures that nobody has are left out."""
    lines: list[Line] = []
    for figure in figures:
        columns = [column(of_one, figure.key) for of_one in rows]
        values = [middle(figure, values) for values in columns]
        if all(math.isnan(value) for value in values):
            continue
        lines.append((figure, values, compare(figure, columns[0], columns[1]) if len(columns) == 2 else None))
    return lines


def table(names: Sequence[str], lines: Sequence[Line]) -> str:
    """Plain text. With two contenders also the difference, and whose is better by more than its error."""
    head = ["", *names, *(["difference", "better"] if len(names) == 2 else [])]
    texts = [head]
    for figure, values, verdict in lines:
        cells = [f"{figure.label} ({_wish(figure)})", *(_number(value, figure.digits) for value in values)]
        if verdict is not None:
            better = {"A": names[0], "B": names[1]}.get(verdict.better, verdict.better)
            cells += [_number(verdict.difference, figure.digits, signed=True), better]
        texts.append(cells)
    widths = [max(len(row[n]) for row in texts) for n in range(len(head))]
    return "\n".join(_row(row, widths) for row in texts)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()


def _wish(figure: Figure) -> str:
    return {"more": "more is better", "less": "less is better", "near 1": "1 is best"}[figure.better]


def _number(value: float, digits: int, *, signed: bool = False) -> str:
    if not np.isfinite(value):
        return "-"
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
