"""Segment occluders in front of a face: hands, cups, microphones, hair, hats, headscarves, dark lenses. In frames and
in photos.

A small network takes the upright face and returns for each of 64 x 64 cells whether the face is visible there.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Matrix, Points
from rtswap.networks.outputs import check_output
from rtswap.vision.crops import Shrink, cut, place_upright
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

Plane = NDArray[np.float32]

SIZE, ANSWER = 128, 64
"""Sides of the network's square input crop, and of its output."""
MARGIN = 1.2
"""Side of that crop, in longest sides of the upright mesh."""
GUIDE = (
    (OVAL, 90),
    (LEFT_BROW, 130),
    (RIGHT_BROW, 130),
    (LEFT_EYE, 170),
    (RIGHT_EYE, 170),
    (LIPS_OUTER, 210),
    (LIPS_INNER, 255),
)
"""Grey values of the facial regions in the guide image, in drawing order: shows the network where the face is."""
SHRINK = Shrink(below=0.55, least=4)
"""How images are averaged down to the crop."""


class OcclusionModel:
    """Wraps the network. Its contract: ``crops`` (N, 128, 128, 3) and ``guides`` (N, 128, 128) uint8 -> ``visible``
    (N, 64, 64) float32, 0..1: 1 = the face is visible."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def hidden(self, image: Image, matrix: Matrix, points: Points) -> Plane:
        """Probability that something is in front of the face, 0..1 (64, 64). ``matrix`` from ``place``, ``points``
        (468, 2) the landmarks in its crop. Raises EngineError, and ModelError if the network's outputs violate its
        contract."""
        outputs = self.engine.run({"crops": cut(image, matrix, SIZE, SHRINK)[None], "guides": guide(points)[None]})
        visible = check_output(outputs, "visible", (1, ANSWER, ANSWER), of="the occlusion network", recipe="masks")
        return np.float32(1) - np.asarray(np.clip(visible[0], 0, 1), np.float32)


def place(landmarks: Points) -> Matrix | None:
    """Image -> network crop matrix (2, 3), as ``crops.place_upright``."""
    return place_upright(landmarks, SIZE, margin=MARGIN, middle=(SIZE - 1) / 2)


def guide(points: Points) -> NDArray[np.uint8]:
    """The guide image (128, 128). ``points``: (468, 2 or 3) network crop pixels."""
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    fixed = np.clip(np.round(points[:, :2] * 16), -30000, 30000).astype(np.int32)
    for ring, grey in GUIDE:
        cv2.fillPoly(drawn, [fixed[ring]], grey, cv2.LINE_8, 4)
    return drawn
