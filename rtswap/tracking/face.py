"""One followed face between frames: its filters, and how it moves on while it is not seen."""

from __future__ import annotations

import math

import numpy as np

from rtswap import topology
from rtswap.tracking.smoothing import BoxFilter, MeshFilter
from rtswap.types import Box, Mesh, Points, Track

SURE_PRESENCE = 0.8
"""Below it a mesh may be a hallucination, so detections must confirm it."""
SHORTEST_STEP_S = 1 / 240
"""Shorter steps would divide noise by almost nothing."""


class FollowedFace:
    """What is known of one person between frames."""

    def __init__(self, face_id: int, mesh: Mesh) -> None:
        self.id = face_id
        self.restart(mesh)

    def restart(self, mesh: Mesh) -> None:
        """Found anew: the past tells nothing about motion."""
        self.landmarks = np.asarray(mesh.points, np.float32)
        self.settle()
        self.step_s = 0.0
        self.doubts = 0
        self.measure(mesh)

    def settle(self) -> None:
        """Forget velocities: keep the place, take the next measurement as it is."""
        self._box_filter = BoxFilter(extent(self.landmarks))
        self._mesh_filter = MeshFilter()
        self.box = self.predicted = self._box_filter.box

    @property
    def measured(self) -> bool:
        return self.unseen_s == 0

    def predict(self, dt: float) -> None:
        """Move on ``dt`` seconds. Box and landmarks go together, without turning."""
        self.step_s += dt
        self.predicted = self._box_filter.predict(dt)
        self.landmarks = carried(self.landmarks, self.box, self.predicted)
        self.box = self.predicted

    def measure(self, mesh: Mesh) -> None:
        points = np.asarray(mesh.points, np.float32)
        self.box = self._box_filter.update(extent(points))
        self.landmarks = self._mesh_filter(points, max(self.step_s, SHORTEST_STEP_S))
        self.visibility = np.fmin(np.fmax(mesh.visibility, 0), 1).astype(np.float32)  # fmax takes NaN for 0
        self.presence = mesh.presence
        self.unseen_s = self.step_s = 0.0

    def confirm(self, agreed: bool) -> None:
        if agreed:
            self.doubts = 0
        elif self.presence < SURE_PRESENCE:
            self.doubts += 1

    def track(self, coast_s: float) -> Track:
        return Track(
            id=self.id,
            box=self.box.copy(),
            keypoints=_keypoints(self.landmarks),
            landmarks=self.landmarks.copy(),
            visibility=self.visibility.copy(),
            confidence=max(0.0, 1.0 - self.unseen_s / coast_s) if self.unseen_s else 1.0,
        )


def width(box: Box) -> float:
    """Geometric mean of the sides: steadier than the width when a head turns."""
    return max(1.0, math.sqrt(max(0.0, float(box[2] - box[0]) * float(box[3] - box[1]))))


def extent(points: Points) -> Box:
    """The smallest box around the mesh."""
    rows = np.ascontiguousarray(points[:, :2].T)  # reductions along long rows are seven times as fast
    return np.concatenate([rows.min(axis=1), rows.max(axis=1)]).astype(np.float32)


def carried(points: Points, before: Box, after: Box) -> Points:
    """Points moved and scaled as a box did."""
    scale = width(after) / width(before)
    moved: Points = points * np.float32(scale)
    moved[:, :2] += (after[:2] + after[2:] - (before[:2] + before[2:]) * scale) / 2
    return moved


def _keypoint_weights() -> Points:
    weights = np.zeros((5, 468), np.float32)
    for row, part in zip(weights, topology.KEYPOINTS, strict=True):
        row[part] = 1 / len(part)
    return weights


_KEYPOINT_WEIGHTS = _keypoint_weights()


def _keypoints(landmarks: Points) -> Points:
    """(5, 2) as detectors give them."""
    return np.ascontiguousarray((_KEYPOINT_WEIGHTS @ landmarks)[:, :2])
