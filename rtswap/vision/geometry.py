"""Similarities, templates and hulls. Points are ``xy`` pixels; a matrix maps frame pixels to crop pixels."""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box, Matrix, Points
from rtswap.vision.topology import KEYPOINTS


class Canonical(NamedTuple):
    """The mean face that every mesh is a deformation of (made by ``training/canonical.py``)."""

    mesh: Points
    """(468, 3) frontal, symmetric, inter-ocular distance 1, y down, z away from the camera."""
    triangles: NDArray[np.int32]
    """(898, 3) all turned the same way."""
    region: NDArray[np.uint8]
    """(898,) 0 skin, 1 an eye's opening, 2 the mouth's."""
    mirror: NDArray[np.int32]
    """(468,) the point on the other half of the face."""
    expression: NDArray[np.float32]
    """(5, 468, 3) how the mesh moves per unit of each of ``swappers.shape.measures``."""


@cache
def canonical() -> Canonical:
    """The one mean face, read once."""
    with resources.files("rtswap").joinpath("assets/canonical.npz").open("rb") as file, np.load(file) as data:
        return Canonical(data["mesh"], data["triangles"], data["region"], data["mirror"], data["expression"])


def similarity(moving: Points, fixed: Points, weights: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """(D, D + 1) least-squares similarity that takes ``moving`` (N, D) onto ``fixed`` (N, D), D = 2 or 3.

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
    """``points`` (N, D) under a (D, D + 1) matrix. A (2, 3) one also takes (N, 3): z is scaled with x and y."""
    dims = len(matrix)
    moved = points[:, :dims] @ matrix[:, :dims].T + matrix[:, dims]
    if points.shape[1] == dims:
        return moved.astype(np.float32)
    return np.hstack([moved, points[:, dims:] * scale_of(matrix)]).astype(np.float32)


def scale_of(matrix: Matrix) -> float:
    """Crop pixels per frame pixel."""
    (a, b), (c, d) = matrix[:, :2].tolist()
    return math.sqrt(abs(a * d - b * c))


def inverse(matrix: Matrix) -> Matrix:
    """(2, 3) crop pixels -> frame pixels."""
    return np.asarray(cv2.invertAffineTransform(matrix), np.float32)


def unwrap(mesh: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, 2) points of the canonical pose spread out on a cylinder whose axis lies well behind the head.

    So far behind (2.5 inter-ocular distances) that cheeks get room without being blown up.
    """
    depth = 3.5
    return np.stack([np.arctan2(mesh[:, 0], depth - mesh[:, 2]) * depth, mesh[:, 1]], 1)


def upright_view(box: NDArray[np.floating], size: tuple[int, int]) -> Matrix:
    """(2, 3) matrix of the crop of ``size`` = (width, height) that shows exactly the pixels in the box.

    Pixel centres are at whole coordinates, so the box from 0 to 2 holds the pixels 0 and 1.
    """
    scale = np.array(size) / (box[2:] - box[:2])
    shift = (0.5 - box[:2]) * scale - 0.5
    return np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]], np.float32)


def upright_box(matrix: Matrix, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Whole pixels ``x1 y1 x2 y2`` that an ``upright_view`` shows; None where the matrix is none of whole pixels."""
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
    """(5, 2) keypoints of a (468, 2 or 3) mesh."""
    return np.stack([mesh[ring, :2].mean(0) for ring in KEYPOINTS]).astype(np.float32)


def box_of(points: Points, margin: float = 0.0) -> Box:
    """The upright box around points, wider by ``margin`` times its size on each side."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    grow = (high - low) * margin
    return np.concatenate([low - grow, high + grow]).astype(np.float32)


def interocular(mesh: Points) -> float:
    """Distance between the eyes' centres in 3-D, so that it does not shrink when the head turns."""
    left, right = (mesh[ring].mean(0) for ring in KEYPOINTS[:2])
    return float(np.linalg.norm(left - right))


def clip_box(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Whole pixels ``x1 y1 x2 y2`` that cover the part of the box inside the picture; x1 = x2 where there is none."""
    left, top, right, bottom = box.tolist()
    if not all(map(math.isfinite, (left, top, right, bottom))):
        return 0, 0, width, height
    x1, x2 = min(max(math.floor(left), 0), width), min(max(math.ceil(right), 0), width)
    y1, y2 = min(max(math.floor(top), 0), height), min(max(math.ceil(bottom), 0), height)
    return x1, y1, max(x1, x2), max(y1, y2)
