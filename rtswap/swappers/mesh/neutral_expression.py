"""What a target's face does, apart from what it is: its face at rest, learnt while the stream runs.

A mouth that is wide may be smiling or just be wide. Which it is shows in time: each measure's usual value is
followed as a running quantile (a mouth is at rest when it is rather shut, an eye when it is rather open), whatever
else the mesh does (brows, cheeks, jaw) as the difference from its slow mean. Nothing here jumps: what is known within
``WARM_S`` takes the place of what was supposed at first within ``SETTLE_S``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

WARM_S = 2.0
"""How long it takes to know what is usual."""
SETTLE_S = 30.0
"""How long what is shown takes to move there. Where it took two seconds, openings of the swap correlated with the
target's by 0.5 to 0.7 over clips of three seconds, for the drift was as large as what the faces did; now by 0.96 to
1. A mouth that is a little too wide for a while is nobody's loss."""
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

    first: Vector
    """(5,) its measures when it was first seen."""
    rest: Vector
    """(5,) its measures at rest."""
    settled: float
    """0..1: how far what was supposed of its rest at ``first`` has given way to ``rest``."""
    others: NDArray[np.float32]
    """(468, 3) how far the points are from their rest by what the measures do not tell, already times certainty."""


class NeutralExpression:
    """One per track. ``mean`` (5,): the mean face's measures; ``spread`` (5,): by how much people differ."""

    def __init__(self, mean: Vector, spread: Vector) -> None:
        self._low, self._high = mean - REACH * spread, mean + REACH * spread
        self._spread = spread
        self._seen_s = 0.0
        self._last_s = math.nan
        self._first: Vector | None = None
        self._rest = mean
        self._mean = np.zeros((468, 3), np.float32)

    def update(
        self, measured: Vector, others: NDArray[np.float32], trust: NDArray[np.float32], time_s: float
    ) -> Motion:
        """``measured`` (5,); ``others`` (468, 3) the frontal mesh less what the measures tell; ``trust`` (468, 1)
        0..1: how well each point is seen."""
        passed = time_s - self._last_s
        step_s = min(passed, LONGEST_STEP_S) if passed > 0 else 0.0  # NaN at first, and where clocks run backwards
        self._last_s = time_s
        if self._first is None:
            self._first, self._mean = measured.copy(), others.copy()
            self._rest = np.clip(measured, self._low, self._high)
        self._seen_s += step_s
        pace = SLOW + (QUICK - SLOW) * math.exp(-2 * self._seen_s / WARM_S)
        towards = np.where(measured > self._rest, QUANTILES, QUANTILES - 1)
        self._rest = np.clip(self._rest + pace * step_s * self._spread * towards, self._low, self._high)
        difference = others - self._mean
        self._mean += trust * difference * np.float32(step_s / min(self._seen_s + step_s + 1e-6, DRIFT_S))
        certainty, settled = (_eased(self._seen_s / span_s) for span_s in (WARM_S, SETTLE_S))
        length = np.sqrt(np.einsum("ij,ij->i", difference, difference))[:, None]
        loud = np.maximum(length - np.float32(QUIET), 0) / np.maximum(length, np.float32(1e-6))
        return Motion(self._first, self._rest, settled, difference * (loud * trust * np.float32(certainty)))


def _eased(share: float) -> float:
    """0..1, slowly at both ends."""
    share = min(share, 1.0)
    return share * share * (3 - 2 * share)
