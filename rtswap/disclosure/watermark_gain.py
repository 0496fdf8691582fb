"""Where the mark may be stronger: texture hides it, and is also what it must stand out from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.types import Image

BLOCKS, SAMPLES = 4, 8
"""Blocks per tile and samples per block, each way: 64 px and 8 px in a frame of 1280x720."""
BUSY = (20.0, 40.0)
"""What the Laplacian of the samples must exceed to count, for each level above the weakest: of 255."""
ENTER, STAY = 0.6, 0.5
"""Share of a block's samples that must count for it to take a level, and to keep it: a block near the limit does not
flicker."""

Runs = list[tuple[int, int, int, int, int]]


class Gain:
    """The levels of a stream of frames of one size, block by block."""

    def __init__(self, width: int, height: int, tile_px: int) -> None:
        block = tile_px / BLOCKS
        self._x, self._y = _edges(width, block), _edges(height, block)
        self._columns = _samples(len(self._x) - 1, block, width)[None]
        self._rows = _samples(len(self._y) - 1, block, height)[:, None]
        self._levels = np.zeros((len(self._y) - 1, len(self._x) - 1), np.uint8)

    def runs(self, image: Image) -> Runs:
        """(level, top, bottom, left, right) of each run of neighbouring blocks of one level above 0."""
        self._levels = self._next(np.ascontiguousarray(image[self._rows, self._columns, 1]))
        return list(self._runs())

    def _next(self, green: NDArray[np.uint8]) -> NDArray[np.uint8]:
        curved = cv2.convertScaleAbs(cv2.Laplacian(green, cv2.CV_16S))
        size = self._levels.shape[1], self._levels.shape[0]
        levels = np.zeros_like(self._levels)
        for level, limit in enumerate(BUSY, start=1):
            counts = cv2.threshold(curved, limit, 255, cv2.THRESH_BINARY)[1]
            share = cv2.resize(counts, size, interpolation=cv2.INTER_AREA)
            levels[share >= np.where(self._levels >= level, 255 * STAY, 255 * ENTER)] = level
        return levels

    def _runs(self) -> Iterator[tuple[int, int, int, int, int]]:
        for row, levels in enumerate(self._levels.tolist()):
            column = 0
            for level, blocks in groupby(levels):
                first, column = column, column + len(list(blocks))
                if level:
                    yield level, self._y[row], self._y[row + 1], self._x[first], self._x[column]


def _edges(length: int, block: float) -> list[int]:
    """Where blocks begin and end; every fourth edge is a tile's."""
    count = int(np.ceil(length / block))
    return [*(round(i * block) for i in range(count)), length]


def _samples(blocks: int, block: float, length: int) -> NDArray[np.intp]:
    places = (np.arange(blocks * SAMPLES) + 0.5) * block / SAMPLES
    return np.minimum(places, length - 1).astype(np.intp)
