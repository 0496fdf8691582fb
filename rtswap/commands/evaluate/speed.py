"""Measure the time per face: many alternating runs after a warm-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rtswap.engines.measurement import time_in_turns

RUNS, WARM_UP = 40, 5


def time_in_turn(
    works: Mapping[str, Callable[[], object]], *, runs: int = RUNS, warm_up: int = WARM_UP
) -> dict[str, dict[str, float]]:
    """Return the time spread of each function in ms; the minimum is the most reliable figure."""
    took = time_in_turns(works, 0.0, fewest=warm_up + runs, most=warm_up + runs)
    return {name: spread_ms(seconds[warm_up:]) for name, seconds in took.items()}


def spread_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Return minimum, median and 10th and 90th percentile in ms."""
    p10, p50, p90 = np.percentile(seconds, [10, 50, 90]) * 1000
    figures = {"min_ms": min(seconds) * 1000, "median_ms": p50, "p10_ms": p10, "p90_ms": p90}
    return {name: round(float(value), 3) for name, value in figures.items()}
