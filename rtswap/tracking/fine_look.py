"""Look for small heads at twice the resolution: all over the first frame of a scene, then a quarter at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box, Image
from rtswap.networks.heads import HeadModel
from rtswap.tracking.reduced_picture import AREA, reduced
from rtswap.vision.boxes import holds

TIMES = 2
"""Resolution, in that of the reduced picture."""
SMALL = 16.0
"""Size of a head in pixels of the reduced picture from which that shows it well enough."""
LEAST = 0.3
"""Score from which a head is told: of 24 faces of 14 to 36 px in 1280 x 720, 23 or more, which score 0.3 to 0.8; and
in a portrait of somebody else on average 1.2 places, mostly of textures."""
BEYOND = 16
"""Pixels of the finer picture by which a quarter reaches into the others."""
Floats = NDArray[np.float32]


class FineLook:
    """``model``: the network ``heads``. One per stream; not thread-safe."""

    def __init__(self, model: HeadModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Begin with another scene."""
        self._next: int | None = None
        """Quarter to look at; None: all of them."""
        self.seen: Floats = np.zeros((0, 5), np.float32)
        """Heads that were confirmed, as ``look``'s."""

    @property
    def is_new(self) -> bool:
        """Whether nothing of the scene was looked at."""
        return self._next is None

    def look(self, image: Image, scale: Floats) -> Floats:
        """(N, 5) ``x1 y1 x2 y2 score`` of small heads in what is looked at now, and of those that are known
        elsewhere, in pixels of the reduced picture. ``scale`` (4,): the frame's pixels per pixel of that. Raises
        EngineError and ModelError."""
        if scale.max() <= 1:
            return np.zeros((0, 5), np.float32)
        height, width = image.shape[:2]
        area = np.array([0, 0, width, height]) if self._next is None else _quarter(self._next, width, height, scale)
        self._next = 0 if self._next is None else (self._next + 1) % 4
        left, top, right, bottom = area.tolist()
        part = image[top:bottom, left:right]
        fine = reduced(part, round(TIMES**2 * AREA * (part.size / image.size)))
        found = self._model.find(fine, LEAST)
        found[:, :4] *= np.tile(np.divide(part.shape[1::-1], fine.shape[1::-1]), 2)
        found[:, :4] = (found[:, :4] + np.tile(area[:2], 2)) / scale
        elsewhere = [not holds((area / scale).astype(np.float32), box) for box in self.seen[:, :4]]
        return np.concatenate([found[found[:, 2] - found[:, 0] < SMALL], self.seen[np.array(elsewhere, bool)]])


def _quarter(number: int, width: int, height: int, scale: Floats) -> Box:
    """``x1 y1 x2 y2`` of a quarter of the frame, in pixels; never empty."""
    beyond = (BEYOND * scale[:2] / TIMES).astype(int)
    wide, tall = min(width, (width + 1) // 2 + beyond[0]), min(height, (height + 1) // 2 + beyond[1])
    left, top = (number % 2) * (width - wide), (number // 2) * (height - tall)
    return np.array([left, top, left + wide, top + tall])
