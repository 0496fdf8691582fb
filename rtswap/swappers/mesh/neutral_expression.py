"""Learn a target's neutral expression while the stream runs, to separate expression from face shape.

A wide mouth may smile or just be wide; only time tells which. A running quantile follows the usual value of each
measure (at rest a mouth is rather shut, an eye rather open). All other motion of the mesh (brows, cheeks, jaw) is the
difference from its slow mean. Nothing jumps: what is learnt within ``WARM_S`` replaces the initial guess within
``SETTLE_S``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

WARM_S, CERTAIN_S = 2.0, 0.3
"""Time needed to learn what is usual, and time after which motion since the first frame is followed completely."""
SETTLE_S = 30.0
"""Time over which the shown face moves to what was learnt. With two seconds, openings of the swap correlated with the
target's by 0.5 to 0.7 over clips of three seconds, since the drift was as large as the expressions; now by 0.96 to 1.
A mouth that is slightly too wide for a while is acceptable."""
QUANTILES: Vector = np.array([0.25, 0.4, 0.5, 0.65, 0.65], np.float32)
"""Quantiles of the rest position of mouth opening, mouth width, corner lift and both eyes' opening."""
EYES = [3, 4]
"""Indices of the eyes' openings."""
QUICK, SLOW = 2.0, 0.03
"""Step sizes of the quantile search per second, in units of ``spread``, at first and later on."""
REACH = 2.5
"""A neutral face lies within this many ``spread`` of the mean face: a long smile stays a smile."""
FIRST_DRIFT_S, DRIFT_S = 3.0, 12.0
"""First and final time constant of the slow mean. As the plain mean of what was seen, it swallowed half of the first
smile and of the first frown."""
LONGEST_STEP_S = 0.1
QUIET = 0.006
"""Inter-ocular distances at which half of the difference of a point is followed: less is landmark noise."""
WIDE, SHUT = 0.93, 0.8
"""Opening of an eye relative to rest from which it counts as closing, and at which it counts as closed: landmark
networks see a third of a blink at times."""
SMILING = 0.05, 0.16
"""Inter-ocular distances of a smile (``Motion.smile``) over which eyes narrow and folds appear. Of 20 people, 0.12 to
0.27 were smiling with teeth, -0.08 to 0.03 faintly, and -0.15 to 0 at rest, from the mean face."""


class Motion(NamedTuple):
    """What the face does now, relative to its neutral expression."""

    first: Vector
    """(5,) its measures in the first frame."""
    rest: Vector
    """(5,) its measures at rest."""
    settled: float
    """0..1: how far the initial guess made at ``first`` has been replaced by ``rest``."""
    others: NDArray[np.float32]
    """(468, 3) displacement of the points from rest that the measures do not explain, times certainty."""
    smile: float
    """How much farther apart and higher the corners of the mouth are than at rest, or in the mean face at rest, in
    inter-ocular distances: a picture shows no rest to compare with, and the mean face smiles more than most do."""
    narrowed: tuple[float, ...]
    """(2,) How far either eye closes, or both are narrowed by a smile, 0..1."""


class NeutralExpression:
    """Tracks one face. ``mean`` (5,): the mean face's measures; ``spread`` (5,): how much people differ."""

    def __init__(self, mean: Vector, spread: Vector) -> None:
        self._usual, self._low, self._high = mean, mean - REACH * spread, mean + REACH * spread
        self._spread = spread
        self._seen_s = 0.0
        self._last_s = math.nan
        self._first: Vector | None = None
        self._rest = mean
        self._mean = np.zeros((468, 3), np.float32)
        self.motion: Motion | None = None
        """The last one."""

    def update(
        self, measured: Vector, others: NDArray[np.float32], trust: NDArray[np.float32], time_s: float
    ) -> Motion:
        """Update with one frame. ``measured`` (5,); ``others`` (468, 3) the frontal mesh minus what the measures
        explain; ``trust`` (468, 1) 0..1: how well each point is seen."""
        passed = time_s - self._last_s
        step_s = min(passed, LONGEST_STEP_S) if passed > 0 else 0.0  # NaN at first; clocks may run backwards
        self._last_s = time_s
        if self._first is None:
            self._first, self._mean = measured.copy(), others.copy()
            self._rest = np.clip(measured, self._low, self._high)
        self._seen_s += step_s
        pace = SLOW + (QUICK - SLOW) * math.exp(-2 * self._seen_s / WARM_S)
        towards = np.where(measured > self._rest, QUANTILES, QUANTILES - 1)
        self._rest = np.clip(self._rest + pace * step_s * self._spread * towards, self._low, self._high)
        difference = others - self._mean
        self._mean += trust * difference * np.float32(step_s / min(FIRST_DRIFT_S + self._seen_s, DRIFT_S))
        certainty, settled = (_eased(self._seen_s / span_s) for span_s in (CERTAIN_S, SETTLE_S))
        square = np.einsum("ij,ij->i", difference, difference)[:, None]
        loud = square / (square + np.float32(QUIET**2))
        ratio = measured[EYES] / np.maximum(self._rest[EYES], np.float32(1e-6))
        smile = max(float((measured - usual)[1:3].sum()) for usual in (self._rest, self._usual))
        smiles = _eased((smile - SMILING[0]) / (SMILING[1] - SMILING[0]))
        narrowed = tuple(max(smiles, _eased((WIDE - one) / (WIDE - SHUT))) for one in ratio.tolist())
        shown = difference * (loud * trust * np.float32(certainty))
        self.motion = Motion(self._first, self._rest, settled, shown, smile, narrowed)
        return self.motion


def _eased(share: float) -> float:
    """Ease in and out, 0..1."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)
