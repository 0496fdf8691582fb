"""Compare figures over groups of skin tones, so that nobody is served worse unseen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.evaluate.figures import PAIRS, Figure, Row, column, middle, round_row, worst_tenth
from rtswap.commands.reports.table import table

GROUPS = (("light", 41.0), ("medium", 10.0), ("dark", -math.inf))
"""Least individual typology angle of each group, degrees: of the six of Chardon et al. 1991, two each."""
APART = (("under 10 apart", 0.0), ("10 to 25 apart", 10.0), ("over 25 apart", 25.0))
"""Least CIELAB distance of the two skins."""
SHOWN = tuple(figure for key in ("chroma", "light", "step", "to_source") for figure in PAIRS if figure.key == key)


def group_of(angle: float) -> str:
    """Return the group of a typology angle in degrees."""
    return next(name for name, least in GROUPS if angle >= least)


def by_distance(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows by the distance of the two skins' tones."""
    found: dict[str, list[Row]] = {name: [] for name, _ in APART}
    for row in rows:
        found[[name for name, least in APART if row["tones"] >= least][-1]].append(row)
    return found


def by_groups(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return the rows by the groups of source and target."""
    found: dict[tuple[str, str], list[Row]] = {(one, other): [] for one, _ in GROUPS for other, _ in GROUPS}
    for row in rows:
        found[group_of(row["source_angle"]), group_of(row["target_angle"])].append(row)
    return found


def tones_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return count, mean and worst tenth of the figures for every split that has pairs, as JSON types."""
    splits = {
        **by_distance(rows),
        **{f"{source} on {target}": of for (source, target), of in by_groups(rows).items()},
    }
    return [
        {"tones": name, "pairs": len(of)}
        | round_row({figure.key: middle(figure, column(of, figure.key)) for figure in SHOWN})
        | round_row({f"{figure.key}_worst_tenth": worst_tenth(figure, of) for figure in SHOWN})
        for name, of in splits.items()
        if of
    ]


def tone_tables(name: str, rows: Sequence[Row]) -> list[Shown]:
    """Return two tables for one contender: mean (worst tenth) by the distance of the skins' tones, and a matrix of
    source groups by target groups with the means."""
    columns = ("skins' tones", ">pairs", *(f">{figure.key}" for figure in SHOWN))
    of_each = {"all": list(rows), **by_distance(rows)}
    lines = [[title, str(len(of)), *(_pair(of, figure) for figure in SHOWN)] for title, of in of_each.items() if of]
    matrix = by_groups(rows)
    cells = [[f"{source} source", *(_cell(matrix[source, target]) for target, _ in GROUPS)] for source, _ in GROUPS]
    heads = ("chroma light step cosine (pairs)", *(f">{target} target" for target, _ in GROUPS))
    return [
        table(columns, lines, title=f"{name}: mean (worst tenth) by the distance of the skins' tones"),
        table(heads, cells, title=f"{name}: by skin tone (typology angle above 41, above 10, lower)"),
    ]


def _pair(rows: Sequence[Row], figure: Figure) -> str:
    return f"{middle(figure, column(rows, figure.key)):.2f} ({worst_tenth(figure, rows):.2f})"


def _cell(rows: Sequence[Row]) -> str:
    if not rows:
        return "-"
    means = " ".join(f"{middle(figure, column(rows, figure.key)):.2f}" for figure in SHOWN)
    return f"{means} ({len(rows)})"
