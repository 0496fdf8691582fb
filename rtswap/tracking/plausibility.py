"""Whether what the networks answer can be a face at all."""

from __future__ import annotations

import math

import numpy as np

from rtswap.core.types import Box, Detection, Mesh, Points
from rtswap.tracking.followed_face import extent
from rtswap.vision.geometry import canonical, similarity, transform

MAX_JUMP = 0.6
"""Largest distance between a face and its prediction, in face widths."""
MIN_INSIDE = 0.3
"""Share of the mesh's box that must lie in the frame."""
MIN_FACE_PX = 8.0
MISSHAPEN = 0.16
"""Distance (root mean square) from the mean face, turned and scaled to fit, in distances between its eyes, from which
a mesh is no face's: of 288 photos all are below 0.12, stretched by a third below 0.15. One that spans two faces that
overlap, cheek to cheek, reaches 0.17 to 0.23, and one of them would stay bare."""


def is_plausible(mesh: Mesh, expected: Box, max_growth: float, size: tuple[int, ...]) -> bool:
    """True if the mesh can be a face at the expected position and, up to ``max_growth``, of the expected size, in a
    frame of ``size`` = (height, width)."""
    points = mesh.points
    if not np.isfinite(points).all():
        return False
    x1, y1, x2, y2 = (float(edge) for edge in extent(points))
    across, down = x2 - x1, y2 - y1
    if min(across, down) < MIN_FACE_PX or not 0.25 < across / down < 3:
        return False
    ex1, ey1, ex2, ey2 = (float(edge) for edge in expected)
    growth = (across + down) / max(ex2 - ex1 + ey2 - ey1, 1.0)
    jump = math.hypot(x1 + x2 - ex1 - ex2, y1 + y2 - ey1 - ey2) / 2
    if not 1 / max_growth <= growth <= max_growth or jump > MAX_JUMP * max(ex2 - ex1, across):
        return False
    seen_across = min(x2, size[1]) - max(x1, 0.0)
    seen_down = min(y2, size[0]) - max(y1, 0.0)
    inside = min(seen_across, seen_down) > 0 and seen_across * seen_down >= MIN_INSIDE * across * down
    return inside and _from_mean_face(points) < MISSHAPEN


def _from_mean_face(points: Points) -> float:
    """See ``MISSHAPEN``; infinite for points that are all in one place."""
    mean = canonical().mesh
    fit = similarity(mean, np.asarray(points, np.float32))
    scale = float(np.linalg.norm(fit[:, 0]))
    return float(np.sqrt(((points - transform(fit, mean)) ** 2).sum(axis=1).mean())) / scale if scale else math.inf


def is_sane(detection: Detection) -> bool:
    """True if the detection's numbers are finite and its box has an area."""
    x1, y1, x2, y2 = (float(edge) for edge in detection.box)
    return bool(np.isfinite(detection.box).all() and np.isfinite(detection.keypoints).all() and x2 > x1 and y2 > y1)
