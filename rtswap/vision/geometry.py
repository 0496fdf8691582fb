"""Similarities, boxes and the canonical face. Points are ``xy`` pixels; a matrix maps frame pixels to crop pixels."""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box, Matrix, Points
from rtswap.vision.topology import CHIN, FOREHEAD, KEYPOINTS, POINTS_68


class Canonical(NamedTuple):
    """The mean face that all meshes deform (created by ``training/canonical.py``)."""

    mesh: Points
    """(468, 3) frontal, symmetric, inter-ocular distance 1, y down, z away from the camera."""
    triangles: NDArray[np.int32]
    """(898, 3) vertex indices, all with the same orientation."""
    region: NDArray[np.uint8]
    """(898,) 0 skin, 1 opening of an eye, 2 opening of the mouth."""
    mirror: NDArray[np.int32]
    """(468,) index of the mirrored point."""
    expression: NDArray[np.float32]
    """(5, 468, 3) displacement of the mesh per unit of each of ``swappers.mesh.shape.measures``."""


@cache
def canonical() -> Canonical:
    """The mean face, loaded once."""
    with resources.files("rtswap").joinpath("assets/canonical.npz").open("rb") as file, np.load(file) as data:
        return Canonical(data["mesh"], data["triangles"], data["region"], data["mirror"], data["expression"])


