"""Define the figures of an evaluation, and average and compare them over pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.commands.reports.folder import finite

Row = Mapping[str, float]
"""The figures of one pair or clip. NaN: unknown."""


class Figure(NamedTuple):
    """One measure."""

    key: str
    label: str
    better: str
    """``more``, ``less`` or ``near 1``."""
    digits: int = 3

    def cost(self, value: float) -> float:
        """Return a cost that is higher for worse values; NaN stays NaN."""
        if self.better == "near 1":
            return abs(math.log(max(value, 1e-6))) if not math.isnan(value) else math.nan
        return -value if self.better == "more" else value


PAIRS = (
    Figure("to_source", "cosine to the source", "more"),
    Figure("to_target", "cosine to the target", "less"),
    Figure("margin", "margin (source - target)", "more"),
    Figure("second_margin", "margin, second judge", "more"),
    Figure("chroma", "chroma: blotches of colour, over the photos'", "less"),
    Figure("light", "light: blotches of light, over the photos'", "less"),
    Figure("step", "step in tone at the seam, over the target's", "less"),
    Figure("pose", "pose error, degrees", "less", 2),
    Figure("expression", "expression error, % of eye distance", "less", 2),
    Figure("sharpness", "sharpness, out / in", "near 1"),
    Figure("edge", "edge energy, out / in", "near 1"),
    Figure("self_psnr", "self-swap PSNR, dB", "more", 2),
    Figure("self_ssim", "self-swap SSIM", "more"),
)
"""Figures of every pair; the last two of every target."""
SETS = (
    Figure("retrieval", "retrieval among all sources", "more"),
    Figure("kid_local_statistics", "KID on local statistics", "less"),
    Figure("kid_dlib_stages", "KID on dlib stages", "less"),
    Figure("ms_per_face", "time per face, ms (median)", "less", 2),
)
"""Figures of all pairs together."""
CLIPS = (
    Figure("jitter", "clips: jitter, out / in", "less"),
    Figure("warp", "clips: warp error, out / in", "less"),
    Figure("flicker", "clips: flicker of colour, out / in", "less"),
    *(
        figure
        for key, part in (
            ("mouth_opening", "mouth opening"),
            ("mouth_width", "mouth width"),
            ("left_eye", "left eye"),
            ("right_eye", "right eye"),
            ("brow_height", "brows"),
        )
        for figure in (
            Figure(key, f"clips: {part}, correlation", "more"),
            Figure(f"{key}_gain", f"clips: {part}, gain", "near 1"),
        )
    ),
    Figure("lids", "clips: darkness of closed lids, over the target's", "less"),
    Figure("pose_moving", "clips: pose error around its mean, degrees", "less", 2),
)
"""Figures of every clip."""


def column(rows: Sequence[Row], key: str) -> NDArray[np.float64]:
    """Return one figure of all rows, (N,), NaN where unknown."""
    return np.array([row.get(key, math.nan) for row in rows], np.float64)


def middle(figure: Figure, values: NDArray[np.float64]) -> float:
    """Return the mean, or the median of a ratio, of the known values; NaN without any."""
    known = values[np.isfinite(values)]
    if not known.size:
        return math.nan
    return float(np.median(known) if figure.better == "near 1" else known.mean())


def summary(figures: Sequence[Figure], rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Return key -> mean, percentiles and count of the known values; skip figures without any."""
    found = {}
    for figure in figures:
        values = column(rows, figure.key)
        values = values[np.isfinite(values)]
        if values.size:
            p10, p50, p90 = (float(value) for value in np.percentile(values, (10, 50, 90)))
            of = {"mean": float(values.mean()), "p10": p10, "p50": p50, "p90": p90}
            found[figure.key] = {name: round(value, 4) for name, value in of.items()} | {"count": int(values.size)}
    return found


class Comparison(NamedTuple):
    """Comparison of two contenders in one figure."""

    difference: float
    """B minus A."""
    better: str
    """``A``, ``B``, or ``=`` if the difference is within its error."""


def compare(figure: Figure, one: NDArray[np.float64], other: NDArray[np.float64]) -> Comparison:
    """Compare A and B on the same pairs. One is better if the mean difference exceeds twice its standard error;
    single values are compared directly."""
    difference = middle(figure, other) - middle(figure, one)
    costs = np.array([figure.cost(b) - figure.cost(a) for a, b in zip(one, other, strict=True)])
    costs = costs[np.isfinite(costs)]
    if not costs.size:
        return Comparison(difference, "")
    error = float(costs.std(ddof=1)) / math.sqrt(costs.size) if costs.size > 1 else 0.0
    mean = float(costs.mean())
    if abs(mean) <= 2 * error or mean == 0:
        return Comparison(difference, "=")
    return Comparison(difference, "A" if mean > 0 else "B")


def worst_tenth(figure: Figure, rows: Sequence[Row]) -> float:
    """Return the mean of the worst tenth of the known values, at least one; NaN without any."""
    places = worst(figure, rows, len(rows))
    values = column(rows, figure.key)[places[: max(1, round(len(places) / 10))]]
    return float(values.mean()) if values.size else math.nan


def worst_first(figures: Sequence[Figure], rows: Sequence[Row]) -> list[int]:
    """Return the indices of all rows, worst first: by their mean rank in ``figures``. Unknown values rank as best."""
    ranks = np.zeros(len(rows))
    for figure in figures:
        places = worst(figure, rows, len(rows))
        ranks[places] += len(rows) - np.arange(len(places))
    return [int(n) for n in np.argsort(-ranks, kind="stable")]


def worst(figure: Figure, rows: Sequence[Row], count: int) -> list[int]:
    """Return the indices of the ``count`` worst rows, worst first."""
    costs = np.array([figure.cost(value) for value in column(rows, figure.key)])
    known = np.flatnonzero(np.isfinite(costs))
    return [int(n) for n in known[np.argsort(-costs[known], kind="stable")][:count]]


def round_row(row: Row) -> dict[str, Any]:
    """Round to four digits for JSON; unknown values become None."""
    return {key: finite(value) for key, value in row.items()}
