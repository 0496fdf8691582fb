"""Dense landmarks: where the 468 points of a face's mesh are, from one small network run per frame.

The network sees an upright square crop of each face. ``place`` decides where that crop lies, from five keypoints
or from the last frame's mesh; training imports it, so that the network is taught on what it will see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import ModelError
from rtswap.core.protocols import Engine
from rtswap.core.types import Image, Matrix, Mesh, Points, Tensor

POINT_COUNT = 468
MARGIN = 1.3
"""Side of the crop in longest sides of the upright mesh."""
_LEFT_EYE, _RIGHT_EYE, _MOUTH = (33, 133), (362, 263), (61, 291)
"""Corners in the canonical topology; left and right as seen in the image."""
_SIDE_BY_KEYPOINTS = 1.22
"""Longest side of the mesh in (eye to eye + eyes to mouth); mean over 2,011 frontal faces, deviation 0.07."""
_SIDE_BY_HEIGHT = 2.2
"""The same in (eyes to mouth) alone, which stays when the head turns sideways."""
_CENTRE_BELOW_EYES = 0.19
"""From the eyes' middle down to the middle of the upright mesh, in longest sides of the mesh."""
_TINY = 1e-3
_FARTHEST = 1e6
"""Pixels. A face farther out than this is a fault in the numbers."""
_MOST_HALVINGS = 6


def place(face: Points, size: int) -> Matrix | None:
    """Frame -> crop matrix (2, 3) for the ``size`` px square crop of a face, upright and centred.

    ``face``: (5, 2) keypoints or a (468, 2 or 3) mesh, in frame pixels. None where the points say nothing
    (not finite, or all in one place).
    """
    points = np.asarray(face, np.float64)[:, :2]
    if not np.abs(points).max() <= _FARTHEST:  # false for NaN, too
        return None
    is_mesh = len(points) == POINT_COUNT
    left, right, mouth = _corners(points, *((_LEFT_EYE, _RIGHT_EYE, _MOUTH) if is_mesh else ((0, 0), (1, 1), (3, 4))))
    eyes = (left + right) / 2
    across, down = right - left, mouth - eyes
    # Eye line and nose line vote together: either alone tilts when the head turns or nods.
    axis = across - 1j * down
    if abs(axis) < _TINY:
        return None
    axis /= abs(axis)
    rotation = np.array([[axis.real, axis.imag], [-axis.imag, axis.real]])
    if is_mesh:
        upright = rotation @ points.T
        low, high = upright.min(axis=1), upright.max(axis=1)
        centre, side = (low + high) / 2, float((high - low).max())
    else:
        side = max(_SIDE_BY_KEYPOINTS * (abs(across) + abs(down)), _SIDE_BY_HEIGHT * abs(down))
        middle = eyes * axis.conjugate()
        centre = np.array([middle.real, middle.imag + _CENTRE_BELOW_EYES * side])
    if side < _TINY:
        return None
    matrix = np.empty((2, 3), np.float32)
    matrix[:, :2] = rotation * (size / (MARGIN * side))
    matrix[:, 2] = size / 2 - centre * (size / (MARGIN * side))
    return matrix


def _corners(points: NDArray[np.float64], *pairs: tuple[int, int]) -> list[complex]:
    """The middle of each pair of points, as x + iy: a turn is then a product."""
    return [complex(*((points[a] + points[b]) / 2).tolist()) for a, b in pairs]


