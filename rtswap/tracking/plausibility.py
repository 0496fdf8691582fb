"""Whether what the networks answer can be a face at all."""

from __future__ import annotations

import math

import numpy as np

from rtswap.core.types import Box, Detection, Mesh
from rtswap.tracking.followed_face import extent

MAX_JUMP = 0.6
"""Largest distance between a face and its prediction, in face widths."""
MIN_INSIDE = 0.3
"""Share of the mesh's box that must lie in the frame."""
MIN_FACE_PX = 8.0


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
    return min(seen_across, seen_down) > 0 and seen_across * seen_down >= MIN_INSIDE * across * down


def is_sane(detection: Detection) -> bool:
    """True if the detection's numbers are finite and its box has an area."""
    x1, y1, x2, y2 = (float(edge) for edge in detection.box)
    return bool(np.isfinite(detection.box).all() and np.isfinite(detection.keypoints).all() and x2 > x1 and y2 > y1)
