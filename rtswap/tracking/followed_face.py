"""The state of one tracked face between frames: its filters, and its motion while no landmarks are found."""

from __future__ import annotations

import math

import numpy as np

from rtswap.core.types import Box, Mesh, Points, Track
from rtswap.networks.recognition import Appearance
from rtswap.tracking.association import iou, kinship
from rtswap.tracking.smoothing import Smoothing, calmness
from rtswap.vision import topology
from rtswap.vision.geometry import box_of

SURE_PRESENCE = 0.8
"""Presence below which a mesh may be a hallucination, so that detections must confirm it."""
CHANGED = 1.25
"""Size ratio between mesh and detection above which the detector checks again: a mesh can shrink gradually."""
CHANGED_MUCH = 1.6
"""Size ratio above which a mesh that the detector does not confirm is doubtful."""
AGREEMENT = 0.6
"""Intersection over union of mesh and detection above which they agree: 0.69 to 0.91 on real clips."""
KINSHIP = 0.3
MAX_DRIFT = 4.0
"""Largest size ratio at which a mesh that slid off its face, or shrank on it frame by frame, is corrected."""
NEAR = 0.6
NEAR_PER_S = 0.7
"""Face widths, at once and per second, within which a lost person can return."""
RETURN_GROWTH = 1.5
RETURN_GROWTH_PER_S = 0.25
"""Size ratios, at once and per second, by which a lost person can have changed."""
HEAD_GROWTH, HEAD_NEAR = 2.2, 0.6
"""Size ratio, and distance in face widths, up to which a head that the second detector sees is a followed face's."""
FOREHEAD, CHIN = 10, 152
MAX_SPIN = 30.0
"""Degrees."""
SHORTEST_STEP_S = 1 / 240
"""Minimum time step: shorter ones would divide noise by almost nothing."""


