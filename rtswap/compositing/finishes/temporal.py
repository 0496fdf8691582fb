"""Exponential averages per track, so that flickering measurements do not make the result flicker."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

GAP_S = 1.0
"""Gap between measurements after which, as when time runs backwards, the past is discarded."""


@dataclass(frozen=True, slots=True)
class _State:
    values: Values
    time_s: float


class TemporalAverage:
    """Averages arrays over time, one per track. ``constant_s``: seconds to follow 63 % of a step."""

    def __init__(self, constant_s: float) -> None:
        self._constant_s = constant_s
        self._states: dict[int, _State] = {}

    def follow(self, track_id: int, values: Values, time_s: float) -> Values:
        """Update the average with a measurement; after a gap, and the first time, return the measurement."""
        last = self._states.get(track_id)
        if last is not None and 0 < time_s - last.time_s <= GAP_S:
            share = np.float32(1 - math.exp(-(time_s - last.time_s) / self._constant_s))
            values = last.values + share * (values - last.values)
        self._states[track_id] = _State(values, time_s)
        return values

    def last(self, track_id: int) -> Values | None:
        """The last result of ``follow``."""
        state = self._states.get(track_id)
        return None if state is None else state.values

    def age(self, track_id: int, time_s: float) -> float:
        """Seconds since the last measurement; infinite if there is none, or it lies in the future."""
        state = self._states.get(track_id)
        return math.inf if state is None or time_s < state.time_s else time_s - state.time_s

    def forget(self, track_id: int) -> None:
        """Drop the state of a track."""
        self._states.pop(track_id, None)
