"""MediaPipe's face mesh as an ONNX file: a landmark network that is not ours, to judge with and to learn from.

The file takes (1, 192, 192, 3) float32 RGB, 0..1, and outputs 1,404 numbers: 468 landmarks x y z in its pixels
(Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs"; Apache-2.0). It was
made for crops of ``ROOM`` times the side that our landmark network takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from rtswap.core.errors import ModelError
from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Points
from rtswap.networks.landmarks import MARGIN, POINT_COUNT
from rtswap.vision.resample import resized

SIZE = 192
"""Side of the network's input in pixels."""
MADE_FOR = 1.5
"""Side of the crops it was made for, in longest sides of the face."""
ROOM = MADE_FOR / MARGIN


class FaceMesh:
    """An ``Engine`` with our landmark network's contract: ``MeshLandmarks(FaceMesh(engine), SIZE)``.

    It knows neither visibility nor presence: both are 1.
    """

    def __init__(self, engine: Engine, name: str = "input_1") -> None:
        self._engine, self._input = engine, name

    @property
    def name(self) -> str:
        """The engine's name."""
        return self._engine.name

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """``crops`` (N, S, S, 3) uint8 BGR -> ``points`` (N, 468, 3) in pixels of the crops. Raises EngineError,
        ModelError."""
        points = np.stack([self.mesh(crop) for crop in inputs["crops"]])
        count = len(points)
        return {
            "points": points,
            "visibility": np.ones((count, POINT_COUNT), np.float32),
            "presence": np.ones(count, np.float32),
        }

    def mesh(self, crop: Image) -> Points:
        """Return (468, 3) in pixels of a square BGR crop of any size. Raises EngineError, ModelError."""
        side = crop.shape[0]
        scaled = crop if side == SIZE else resized(crop, (SIZE, SIZE), cv2.INTER_AREA)
        rgb = scaled[None, :, :, ::-1].astype(np.float32) / np.float32(255)
        outputs = [of for of in self._engine.run({self._input: rgb}).values() if of.size == POINT_COUNT * 3]
        if not outputs:
            raise ModelError(
                "the judge's outputs are not MediaPipe's face mesh", expected=f"{POINT_COUNT * 3} numbers"
            )
        points = np.array(outputs[0], np.float32).reshape(POINT_COUNT, 3)
        scale = side / SIZE
        # The network's points count from the corner of the first pixel's middle: a resize keeps pixel corners.
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        points[:, 2] *= scale
        return points
