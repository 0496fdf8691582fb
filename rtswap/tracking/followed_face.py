"""One followed face between frames: its filters, and how it moves on while it is not seen."""

from __future__ import annotations

import math

import numpy as np

from rtswap.core.types import Box, Mesh, Points, Track
from rtswap.networks.recognition import Appearance
from rtswap.tracking.association import iou, kinship
from rtswap.tracking.smoothing import BoxFilter, MeshFilter, calmness
from rtswap.vision import topology

SURE_PRESENCE = 0.8
"""Below it a mesh may be a hallucination, so detections must confirm it."""
CHANGED = 1.25
"""Factor between the mesh's size and the detector's from which that is asked again: a mesh can shrink bit by bit."""
CHANGED_MUCH = 1.6
"""Factor from which a mesh that the detector does not see is doubted."""
AGREEMENT = 0.6
"""Intersection over union of mesh and detection above which both mean the same: 0.69 to 0.91 on real clips."""
KINSHIP = 0.3
MAX_DRIFT = 4.0
"""A mesh may slide off its face or shrink on it, a little every frame. Up to this factor in size it is put right."""
NEAR = 0.6
NEAR_PER_S = 0.7
"""Face widths, at once and per second, within which a missing person comes back."""
RETURN_GROWTH = 1.5
RETURN_GROWTH_PER_S = 0.25
"""Factors, at once and more per second, by which a missing person's size may have changed."""
SHORTEST_STEP_S = 1 / 240
"""Shorter steps would divide noise by almost nothing."""


class FollowedFace:
    """What is known of one person between frames."""

    def __init__(self, face_id: int, mesh: Mesh) -> None:
        self.id = face_id
        self.likeness = Appearance()
        self.restart(mesh)

    def restart(self, mesh: Mesh) -> None:
        """Found anew: the past tells nothing about motion."""
        self.landmarks = np.asarray(mesh.points, np.float32)
        self.settle()
        self.step_s = 0.0
        self.doubts = 0
        self.measure(mesh)
        self.likeness.forgive()
        self._agreed_width = width(self.box)

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
        self.visibility = np.fmin(np.fmax(mesh.visibility, 0), 1).astype(np.float32)  # fmax takes NaN for 0
        calm = calmness(width(self.box), mesh.presence)
        self.landmarks = self._mesh_filter(points, max(self.step_s, SHORTEST_STEP_S), calm, self.visibility)
        self.presence = mesh.presence
        self.seen = mesh
        self.unseen_s = self.step_s = 0.0

    @property
    def doubtful(self) -> bool:
        """Should the detector have a look at it soon?"""
        return self.presence < SURE_PRESENCE or self._change() > CHANGED

    @property
    def surroundings(self) -> Box:
        """Where the detector should look: at least as large as it saw the face last, should the mesh have shrunk."""
        middle = np.tile((self.box[:2] + self.box[2:]) / 2, 2)
        grown = middle + (self.box - middle) * max(1.0, self._agreed_width / width(self.box))
        return grown.astype(np.float32)

    def confirm(self, look: Box | None) -> None:
        """The detector has looked: ``look`` is what it found here. A sure mesh of steady size may do without its
        consent, since detectors know few profiles."""
        if look is not None:
            self.doubts = 0
            self._agreed_width = width(look)
        elif self.presence < SURE_PRESENCE or self._change() > CHANGED_MUCH:
            self.doubts += 1

    def _change(self) -> float:
        """Factor, at least 1, between its size and the one that was agreed on."""
        growth = width(self.box) / self._agreed_width
        return max(growth, 1 / growth)

    def drifted_from(self, look: Box) -> bool:
        """Does the mesh lie on the face that the detector has found, but badly?"""
        growth = width(look) / width(self.box)
        overlap, kin = iou([self.box], [look])[0, 0], kinship([self.box], [look])[0, 0]
        return bool(kin >= KINSHIP and overlap <= AGREEMENT and 1 / MAX_DRIFT < growth < MAX_DRIFT)

    def may_be_at(self, box: Box) -> bool:
        """Could this person, not seen for a while, be the face that was found there?"""
        growth = width(box) / width(self.box)
        most = RETURN_GROWTH + RETURN_GROWTH_PER_S * self.unseen_s
        near = NEAR + NEAR_PER_S * self.unseen_s
        return 1 / most < growth < most and self.distance_to(box) <= near

    def distance_to(self, box: Box) -> float:
        """Between centres, in face widths."""
        x, y = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2
        return math.hypot(x, y) / width(self.box)

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
