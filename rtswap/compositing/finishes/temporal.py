"""What is measured from a picture flickers; what is done with it must not: one exponential average per track."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

GAP_S = 1.0
"""Without a measurement for so long, or when time runs backwards, the past says nothing."""


@dataclass(frozen=True, slots=True)
class _State:
    values: Values
    time_s: float


class TemporalAverage:
    """Arrays followed in time, one per track. ``constant_s``: seconds in which 63 % of a step have been followed."""

    def __init__(self, constant_s: float) -> None:
        self._constant_s = constant_s
        self._states: dict[int, _State] = {}

    def follow(self, track_id: int, values: Values, time_s: float) -> Values:
        """The average after one more measurement; the measurement itself after a gap, and at first."""
        last = self._states.get(track_id)
        if last is not None and 0 < time_s - last.time_s <= GAP_S:
            share = np.float32(1 - math.exp(-(time_s - last.time_s) / self._constant_s))
            values = last.values + share * (values - last.values)
        self._states[track_id] = _State(values, time_s)
        return values

    def last(self, track_id: int) -> Values | None:
        """What ``follow`` gave last."""
        state = self._states.get(track_id)
        return None if state is None else state.values

    def age(self, track_id: int, time_s: float) -> float:
        """Seconds since the last measurement; infinite where there is none, or where it lies in the future."""
        state = self._states.get(track_id)
        return math.inf if state is None or time_s < state.time_s else time_s - state.time_s

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track."""
        self._states.pop(track_id, None)
