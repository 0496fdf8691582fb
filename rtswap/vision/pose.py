"""Estimate the head pose from a mesh."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rtswap.core.types import Points
from rtswap.vision.geometry import canonical, similarity


class Pose(NamedTuple):
    """Head pose in degrees. All 0 for a face that looks straight into an upright camera."""

    yaw: float
    """Turned towards the image's right."""
    pitch: float
    """Looking down."""
    roll: float
    """Tilted clockwise, as seen in the image."""


def pose_of(landmarks: Points) -> Pose:
    """Head pose from a (468, 3) mesh. If it is not finite or has no extent: a face seen from behind (yaw 180)."""
    if not np.isfinite(landmarks).all() or np.ptp(landmarks[:, :2], axis=0).max() < 1e-3:
        return Pose(180.0, 0.0, 0.0)
    linear = similarity(canonical().mesh.astype(np.float64), landmarks.astype(np.float64))[:, :3]
    scale = float(np.cbrt(np.linalg.det(linear)))
    if scale < 1e-6:
        return Pose(180.0, 0.0, 0.0)
    rotation = linear / scale
    right, forward = rotation[:, 0], -rotation[:, 2]
    return Pose(
        math.degrees(math.atan2(forward[0], -forward[2])),
        math.degrees(math.asin(min(max(float(forward[1]), -1.0), 1.0))),
        math.degrees(math.atan2(right[1], right[0])),
    )
