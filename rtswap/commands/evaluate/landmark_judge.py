"""Find landmarks in the results frame by frame, without tracking or smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rtswap.app.networks import FaceModels
from rtswap.commands.evaluate.pose import Meshes
from rtswap.core.errors import ModelError
from rtswap.core.protocols import LandmarkModel
from rtswap.core.types import Image, Points
from rtswap.networks.face_mesh import ROOM, SIZE, FaceMesh
from rtswap.networks.landmarks import MeshLandmarks

GUIDE_SIGMA = 2.0
"""Standard deviation, in frames, of the smoothing of the judge's crop positions."""


class LandmarkJudge:
    """A landmark network. ``room``: factor by which its crops are enlarged."""

    def __init__(self, model: LandmarkModel, room: float, name: str) -> None:
        self._model, self._room, self.name = model, room, name

    def look(self, image: Image, guide: Points) -> Points:
        """Return the landmarks (468, 3) px in the crop around ``guide`` (5, 2) or (468, 3) px."""
        middle = guide[:, :2].mean(0)
        wide = guide[:, :2] if len(guide) == 5 else middle + self._room * (guide[:, :2] - middle)
        return self._model.find(image, [np.asarray(wide, np.float32)])[0].points

    def guides(self, images: Sequence[Image], first: Points) -> Meshes:
        """Track the face and return its meshes, smoothed over time. Each frame takes two passes, starting from the
        last frame's mesh."""
        meshes, guide = [], first
        for image in images:
            for _ in range(2):
                guide = self.look(image, guide)
            meshes.append(guide)
        return smooth(np.array(meshes, np.float32), GUIDE_SIGMA)

    def through(self, images: Sequence[Image], guides: Meshes) -> Meshes:
        """Return the landmarks of each picture, in the crop around its own guide."""
        return np.array([self.look(image, guide) for image, guide in zip(images, guides, strict=True)], np.float32)


def own_judge(models: FaceModels) -> LandmarkJudge:
    """Return a judge with the swapper's own landmark network, which misses the same errors in input and output."""
    return LandmarkJudge(models.landmarks, 1.0, "rtswap's own network, frame by frame")


def open_judge(file: Path | None, models: FaceModels) -> LandmarkJudge:
    """Return the judge in ``file``, MediaPipe's face mesh as ONNX; without a file, ``own_judge``. It runs on ONNX
    Runtime, so that it judges alike on every machine. Raises ModelError."""
    if file is None:
        return own_judge(models)
    from rtswap.engines.onnxruntime import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(file)
    if [str(one.dtype) for one in engine.inputs] != ["float32"] or engine.inputs[0].shape[1:] != (SIZE, SIZE, 3):
        raise ModelError(
            f"{file} is not MediaPipe's face mesh",
            expected=f"one float32 input (1, {SIZE}, {SIZE}, 3)",
            got=", ".join(map(str, engine.inputs)),
            do="docs/evaluation.md says how to convert it.",
        )
    model = MeshLandmarks(FaceMesh(engine, engine.inputs[0].name), SIZE)
    return LandmarkJudge(model, ROOM, "MediaPipe face mesh, frame by frame")


def smooth(meshes: Meshes, sigma: float) -> Meshes:
    """Smooth meshes (T, 468, 3) with a Gaussian over time of ``sigma`` frames; the ends are repeated."""
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(meshes, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    windows = [w * padded[n : n + len(meshes)] for n, w in enumerate(weights / weights.sum())]
    return np.asarray(sum(windows), np.float32)
