"""What a target's face does, apart from what it is: its face at rest, learnt while the stream runs.

A mouth that is wide may be smiling or just be wide. Which it is shows in time: each measure's usual value is
followed as a running quantile (a mouth is at rest when it is rather shut, an eye when it is rather open), whatever
else the mesh does (brows, cheeks, jaw) as the difference from its slow mean. Nothing here jumps: certainty grows from
0 within ``WARM_S``, and who asks decides what holds before.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

WARM_S = 2.0
QUANTILES: Vector = np.array([0.25, 0.4, 0.5, 0.65, 0.65], np.float32)
"""Of mouth opening, mouth width, corner lift and both eyes' opening: where their rest lies among all that is seen."""
QUICK, SLOW = 2.0, 0.03
"""Steps per second, in units of ``spread``, with which a quantile is sought at first, and later on."""
REACH = 2.5
"""A face at rest lies within so many ``spread`` of the mean face: a smile held for long stays a smile."""
DRIFT_S = 12.0
"""Time constant of the slow mean in the end; at the beginning it is the plain mean of what was seen."""
LONGEST_STEP_S = 0.1
QUIET = 0.012
"""Inter-ocular distances below which a point's difference is noise of the landmarks, and is left out."""


class Motion(NamedTuple):
    """What the face does now."""

    rest: Vector
    """(5,) its measures at rest."""
    certainty: float
    """0..1: how far ``rest`` is to be trusted."""
    others: NDArray[np.float32]
    """(468, 3) how far the points are from their rest by what the measures do not tell, already times certainty."""


class Neutral:
    """One per track. ``mean`` (5,): the mean face's measures; ``spread`` (5,): by how much people differ."""

    def __init__(self, mean: Vector, spread: Vector) -> None:
        self._low, self._high = mean - REACH * spread, mean + REACH * spread
        self._spread = spread
        self._seen_s = 0.0
        self._last_s = math.nan
        self._rest: Vector | None = None
        self._mean = np.zeros((468, 3), np.float32)

    def update(
        self, measured: Vector, others: NDArray[np.float32], trust: NDArray[np.float32], time_s: float
    ) -> Motion:
        """``measured`` (5,); ``others`` (468, 3) the frontal mesh less what the measures tell; ``trust`` (468, 1)
        0..1: how well each point is seen."""
        passed = time_s - self._last_s
        step_s = min(passed, LONGEST_STEP_S) if passed > 0 else 0.0  # NaN at first, and where clocks run backwards
        self._last_s = time_s
        if self._rest is None:
            self._rest, self._mean = np.clip(measured, self._low, self._high), others.copy()
        self._seen_s += step_s
        pace = SLOW + (QUICK - SLOW) * math.exp(-2 * self._seen_s / WARM_S)
        towards = np.where(measured > self._rest, QUANTILES, QUANTILES - 1)
        self._rest = np.clip(self._rest + pace * step_s * self._spread * towards, self._low, self._high)
        difference = others - self._mean
        self._mean += trust * difference * np.float32(step_s / min(self._seen_s + step_s + 1e-6, DRIFT_S))
        share = min(self._seen_s / WARM_S, 1.0)
        certainty = share * share * (3 - 2 * share)
        length = np.sqrt(np.einsum("ij,ij->i", difference, difference))[:, None]
        loud = np.maximum(length - np.float32(QUIET), 0) / np.maximum(length, np.float32(1e-6))
        return Motion(self._rest, certainty, difference * (loud * trust * np.float32(certainty)))
