"""What an enlarged face lacks, by a small super-resolution network. Faces fill its picture or are smaller: they are
looked at as large as they are, large ones reduced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Matrix, Points
from rtswap.networks.outputs import check_output
from rtswap.vision.crops import AVERAGED, FARTHEST, cut

SIZE = 256
"""Side of the network's crop."""
MARGIN = 1.05
"""The part of a face that is looked at, in longest sides of its mesh."""
SMALLEST = 24
"""Side in pixels of a face that is too small to lack anything."""
MOST = 48.0
"""Levels by which a pixel may change."""


class SharpnessModel:
    """Wraps the network. Its contract: ``crops`` (N, 256, 256, 3) uint8 BGR -> ``detail`` (N, 256, 256) float32, the
    levels that the luma lacks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def lacking(self, image: Image, matrix: Matrix) -> NDArray[np.float32]:
        """Levels (256, 256), at most ``MOST``, to add to the crop that ``matrix``, from ``place``, cuts from
        ``image``. Raises EngineError, and ModelError if the network's output violates its contract."""
        outputs = self.engine.run({"crops": cut(image, matrix, SIZE, AVERAGED)[None]})
        found = check_output(outputs, "detail", (1, SIZE, SIZE), of="the sharpness network", recipe="sharpness")
        return np.asarray(np.clip(found[0], -MOST, MOST), np.float32)


def place(landmarks: Points) -> Matrix | None:
    """Image -> crop (2, 3): the middle of the face at the crop's, by whole pixels where the face is not reduced, so
    that nothing is lost. None if the landmarks (468, 3) form no face, or one smaller than ``SMALLEST``."""
    if not np.abs(landmarks).max() <= FARTHEST:  # false for NaN, too
        return None
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    side = float((high - low).max())
    if side < SMALLEST:
        return None
    scale = min(1.0, SIZE / (MARGIN * side))
    shift = (SIZE - 1) / 2 - scale * (low + high) / 2
    shift = np.round(shift) if scale == 1 else shift
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