def similarity(moving: Points, fixed: Points, weights: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Least-squares similarity (D, D + 1) that maps ``moving`` (N, D) to ``fixed`` (N, D), D = 2 or 3.

    Umeyama 1991, without reflection; ``weights`` (N,) >= 0. Degenerate points (all in one place) give scale 0.
    """
    dims = moving.shape[1]
    w = np.full(len(moving), 1.0 / len(moving)) if weights is None else weights / weights.sum()
    mean_a, mean_b = w @ moving, w @ fixed
    a, b = moving - mean_a, fixed - mean_b
    u, s, vt = np.linalg.svd((b * w[:, None]).T @ a)
    signs = np.ones(dims)
    signs[-1] = np.sign(np.linalg.det(u @ vt)) or 1.0
    variance = float(w @ (a**2).sum(1))
    scale = float(s @ signs) / variance if variance > 1e-12 * float(mean_a @ mean_a) else 0.0
    linear = scale * (u * signs) @ vt
    return np.hstack([linear, (mean_b - linear @ mean_a)[:, None]]).astype(np.float32)


def transform(matrix: NDArray[np.float32], points: Points) -> Points:
    """Apply a (D, D + 1) matrix to ``points`` (N, D). A (2, 3) matrix also takes (N, 3): z is scaled with x and y."""
    dims = len(matrix)
    moved = points[:, :dims] @ matrix[:, :dims].T + matrix[:, dims]
    if points.shape[1] == dims:
        return moved.astype(np.float32)
    return np.hstack([moved, points[:, dims:] * scale_of(matrix)]).astype(np.float32)


def composed(last: Matrix, first: Matrix) -> Matrix:
    """The matrix (2, 3) that maps as ``first`` does, then as ``last`` does."""
    linear, shift = last[:, :2] @ first, last[:, 2:]
    return np.asarray(np.hstack([linear[:, :2], linear[:, 2:] + shift]))


def flipping(width: int) -> Matrix:
    """The matrix (2, 3) from a picture of ``width`` px to its mirror image."""
    return np.array([[-1, 0, width - 1], [0, 1, 0]], np.float32)


def resizing(times: float) -> Matrix:
    """The matrix (2, 3) from a picture to one ``times`` as large: blocks of pixels keep their centres."""
    return np.array([[times, 0, (times - 1) / 2], [0, times, (times - 1) / 2]], np.float32)


def scale_of(matrix: Matrix) -> float:
    """Crop pixels per frame pixel."""
    (a, b), (c, d) = matrix[:, :2].tolist()
    return math.sqrt(abs(a * d - b * c))


def inverse(matrix: Matrix) -> Matrix:
    """The inverse (2, 3): crop pixels -> frame pixels."""
    return np.asarray(cv2.invertAffineTransform(matrix), np.float32)


def unwrap(mesh: NDArray[np.floating]) -> NDArray[np.floating]:
    """Unroll points of the canonical pose (N, 2) from a cylinder whose axis lies well behind the head.

    At 2.5 inter-ocular distances behind, cheeks get room without being enlarged.
    """
    depth = 3.5
    return np.stack([np.arctan2(mesh[:, 0], depth - mesh[:, 2]) * depth, mesh[:, 1]], 1)


def upright_view(box: NDArray[np.floating], size: tuple[int, int]) -> Matrix:
    """Matrix (2, 3) of the crop of ``size`` = (width, height) that shows exactly the pixels in the box.

    Pixel centres are at integer coordinates, so the box from 0 to 2 holds the pixels 0 and 1.
    """
    scale = np.array(size) / (box[2:] - box[:2])
    shift = (0.5 - box[:2]) * scale - 0.5
    return np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]], np.float32)


def upright_box(matrix: Matrix, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Pixel box ``x1 y1 x2 y2`` that an ``upright_view`` shows; None if the matrix is not aligned to complete
    pixels."""
    (across, turned, x), (leaning, down, y) = matrix.tolist()
    if turned or leaning or not (0 < across < math.inf and 0 < down < math.inf):
        return None
    left, top = 0.5 - (x + 0.5) / across, 0.5 - (y + 0.5) / down
    edges = left, top, left + size[0] / across, top + size[1] / down
    if not all(map(math.isfinite, edges)):
        return None
    x1, y1, x2, y2 = map(round, edges)
    return (x1, y1, x2, y2) if all(abs(edge - round(edge)) <= 0.02 for edge in edges) else None


def keypoints_of(mesh: Points) -> Points:
    """The five keypoints (5, 2) of a (468, 2 or 3) mesh."""
    return np.stack([mesh[ring, :2].mean(0) for ring in KEYPOINTS]).astype(np.float32)


def points68_of(mesh: Points) -> Points:
    """iBUG's 68 points (68, 2) of a (468, 2 or 3) mesh."""
    return np.ascontiguousarray(mesh[POINTS_68, :2], np.float32)


def downwards(mesh: Points) -> NDArray[np.float32]:
    """Unit vector (2,) from forehead to chin of a mesh (468, 2 or 3), as the picture shows it; straight down where
    that is unknown."""
    down = np.asarray(mesh[CHIN, :2] - mesh[FOREHEAD, :2], np.float32)
    length = float(np.linalg.norm(down))
    return down / np.float32(length) if 0 < length < math.inf else np.array([0, 1], np.float32)


def vertex_normals(mesh: Points) -> Points:
    """Normals (468, 3) of a mesh (468, 3), as long as a point's triangles are large, all to the same side."""
    triangles = canonical().triangles
    found = np.zeros_like(mesh)
    a, b, c = (mesh[triangles[:, corner]] for corner in range(3))
    np.add.at(found, triangles.ravel(), np.repeat(np.cross(b - a, c - a), 3, axis=0))
    return found


def box_of(points: Points, margin: float = 0.0) -> Box:
    """Bounding box of the points, extended by ``margin`` times its size on each side."""
    rows = np.ascontiguousarray(points[:, :2].T)  # reductions along long rows are seven times as fast
    low, high = rows.min(axis=1), rows.max(axis=1)
    grow = (high - low) * margin
    return np.concatenate([low - grow, high + grow]).astype(np.float32)


def interocular(mesh: Points) -> float:
    """Distance between the eyes' centres in 3-D, so that turning the head does not change it."""
    left, right = (mesh[ring].mean(0) for ring in KEYPOINTS[:2])
    return float(np.linalg.norm(left - right))


def clip_box(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Pixel box ``x1 y1 x2 y2`` of the part of the box inside the frame; x1 = x2 if there is none."""
    left, top, right, bottom = box.tolist()
    if not all(map(math.isfinite, (left, top, right, bottom))):
        return 0, 0, width, height
    x1, x2 = min(max(math.floor(left), 0), width), min(max(math.ceil(right), 0), width)
    y1, y2 = min(max(math.floor(top), 0), height), min(max(math.ceil(bottom), 0), height)
    return x1, y1, max(x1, x2), max(y1, y2)
