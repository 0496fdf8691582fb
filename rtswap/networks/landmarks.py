"""Dense landmarks: the 468 points of a face mesh, from one small network run per frame.

The network's input is an upright square crop of each face. ``place`` computes that crop from five keypoints or the
last frame's mesh; training uses the same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Matrix, Mesh, Points, Tensor
from rtswap.networks.outputs import check_output
from rtswap.vision.crops import cut_into, place_upright

POINT_COUNT = 468
MARGIN = 1.3
"""Side of the crop, in longest sides of the upright mesh."""


def place(face: Points, size: int) -> Matrix | None:
    """Frame -> crop matrix (2, 3), as ``crops.place_upright``; None for degenerate points."""
    return place_upright(face, size, margin=MARGIN, middle=size / 2)


def to_frame(points: Points, matrix: Matrix) -> Points:
    """Convert points (468, 3) from crop to frame pixels; z is scaled like x and y."""
    inverse = cv2.invertAffineTransform(matrix)
    mapped = np.empty_like(points)
    mapped[:, :2] = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
    mapped[:, 2] = points[:, 2] * np.hypot(inverse[0, 0], inverse[1, 0])
    return mapped


class MeshLandmarks:
    """Implements ``protocols.LandmarkModel``: finds the meshes of all given faces with one run of the network.

    The network's contract: ``crops`` (N, size, size, 3) uint8 BGR -> ``points`` (N, 468, 3) float32 crop pixels,
    ``visibility`` (N, 468) and ``presence`` (N,), both 0..1.
    """

    def __init__(self, engine: Engine, size: int = 128) -> None:
        self._engine = engine
        self._size = size
        self._batch: NDArray[np.uint8] = np.zeros((1, size, size, 3), np.uint8)

    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        """One Mesh per face, in the given order, in pixels of ``image``; presence 0 if no face was found.

        Raises EngineError if the engine fails, ModelError if the network's outputs violate its contract.
        """
        if not faces:
            return []
        if len(faces) > len(self._batch):
            self._batch = np.zeros((len(faces), self._size, self._size, 3), np.uint8)
        crops = self._batch[: len(faces)]
        matrices = [place(face, self._size) for face in faces]
        for crop, matrix in zip(crops, matrices, strict=True):
            if matrix is None:
                crop[:] = 0
            else:
                cut_into(image, matrix, crop)
        points, visibility, presence = _check(self._engine.run({"crops": crops}), len(faces))
        return [
            _mesh(matrix, points[i], visibility[i], float(presence[i]), faces[i]) for i, matrix in enumerate(matrices)
        ]


def _check(outputs: Mapping[str, Tensor], count: int) -> tuple[Tensor, Tensor, Tensor]:
    shapes = {"points": (count, POINT_COUNT, 3), "visibility": (count, POINT_COUNT), "presence": (count,)}
    points, visibility, presence = (
        check_output(outputs, name, shape, of="the landmark network", recipe="landmarks")
        for name, shape in shapes.items()
    )
    return points, visibility, presence


def _mesh(matrix: Matrix | None, points: Tensor, visibility: Tensor, presence: float, face: Points) -> Mesh:
    if matrix is None:
        return _lost(face)
    return Mesh(
        to_frame(np.asarray(points, np.float32), matrix),
        np.clip(np.asarray(visibility, np.float32), 0.0, 1.0),
        min(max(presence, 0.0), 1.0),
    )


def _lost(face: Points) -> Mesh:
    """Result for a face that was not found: the given mesh if it is finite, otherwise every point at the centre."""
    points = np.zeros((POINT_COUNT, 3), np.float32)
    if np.isfinite(face).all():
        if face.shape == points.shape:
            points[:] = face
        else:
            points[:, :2] = np.asarray(face, np.float32)[:, :2].mean(axis=0)
    return Mesh(points, np.zeros(POINT_COUNT, np.float32), 0.0)
