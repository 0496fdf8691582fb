"""Where the watermark may be stronger: texture hides it, and texture is also the noise that it must exceed."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image

BLOCKS, SAMPLES = 4, 8
"""Blocks per tile and samples per block, each way: 64 px and 8 px in a frame of 1280x720."""


class Level(NamedTuple):
    """What a block must have for one level of strength."""

    busy: float
    """Limit of the samples' Laplacian, of 255, above which a sample counts."""
    enter: float
    """Share of a block's samples that must count to enter the level."""
    stay: float
    """Share that must count to keep it: hysteresis against flicker."""
    reach: int
    """Samples from the Laplacian's middle to its four neighbours."""


LEVELS = (Level(5, 0.55, 0.4, 4), Level(20, 0.65, 0.4, 1), Level(40, 0.65, 0.4, 1))
"""Levels above smooth. The first looks at the scale of the mark's own waves, where texture hides them. It tells a sky
or a green screen (noise of up to 1.2 levels) from a wall under a camera's noise (2 levels)."""
CLOSED = 3
"""Side, in blocks, of the square that closes gaps between blocks that are not smooth."""

Block = tuple[int, int, int, int, int]
"""Level, top, bottom, left, right in pixels. Blocks do not cross the edge of a tile."""


class Gain:
    """Tracks the level of each block in a stream of frames of one size; 0 everywhere before the first.

    ``x`` and ``y``: where blocks begin, and the frame's width and height. ``samples``: number of samples across and
    down.
    """

    def __init__(self, width: int, height: int, tile_px: int) -> None:
        block = tile_px / BLOCKS
        self.x, self.y = _edges(width, block), _edges(height, block)
        self.samples = math.ceil(width / block * SAMPLES), math.ceil(height / block * SAMPLES)
        self._own = np.zeros((len(self.y) - 1, len(self.x) - 1), np.uint8)
        """By each block's own samples."""
        self.levels = self._own
        """Those of the blocks, (rows, columns), after the last frame."""

    def changes(self, image: Image) -> list[Block]:
        """Update the levels; returns the blocks whose level changed."""
        samples = cv2.resize(image, self.samples, interpolation=cv2.INTER_NEAREST)
        self._own = self._next(cv2.extractChannel(samples, 1))
        levels = _show(self._own)
        rows, columns = (places.tolist() for places in np.nonzero(levels != self.levels))
        self.levels = levels
        y, x = self.y, self.x
        return [
            (int(levels[row, column]), y[row], y[row + 1], x[column], x[column + 1])
            for row, column in zip(rows, columns, strict=True)
        ]

    def _next(self, green: cv2.typing.MatLike) -> NDArray[np.uint8]:
        """New levels from the share of each block's samples that count, and the previous level."""
        rows, columns = self._own.shape
        below, beside = rows * SAMPLES - len(green), columns * SAMPLES - green.shape[1]
        curved = {
            reach: cv2.copyMakeBorder(_curve(green, reach), 0, below, 0, beside, cv2.BORDER_REPLICATE)
            for reach in {level.reach for level in LEVELS}
        }
        levels = np.zeros_like(self._own)
        for number, level in enumerate(LEVELS, start=1):
            counts = cv2.threshold(curved[level.reach], level.busy, 255, cv2.THRESH_BINARY)[1]
            share = cv2.resize(counts, (columns, rows), interpolation=cv2.INTER_AREA)
            levels[share >= np.where(self._own >= number, 255 * level.stay, 255 * level.enter)] = number
        return levels


def _curve(green: cv2.typing.MatLike, reach: int) -> cv2.typing.MatLike:
    """The absolute Laplacian over ``reach`` samples, at most 255; borders reflected."""
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    kernel[reach, [0, -1]] = kernel[[0, -1], reach] = 1
    kernel[reach, reach] = -4
    return cv2.convertScaleAbs(cv2.filter2D(green, cv2.CV_16S, kernel))


def _show(own: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels for blocks that have 0 (smooth) or more by their own samples: smooth blocks between others, as on a
    face, are not seen apart from them, and only a frame without others has the weakest level."""
    if not own.any():
        return own
    between = cv2.morphologyEx(np.minimum(own, 1), cv2.MORPH_CLOSE, np.ones((CLOSED, CLOSED), np.uint8))
    return np.asarray(np.maximum(own, between) + np.uint8(1), np.uint8)


def _edges(length: int, block: float) -> list[int]:
    """Edges of the blocks; every fourth is the edge of a tile."""
    return [*(round(i * block) for i in range(math.ceil(length / block))), length]
