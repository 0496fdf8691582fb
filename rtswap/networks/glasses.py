"""Find the glasses that a face wears: wire, rimless, half-rimmed and acetate frames, dark lenses, reflections.

A small network takes an upright strip around the eyes, 1.8 times as large as the occlusion network's crop, since a
wire is one or two pixels wide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Matrix, Points
from rtswap.networks.outputs import check_output
from rtswap.vision.crops import Shrink, cut, place_upright

Plane = NDArray[np.float32]

WIDTH, HEIGHT = 192, 96
"""Of the strip, and of the network's output. The strip is the upper half of a square crop."""
MARGIN = 1.02
"""Side of that square, in longest sides of the upright mesh."""
EYES_Y = 38.0
"""Row of the strip in which the eyes lie."""
MOST = 9000
"""Cells of an answer, of 18,432, above which it is no glasses': the largest of 600 painted sunglasses hid 7,847. A
broken network would show the target's eyes."""
SHRINK = Shrink(below=0.55, least=4)
"""How images are averaged down to the crop."""
_EYE_CORNERS = [33, 133, 362, 263]


class GlassesModel:
    """Wraps the network. Its contract: ``strips`` (N, 96, 192, 3) uint8 BGR -> ``frames`` (N, 96, 192) float32, 0..1:
    1 = a frame, or a lens that one cannot see through."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def find(self, image: Image, matrix: Matrix) -> Plane:
        """Probability that glasses are in front of the face, 0..1 (96, 192); 0 if they would hide more than ``MOST``.
        ``matrix`` from ``place``. Raises EngineError, and ModelError if the outputs violate the network's contract.
        """
        outputs = self.engine.run({"strips": cut(image, matrix, WIDTH, SHRINK)[None, :HEIGHT]})
        frames = check_output(outputs, "frames", (1, HEIGHT, WIDTH), of="the glasses network", recipe="glasses")
        found = np.asarray(np.clip(frames[0], 0, 1), np.float32)
        return found if np.count_nonzero(found > 0.5) <= MOST else np.zeros_like(found)


def place(landmarks: Points) -> Matrix | None:
    """Image -> strip matrix (2, 3) for a mesh (468, 2 or 3). None if it is degenerate, as ``crops.place_upright``."""
    matrix = place_upright(landmarks, WIDTH, margin=MARGIN, middle=(WIDTH - 1) / 2)
    if matrix is not None:
        eyes = landmarks[_EYE_CORNERS, :2].mean(0)
        matrix[1, 2] = EYES_Y - matrix[1, :2] @ eyes
    return matrix
