"""Moving averages of a followed face, as faceswap-GAN smooths its boxes: they lag, and serve who wants just that."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box

Floats = NDArray[np.float64]
FPS = 30
"""Frames a second to which shares refer; others count by their time."""


class MovingAverage:
    """``share`` of the previous points and the rest of the new ones, per frame. It is called as ``OneEuro`` is, and
    knows neither size nor noise."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._points: Floats | None = None

    def reset(self) -> None:
        """The next points pass unfiltered."""
        self._points = None

    def __call__(self, points: NDArray[Any], dt: float, size: object = 1.0, calm: object = 1.0) -> Floats:
        """Filter points (N, D), ``dt`` > 0 seconds after the last."""
        raw = np.array(points, np.float64)
        share = self._share ** (FPS * dt)
        self._points = raw if self._points is None else share * self._points + (1 - share) * raw
        return self._points.copy()


class BoxAverage:
    """The average of boxes; called as ``BoxFilter`` is. It stays where it is while nothing is measured."""

    def __init__(self, box: Box, share: float) -> None:
        self._average, self._dt = MovingAverage(share), 1 / FPS
        self.box = self.update(box)

    def predict(self, dt: float) -> Box:
        """The box as it was: an average knows no velocity. ``dt`` > 0: seconds since then."""
        self._dt = dt
        return self.box

    def update(self, box: Box) -> Box:
        """The average with a measured box (4,) xyxy."""
        self.box = self._average(box[None], self._dt)[0].astype(np.float32)
        return self.box
