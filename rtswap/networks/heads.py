"""The second detector's network: where heads may be, on a reduced picture.

It is made for recall (``assets/heads.md``): small and huge, turned by any angle, dark, tinted, noisy, half hidden, in
profile. Light and colour are normalised inside its graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Tensor
from rtswap.networks.outputs import check_output

MAPS = ("fine", "middle", "coarse")
CELLS = (8, 16, 32)
"""Sides in pixels of the cells of each map."""
RANGES = ((4.0, 26.0), (18.0, 75.0), (52.0, 1000.0))
"""Heights in pixels of the faces that each map finds."""
SIDE = 32
"""Both sides of the picture are multiples of it."""
ONE_HEAD = 0.4
"""Squares whose middles are nearer than this share of their side are one head."""
WITHIN = 0.5
"""Unless one is less than so many times as large: a picture that is held before a face, say."""
Floats = NDArray[np.float32]


class HeadModel:
    """Wraps the network. Its contract: ``picture`` (N, H, W, 3) uint8 BGR, sides multiples of 32 -> ``fine``,
    ``middle``, ``coarse`` (N, 4, H / cell, W / cell) float32 with a cell of 8, 16 and 32 pixels: score 0..1, offset
    of the face's middle from the cell's in cells (x, y), height of the face in cells."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, picture: Image, threshold: float) -> Floats:
        """As ``decode``. Raises EngineError, and ModelError if the network's outputs violate its contract."""
        outputs = self._engine.run({"picture": picture[None]})
        return decode(_check(outputs, picture), threshold)


def _check(outputs: Mapping[str, Tensor], picture: Image) -> list[Floats]:
    """The maps (4, rows, columns). Raises ModelError for wrong shapes, for values that are not finite, and for a
    network that says the same everywhere."""
    maps = []
    for name, cell in zip(MAPS, CELLS, strict=True):
        shape = (1, 4, picture.shape[0] // cell, picture.shape[1] // cell)
        values = check_output(outputs, name, shape, of="the second detector", recipe="heads", varied=True)
        maps.append(np.asarray(values[0], np.float32))
    return maps


def decode(maps: Sequence[Floats], threshold: float) -> Floats:
    """(N, 5) ``x1 y1 x2 y2 score`` of the heads in one picture, in its pixels: squares as wide as the face is tall,
    best first. ``maps``: (4, rows, columns) each. Of squares that lie on each other only the best is kept."""
    found = []
    for (score, x, y, height), cell in zip(maps, CELLS, strict=True):
        best = cv2.dilate(score, np.ones((3, 3), np.uint8))
        rows, columns = np.nonzero((score > threshold) & (score >= best))
        middle = (np.stack([columns, rows]) + 0.5 + np.stack([x[rows, columns], y[rows, columns]])) * cell
        half = height[rows, columns] * (cell / 2)
        found.append(np.stack([*(middle - half), *(middle + half), score[rows, columns]], 1))
    return only_once(np.concatenate(found).astype(np.float32))


def only_once(boxes: Floats) -> Floats:
    """Of squares (N, 5) that lie on each other only the best, best first."""
    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept: list[int] = []
    for row, box in enumerate(boxes):
        others = boxes[kept]
        apart = np.hypot(*(others[:, :2] + others[:, 2:4] - box[:2] - box[2:4]).T) / 2
        sides, side = others[:, 2] - others[:, 0], box[2] - box[0]
        larger, smaller = np.maximum(sides, side), np.minimum(sides, side)
        if not ((apart < ONE_HEAD * larger) & (smaller >= WITHIN * larger)).any():
            kept.append(row)
    return boxes[kept]