def cut(image: Image, matrix: Matrix, out: Image) -> None:
    """Sample the square crop that ``matrix`` describes from ``image`` into ``out`` (S, S, 3), edges repeated.

    Only the pixels around the face are read. A face more than twice as large as the crop is first averaged down by 2,
    4, 8 ...: sampled directly it would turn sensor noise into jitter of the points.
    """
    size = out.shape[0]
    view, moved = image, matrix
    halvings = min(int(np.log2(max(1.0, 1.0 / max(float(np.hypot(*matrix[:, 0])), _TINY)))), _MOST_HALVINGS)
    if halvings:
        view, moved = _reduced(image, matrix, size, halvings)
    cv2.warpAffine(view, moved, (size, size), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _reduced(image: Image, matrix: Matrix, size: int, halvings: int) -> tuple[Image, Matrix]:
    """The part of ``image`` under the crop, averaged down by 2 ``halvings`` times, and the matrix that fits it."""
    factor = 2**halvings
    (a, b, x), (c, d, y) = cv2.invertAffineTransform(matrix).tolist()
    height, width = image.shape[0] // factor, image.shape[1] // factor
    left, right = _span(x + size * min(0, a, b, a + b), x + size * max(0, a, b, a + b), factor, width)
    top, bottom = _span(y + size * min(0, c, d, c + d), y + size * max(0, c, d, c + d), factor, height)
    columns, rows = right - left, bottom - top
    if columns < 1 or rows < 1:
        return image, matrix
    low_x, low_y = left * factor, top * factor
    view = image[low_y : low_y + rows * factor, low_x : low_x + columns * factor]
    for _ in range(halvings):  # by 2 at a time: OpenCV has a fast path for it
        view = np.asarray(cv2.resize(view, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    # A reduced pixel's centre lies in the middle of the pixels it averages.
    start = np.array([low_x, low_y]) + (factor - 1) / 2
    shift = matrix[:, :2] @ start + matrix[:, 2]
    return view, np.column_stack([matrix[:, :2] * factor, shift]).astype(np.float32)


def _span(low: float, high: float, factor: int, limit: int) -> tuple[int, int]:
    """First and last reduced pixel of 0..``limit`` that are needed from ``low`` to ``high``, with one to spare."""
    first = min(max(math.floor(low / factor) - 1, 0), max(limit - 1, 0))
    return first, min(max(math.ceil(high / factor) + 1, first + 1), limit)


def to_frame(points: Points, matrix: Matrix) -> Points:
    """(468, 3) points in crop pixels -> frame pixels; z is scaled as x and y are."""
    inverse = cv2.invertAffineTransform(matrix)
    mapped = np.empty_like(points)
    mapped[:, :2] = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
    mapped[:, 2] = points[:, 2] * np.hypot(inverse[0, 0], inverse[1, 0])
    return mapped


class MeshLandmarks:
    """A ``LandmarkModel``: finds the mesh of every given face with one run of the network.

    The network's contract: ``crops`` (N, size, size, 3) uint8 BGR -> ``points`` (N, 468, 3) float32 crop pixels,
    ``visibility`` (N, 468) and ``presence`` (N,), both 0..1.
    """

    def __init__(self, engine: Engine, size: int = 128) -> None:
        self._engine = engine
        self._size = size
        self._batch: NDArray[np.uint8] = np.zeros((1, size, size, 3), np.uint8)

    def find(self, image: Image, faces: Sequence[Points]) -> list[Mesh]:
        """One Mesh per face, in the order given, in pixels of ``image``; presence 0 where none could be found.

        Raises EngineError when the engine fails, ModelError when the network breaks its contract.
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
                cut(image, matrix, crop)
        points, visibility, presence = _checked(self._engine.run({"crops": crops}), len(faces))
        return [
            _mesh(matrix, points[i], visibility[i], float(presence[i]), faces[i]) for i, matrix in enumerate(matrices)
        ]


def _checked(outputs: Mapping[str, Tensor], count: int) -> tuple[Tensor, Tensor, Tensor]:
    shapes = {"points": (count, POINT_COUNT, 3), "visibility": (count, POINT_COUNT), "presence": (count,)}
    for name, shape in shapes.items():
        got = outputs[name].shape if name in outputs else "nothing"
        if got != shape:
            raise ModelError(
                f"the landmark network's output {name!r} is wrong",
                expected=str(shape),
                got=str(got),
                do="Reinstall rtswap, or export the network again with python -m training.landmarks.export.",
            )
    return outputs["points"], outputs["visibility"], outputs["presence"]


def _mesh(matrix: Matrix | None, points: Tensor, visibility: Tensor, presence: float, face: Points) -> Mesh:
    finite = np.isfinite(points).all() and np.isfinite(visibility).all() and np.isfinite(presence)
    if matrix is None or not finite:
        return _lost(face)
    return Mesh(
        to_frame(np.asarray(points, np.float32), matrix),
        np.clip(np.asarray(visibility, np.float32), 0.0, 1.0),
        min(max(presence, 0.0), 1.0),
    )


def _lost(face: Points) -> Mesh:
    """What is returned for no face: the last mesh if that was given and is sound, else every point at the centre."""
    points = np.zeros((POINT_COUNT, 3), np.float32)
    if np.isfinite(face).all():
        if face.shape == points.shape:
            points[:] = face
        else:
            points[:, :2] = np.asarray(face, np.float32)[:, :2].mean(axis=0)
    return Mesh(points, np.zeros(POINT_COUNT, np.float32), 0.0)