class FollowedFace:
    """The state of one person between frames."""

    def __init__(self, face_id: int, mesh: Mesh, smoothing: Smoothing) -> None:
        self.id, self._smoothing = face_id, smoothing
        self.likeness = Appearance()
        self.restart(mesh)

    def restart(self, mesh: Mesh) -> None:
        """Restart the filters at a newly found mesh: earlier motion does not apply."""
        self.landmarks = np.asarray(mesh.points, np.float32)
        self.settle()
        self.step_s = 0.0
        self.doubts = 0
        self.seconded = True
        """Whether the second detector sees a head there."""
        self.measure(mesh)
        self.likeness.forgive()
        self._agreed_width = width(self.box)

    def settle(self) -> None:
        """Reset velocities: keep the position, take the next measurement unfiltered."""
        self._box_filter = self._smoothing.box_filter(extent(self.landmarks))
        self._mesh_filter = self._smoothing.mesh_filter()
        self.box = self.predicted = self._box_filter.box

    @property
    def measured(self) -> bool:
        return self.unseen_s == 0

    def predict(self, dt: float) -> None:
        """Move on by ``dt`` seconds. Box and landmarks move together, without rotation."""
        self.step_s += dt
        self.predicted = self._box_filter.predict(dt)
        self.landmarks = carried(self.landmarks, self.box, self.predicted)
        self.box = self.predicted

    def measure(self, mesh: Mesh) -> None:
        points = np.asarray(mesh.points, np.float32)
        self.box = self._box_filter.update(extent(points))
        self.visibility = np.fmin(np.fmax(mesh.visibility, 0), 1).astype(np.float32)  # fmax maps NaN to 0
        calm = calmness(width(self.box), mesh.presence) / self._smoothing.noise
        self.landmarks = self._mesh_filter(points, max(self.step_s, SHORTEST_STEP_S), calm, self.visibility)
        self.presence = mesh.presence
        self.seen = mesh
        self.unseen_s = self.step_s = 0.0

    @property
    def doubtful(self) -> bool:
        """True if the detector should check this face soon."""
        return not self.seconded or self.presence < SURE_PRESENCE or self._change() > CHANGED

    @property
    def quarter_turns(self) -> int:
        """By how many quarter turns clockwise the face is tilted, 0 to 3."""
        return round(roll_of(self.landmarks) / 90) % 4

    def spun(self, points: Points) -> bool:
        """True if a mesh is tilted quite another way than the last one, as no head turns within a frame."""
        return abs((roll_of(points) - roll_of(self.landmarks) + 180) % 360 - 180) > MAX_SPIN

    def is_head(self, box: Box) -> bool:
        """True if a head that the second detector sees at ``box`` is this person's."""
        growth = width(box) / width(self.box)
        return 1 / HEAD_GROWTH < growth < HEAD_GROWTH and self.distance_to(box) <= HEAD_NEAR

    @property
    def surroundings(self) -> Box:
        """Box for the detector to check: at least as large as the last agreed detection, in case the mesh has
        shrunk."""
        middle = np.tile((self.box[:2] + self.box[2:]) / 2, 2)
        grown = middle + (self.box - middle) * max(1.0, self._agreed_width / width(self.box))
        return grown.astype(np.float32)

    def confirm(self, look: Box | None) -> None:
        """Record the detector's answer: ``look`` is the box it found here, or None. A mesh with high presence and
        steady size in which the second detector sees a head needs no confirmation, since detectors miss profiles."""
        if look is not None:
            self.doubts = 0
            self._agreed_width = width(look)
        elif not self.seconded or self.presence < SURE_PRESENCE or self._change() > CHANGED_MUCH:
            self.doubts += 1

    def _change(self) -> float:
        """Ratio, at least 1, between the current size and the last agreed one."""
        growth = width(self.box) / self._agreed_width
        return max(growth, 1 / growth)

    def drifted_from(self, look: Box) -> bool:
        """True if the mesh lies on the detected face, but badly aligned."""
        growth = width(look) / width(self.box)
        overlap, kin = iou([self.box], [look])[0, 0], kinship([self.box], [look])[0, 0]
        return bool(kin >= KINSHIP and overlap <= AGREEMENT and 1 / MAX_DRIFT < growth < MAX_DRIFT)

    def may_be_at(self, box: Box) -> bool:
        """True if this person, lost for a while, could be the face found at ``box``."""
        growth = width(box) / width(self.box)
        most = RETURN_GROWTH + RETURN_GROWTH_PER_S * self.unseen_s
        near = NEAR + NEAR_PER_S * self.unseen_s
        return 1 / most < growth < most and self.distance_to(box) <= near

    def distance_to(self, box: Box) -> float:
        """Distance between centres, in face widths."""
        x, y = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2
        return math.hypot(x, y) / width(self.box)

    def track(self, coast_s: float) -> Track:
        return Track(
            id=self.id,
            box=self.box.copy(),
            keypoints=keypoints_of(self.landmarks),
            landmarks=self.landmarks.copy(),
            visibility=self.visibility.copy(),
            confidence=max(0.0, 1.0 - self.unseen_s / coast_s) if self.unseen_s else 1.0,
        )


def roll_of(points: Points) -> float:
    """Degrees by which a mesh is tilted clockwise."""
    down = points[CHIN, :2] - points[FOREHEAD, :2]
    return math.degrees(math.atan2(-float(down[0]), float(down[1])))


def width(box: Box) -> float:
    """Geometric mean of the sides: changes less than the width when a head turns."""
    return max(1.0, math.sqrt(max(0.0, float(box[2] - box[0]) * float(box[3] - box[1]))))


def extent(points: Points) -> Box:
    """Bounding box of the mesh."""
    return box_of(points)


def carried(points: Points, before: Box, after: Box) -> Points:
    """Move and scale points as a box did."""
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


def keypoints_of(landmarks: Points) -> Points:
    """The five keypoints (5, 2), as detectors return them."""
    return np.ascontiguousarray((_KEYPOINT_WEIGHTS @ landmarks)[:, :2])
