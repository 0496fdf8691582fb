"""The teacher: MediaPipe's face mesh (Apache-2.0), labels for training and a stand-in for our own network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.engines.telemetry import no_telemetry

SIZE = 192
"""Side of the teacher's input in pixels."""


class Teacher:
    """An ``Engine`` with our network's contract that runs the teacher: ``MeshLandmarks(Teacher(path), size=192)``.

    It knows neither visibility nor presence: both are 1.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        with no_telemetry():
            import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    @property
    def name(self) -> str:
        return "teacher"

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """``crops`` (N, S, S, 3) uint8 BGR -> points in pixels of the crops."""
        crops = inputs["crops"]
        points = np.stack([self.mesh(crop) for crop in crops])
        count = len(crops)
        return {
            "points": points,
            "visibility": np.ones((count, 468), np.float32),
            "presence": np.ones(count, np.float32),
        }

    def mesh(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(468, 3) in pixels of a square BGR crop of any size."""
        side = crop.shape[0]
        scaled = crop if side == SIZE else cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        rgb = scaled[None, :, :, ::-1].astype(np.float32) / 255
        points = self._session.run(None, {self._input: rgb})[0].reshape(468, 3)
        scale = side / SIZE
        # The teacher's points count from the corner of the first pixel's middle: a resize keeps pixel corners.
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        points[:, 2] *= scale
        return np.asarray(points, np.float32)
