"""The figures: what they are called, which way is better, and what many pairs' figures come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Row = Mapping[str, float]
"""The figures of one pair, or of one clip. NaN: not known."""


class Figure(NamedTuple):
    """One measure."""

    key: str
    label: str
    better: str
    """``more``, ``less`` or ``near 1``."""
    digits: int = 3

    def cost(self, value: float) -> float:
        """The more the worse; NaN stays."""
        if self.better == "near 1":
            return abs(math.log(max(value, 1e-6))) if not math.isnan(value) else math.nan
        return -value if self.better == "more" else value


PAIRS = (
    Figure("to_source", "cosine to the source", "more"),
    Figure("to_target", "cosine to the target", "less"),
    Figure("margin", "margin (source - target)", "more"),
    Figure("second_margin", "margin, second judge", "more"),
    Figure("pose", "pose error, degrees", "less", 2),
    Figure("expression", "expression error, % of eye distance", "less", 2),
    Figure("sharpness", "sharpness, out / in", "near 1"),
    Figure("edge", "edge energy, out / in", "near 1"),
    Figure("self_psnr", "self-swap PSNR, dB", "more", 2),
    Figure("self_ssim", "self-swap SSIM", "more"),
)
"""Of every pair; the last two of every target."""
SETS = (
    Figure("retrieval", "retrieval among all sources", "more"),
    Figure("kid_local_statistics", "KID on local statistics", "less"),
    Figure("kid_dlib_stages", "KID on dlib stages", "less"),
    Figure("ms_per_face", "time per face, ms (median)", "less", 2),
)
"""Of all pairs together."""
CLIPS = (
    Figure("jitter", "clips: jitter, out / in", "less"),
    Figure("warp", "clips: warp error, out / in", "less"),
    Figure("flicker", "clips: flicker of colour, out / in", "less"),
    Figure("mouth_opening", "clips: mouth opening, correlation", "more"),
    Figure("mouth_width", "clips: mouth width, correlation", "more"),
    Figure("left_eye", "clips: left eye, correlation", "more"),
    Figure("right_eye", "clips: right eye, correlation", "more"),
    Figure("pose_moving", "clips: pose error around its mean, degrees", "less", 2),
)
"""Of every clip."""


def column(rows: Sequence[Row], key: str) -> NDArray[np.float64]:
    """(N,) NaN where a row does not know it."""
    return np.array([row.get(key, math.nan) for row in rows], np.float64)


def middle(figure: Figure, values: NDArray[np.float64]) -> float:
    """Mean, or median of ratios; NaN where nothing is known."""
    known = values[np.isfinite(values)]
    if not known.size:
        return math.nan
    return float(np.median(known) if figure.better == "near 1" else known.mean())


def summary(figures: Sequence[Figure], rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Key -> mean, percentiles and count of what is known; figures of which nothing is known are left out."""
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
    """How two contenders compare in one figure."""

    difference: float
    """Of B to A."""
    better: str
    """``A``, ``B``, or ``=`` where the difference is within its error."""


def compare(figure: Figure, one: NDArray[np.float64], other: NDArray[np.float64]) -> Comparison:
    """Of the same pairs by A and by B. Better is who is better by more than twice the standard error of the mean
    difference; single values are compared as they are."""
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


def worst(figure: Figure, rows: Sequence[Row], count: int) -> list[int]:
    """Numbers of the worst rows, the worst first."""
    costs = np.array([figure.cost(value) for value in column(rows, figure.key)])
    known = np.flatnonzero(np.isfinite(costs))
    return [int(n) for n in known[np.argsort(-costs[known], kind="stable")][:count]]


def rounded(row: Row) -> dict[str, Any]:
    """For JSON: four digits, None for what is not known."""
    return {key: round(value, 4) if math.isfinite(value) else None for key, value in row.items()}
