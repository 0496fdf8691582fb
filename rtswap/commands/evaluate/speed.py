"""Measure the time per face: many alternating runs after a warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

RUNS, WARM_UP = 40, 5


def time_in_turn(
    works: Mapping[str, Callable[[], object]],
    *,
    runs: int = RUNS,
    warm_up: int = WARM_UP,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, float]]:
    """Return the time spread of each function in ms. Alternating spreads other load evenly; the minimum is the most
    reliable figure."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(warm_up + runs):
        for name, work in works.items():
            began = clock()
            work()
            took[name].append(clock() - began)
    return {name: spread_ms(seconds[warm_up:]) for name, seconds in took.items()}


def spread_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Return minimum, median and 10th and 90th percentile in ms."""
    p10, p50, p90 = np.percentile(seconds, [10, 50, 90]) * 1000
    figures = {"min_ms": min(seconds) * 1000, "median_ms": p50, "p10_ms": p10, "p90_ms": p90}
    return {name: round(float(value), 3) for name, value in figures.items()}
