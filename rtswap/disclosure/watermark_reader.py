"""Read the watermark blindly: from frames alone, without the original or knowledge of how they were processed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.disclosure.watermark import Payload
from rtswap.disclosure.watermark_pattern import NOMINAL
from rtswap.disclosure.watermark_search import false_positive, search


@dataclass(frozen=True, slots=True)
class Reading:
    """The result for one window of a file."""

    present: bool
    """The watermark is present: ``false_positive`` is at most one in a million."""
    payload: Payload | None
    """None if there is no watermark, it is too weak to decode, or its kind is unknown to this version."""
    score: float
    """Standard deviations above chance for one offset and scale; present from 8.15, at most 24.6."""
    false_positive: float
    """Upper bound on the probability that an unmarked window scores as high."""
    frames: int
    from_s: float
    to_s: float
    """Times of the first and the last frame."""


class WatermarkReader:
    """Averages the frames of a window, which keeps the watermark and blurs moving content, and searches the mean.

    One per file. An image is a window of one frame: ``add`` it, then ``finish``. Not thread-safe.
    """

    def __init__(self, window_s: float = 2.0) -> None:
        if not window_s > 0:
            raise ValueError(f"a window must last longer than 0 s, not {window_s}")
        self._window_s = window_s
        self._size = (0, 0)
        self._sum: NDArray[np.float32] | None = None
        self._frames = 0
        self._from_s = self._to_s = 0.0

    def add(self, image: Image, time_s: float) -> list[Reading]:
        """Add a frame (H, W, 3) BGR of any size; returns the windows that it completes.

        A window ends after ``window_s``, when the size changes, and when time runs backwards. Raises ValueError for
        anything but an image and a finite time.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected a (H, W, 3) uint8 image, got {image.shape} {image.dtype}")
        if not math.isfinite(time_s):
            raise ValueError(f"expected a time in seconds, got {time_s}")
        if image.size == 0:
            return []
        size = image.shape[1], image.shape[0]
        over = not self._from_s <= time_s < self._from_s + self._window_s
        done = self.finish() if over or time_s < self._to_s or size != self._size else []
        luminance = _luminance(image)
        if self._sum is None:
            self._size, self._from_s = size, time_s
            self._sum = np.zeros(luminance.shape, np.float32)
        cv2.accumulate(luminance, self._sum)
        self._frames += 1
        self._to_s = time_s
        return done

    def finish(self) -> list[Reading]:
        """Return the window in progress, if it has a frame."""
        if self._sum is None:
            return []
        match = search(self._sum / np.float32(self._frames))
        payload = Payload.from_message(match.message) if match.message is not None else None
        reading = Reading(
            present=match.present,
            payload=payload,
            score=match.score,
            false_positive=false_positive(match.score),
            frames=self._frames,
            from_s=self._from_s,
            to_s=self._to_s,
        )
        self._sum, self._frames = None, 0
        return [reading]


def _luminance(image: Image) -> NDArray[np.uint8]:
    """Luminance (H, W), its shorter side at most 720 px."""
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    height, width = gray.shape
    factor = NOMINAL / min(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(gray, np.uint8)
