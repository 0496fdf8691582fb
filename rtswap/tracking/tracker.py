"""Follows faces from frame to frame: one landmark pass a frame, detection only to find, to find again, to check.

A face that was measured has confidence 1. A face that was not coasts: it moves on as its Kalman filter predicts, its
confidence falling to 0 within ``coast_s``; then it is dropped. Its id comes back if the same person does: known by
place and size, and with a recogniser by looks, wherever they come back. With one, too, a face that has
become somebody else is let go: a poster or a passing person steals no track.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from rtswap.core.protocols import Detector, Embedder, LandmarkModel
from rtswap.core.types import Box, Detection, Frame, Image, Mesh, Quality, Tensor, Track
from rtswap.networks.recognition import tells_who
from rtswap.tracking.association import iou, kinship, match
from rtswap.tracking.followed_face import AGREEMENT, KINSHIP, SHORTEST_STEP_S, FollowedFace, extent, width
from rtswap.tracking.reidentification import Newcomer, match_missing

NOMINAL_STEP_S = 1 / 30
"""Taken for the time between frames where the clock stood still or ran backwards."""
LONGEST_STEP_S = 1.0
"""A gap beyond which velocities mean nothing any more."""

MAX_JUMP = 0.6
"""Face widths that a face may be off its predicted place."""
MAX_GROWTH = 1.6
"""Factor by which a face may be off its predicted size. Half as much again for a box from the detector, which is cut
differently."""
MIN_INSIDE = 0.3
"""Share of the mesh's box that must lie in the picture."""
MIN_FACE_PX = 8.0

CHECK_DOUBTFUL_EVERY = 3
MAX_DOUBTS = 3
"""Checks in a row that may find no face under a doubtful mesh."""
LOOK_FOR_LOST_EVERY = 3
"""Frames between detections while one of several faces was lost lately."""
SPARE_NEWCOMERS = 3
"""Detections that are tried beyond the room there is, since some turn out to be no faces."""
HOLD_S = 20.0
"""With one face to follow: how long its place is kept for a person whose looks are known."""
REMEMBER_S = 180.0
"""How long a person whose looks are known may stay away and be the same again."""


class FaceTracker:
    """See ``protocols.Tracker``.

    ``faces``: ``one`` locks on to the largest face and stays on that person: for ``reacquire_s`` seconds after it was
    lost only a face near the place and of about the size is taken, under the same id; then the largest face, under a
    new one. With a ``recogniser`` the person is known by looks: nobody else is taken for ``HOLD_S``, and whoever is
    taken then gives way when the person is back. ``all``: up to ``max_faces``. ``min_presence``: what the landmark
    network must say at least. Errors of the networks pass through.
    """

    def __init__(
        self,
        detector: Detector,
        landmarks: LandmarkModel,
        *,
        faces: Literal["one", "all"] = "one",
        max_faces: int = 16,
        coast_s: float = 0.25,
        reacquire_s: float = 2.0,
        min_presence: float = 0.5,
        recogniser: Embedder | None = None,
    ) -> None:
        self._detector = detector
        self._landmarks = landmarks
        self._one = faces == "one"
        self._max_faces = 1 if self._one else max_faces
        self._coast_s = coast_s
        self._reacquire_s = reacquire_s
        self._min_presence = min_presence
        self._recogniser = recogniser
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget every face. Ids go on counting."""
        self._faces: list[FollowedFace] = []
        self._lost: list[FollowedFace] = []
        self._last_s: float | None = None
        self._clock_s = 0.0
        self._size: tuple[int, ...] = ()
        self._since_look = self._since_check = 0.0
        """Frames at 30 a second: where fewer come, each counts for several, so that newcomers do not wait longer."""

    def update(self, frame: Frame, quality: Quality) -> list[Track]:
        """Every face followed in this frame, the oldest first."""
        image = frame.image
        if image.shape[:2] != self._size:
            self.reset()
            self._size = image.shape[:2]
        passed = max(1.0, self._advance(frame.captured_at if frame.time_s is None else frame.time_s) / NOMINAL_STEP_S)
        self._follow(image)
        self._merge()
        self._since_look += passed
        self._since_check += passed
        if self._look_is_due(quality):
            self._look(image)
            self._since_look = self._since_check = 0.0
        elif self._check_is_due(quality):
            self._check(image)
            self._since_check = 0.0
        self._recognise(image)
        self._let_go()
        return [face.track(self._coast_s) for face in self._faces]

    def _advance(self, now_s: float) -> float:
        """Move every face to where it is expected now. Seconds since the last frame."""
        elapsed_s = now_s - self._last_s if self._last_s is not None else NOMINAL_STEP_S
        self._last_s = now_s if math.isfinite(now_s) else None
        jumped = not 0 < elapsed_s <= LONGEST_STEP_S
        if jumped:
            elapsed_s = elapsed_s if elapsed_s > LONGEST_STEP_S else NOMINAL_STEP_S
        self._clock_s += elapsed_s
        for face in self._lost:
            face.unseen_s += elapsed_s
        for face in self._faces:
            if jumped:
                face.settle()
            face.unseen_s += elapsed_s
            face.predict(NOMINAL_STEP_S if jumped else max(elapsed_s, SHORTEST_STEP_S))
        return elapsed_s

    def _follow(self, image: Image) -> None:
        """One landmark pass for all faces; where it fails, one look of the detector and another pass."""
        if not self._faces:
            return
        missed = []
        meshes = self._landmarks.find(image, [face.landmarks for face in self._faces])
        for face, mesh in zip(self._faces, meshes, strict=True):
            if self._plausible(mesh, face.predicted, MAX_GROWTH):
                face.measure(mesh)
            else:
                missed.append(face)
        if not missed:
            return
        looks = self._detector.refine(image, [face.predicted for face in missed])
        refound = [
            (face, look)
            for face, look in zip(missed, looks, strict=True)
            if look is not None and _sane(look) and face.may_be_at(look.box)
        ]
        for face, mesh in self._meshes_of(image, refound):
            face.measure(mesh)

    def _meshes_of(
        self, image: Image, found: Sequence[tuple[FollowedFace, Detection]]
    ) -> list[tuple[FollowedFace, Mesh]]:
        """The faces whose detection the landmark network agrees with."""
        if not found:
            return []
        meshes = self._landmarks.find(image, [detection.keypoints for _, detection in found])
        return [
            (face, mesh)
            for (face, detection), mesh in zip(found, meshes, strict=True)
            if self._plausible(mesh, detection.box, 1.5 * MAX_GROWTH)
        ]

    def _merge(self) -> None:
        """Where two meshes have come to lie on one face, the one that was expected there stays, else the older."""
        measured = [face for face in self._faces if face.measured]
        for first, second in _pairs_on_one_face(measured) if len(measured) > 1 else []:
            if first not in self._faces or second not in self._faces:
                continue
            fits = [iou([face.predicted], [face.box])[0, 0] for face in (first, second)]
            loser = first if fits[1] > fits[0] + 0.2 else second
            self._faces.remove(loser)
            self._lost.append(loser)

    def _look_is_due(self, quality: Quality) -> bool:
        if not all(face.measured for face in self._faces) or not self._faces:
            return True
        if self._one:
            return bool(self._lost)  # somebody else is followed meanwhile: the person may not be seen bare
        every = quality.detect_every or math.inf
        return self._since_look >= (min(every, LOOK_FOR_LOST_EVERY) if self._lost else every)

    def _check_is_due(self, quality: Quality) -> bool:
        every = quality.detect_every or math.inf
        if any(face.doubtful for face in self._faces):
            every = min(every, CHECK_DOUBTFUL_EVERY)
        return self._since_check >= every

    def _check(self, image: Image) -> None:
        """One cheap look at each face that is followed."""
        looks = self._detector.refine(image, [face.surroundings for face in self._faces])
        self._judge(image, self._faces, looks)

    def _judge(self, image: Image, faces: Sequence[FollowedFace], looks: Sequence[Detection | None]) -> None:
        """What the detector says of each mesh: it is right; it has drifted, so place it anew; there is no face."""
        drifted = []
        for face, look in zip(faces, looks, strict=True):
            if look is not None and face.drifted_from(look.box):
                drifted.append((face, look))
            else:
                agreed = look is not None and iou([face.box], [look.box])[0, 0] > AGREEMENT
                face.confirm(look.box if look is not None and agreed else None)
        placed = self._meshes_of(image, drifted)
        for face, mesh in placed:
            face.restart(mesh)
        for face, _ in drifted:
            if all(face is not other for other, _ in placed):
                face.confirm(None)

    def _look(self, image: Image) -> None:
        """Detect in the whole picture: judge what is followed, find again what is missing, take in who is new."""
        detections = [detection for detection in self._detector.detect(image) if _sane(detection)]
        followed = [face for face in self._faces if face.measured]
        kin = kinship([face.box for face in followed], [detection.box for detection in detections])
        looks = dict(match(kin, KINSHIP))
        self._judge(image, followed, [detections[looks[n]] if n in looks else None for n in range(len(followed))])
        taken = set(looks.values()) | {int(column) for column in np.nonzero(kin > AGREEMENT)[1]}
        missing = [face for face in self._faces if not face.measured] + self._lost
        newcomers = self._newcomers(image, [d for n, d in enumerate(detections) if n not in taken], missing)
        returned = set()
        for row, column in match_missing(missing, newcomers):
            self._take_back(missing[row], newcomers[column].mesh)
            returned.add(column)
        self._take_in([newcomer for n, newcomer in enumerate(newcomers) if n not in returned])

    def _newcomers(
        self, image: Image, detections: Sequence[Detection], missing: Sequence[FollowedFace]
    ) -> list[Newcomer]:
        """Detections that are faces: those where somebody is missed first, then the largest."""
        room = max(0, self._max_faces - len(self._faces)) + len(missing)
        if not room or not detections:
            return []
        ranked = sorted(
            detections, key=lambda d: (not any(face.may_be_at(d.box) for face in missing), -width(d.box))
        )[: room + SPARE_NEWCOMERS]
        meshes = self._landmarks.find(image, [detection.keypoints for detection in ranked])
        asked = self._recogniser is not None and any(face.likeness.known for face in missing)
        return [
            Newcomer(detection.box, mesh, self._who(image, mesh) if asked else None)
            for detection, mesh in zip(ranked, meshes, strict=True)
            if self._plausible(mesh, detection.box, 1.5 * MAX_GROWTH)
        ]

    def _take_back(self, face: FollowedFace, mesh: Mesh) -> None:
        face.restart(mesh)
        if face in self._lost:
            self._lost.remove(face)
            self._faces = [face] if self._one else [*self._faces, face]

    def _take_in(self, newcomers: Sequence[Newcomer]) -> None:
        """New faces, the largest first. With one face to follow, none while its person may still come back."""
        if self._one and (self._faces or any(face.unseen_s < self._hold_s(face) for face in self._lost)):
            return
        for newcomer in sorted(newcomers, key=lambda newcomer: -width(newcomer.box)):
            overlaps = iou([face.box for face in self._faces], [extent(newcomer.mesh.points)])
            if len(self._faces) < self._max_faces and not (overlaps > 0.5).any():
                self._faces.append(FollowedFace(self._next_id, newcomer.mesh))
                self._next_id += 1

    def _hold_s(self, face: FollowedFace) -> float:
        return self._coast_s + (HOLD_S if face.likeness.known else self._reacquire_s)

    def _recognise(self, image: Image) -> None:
        """Look at one face a frame at most: learn its looks, or find that it has become somebody else."""
        if self._recogniser is None:
            return
        due = [face for face in self._faces if face.measured and face.likeness.due(self._clock_s)]
        for face in due[:1]:
            vector = self._who(image, face.seen)
            if vector is not None and not face.likeness.look(vector, self._clock_s):
                self._faces.remove(face)
                self._lost.append(face)

    def _who(self, image: Image, mesh: Mesh) -> Tensor | None:
        return self._recogniser.embed(image, mesh.points) if self._recogniser and tells_who(mesh) else None

    def _let_go(self) -> None:
        """Drop what was unseen for too long, or is followed although no detection ever agrees."""
        gone = [face for face in self._faces if face.unseen_s >= self._coast_s]
        self._faces = [face for face in self._faces if face.unseen_s < self._coast_s and face.doubts < MAX_DOUBTS]
        self._lost = [face for face in [*self._lost, *gone] if face.unseen_s < self._forget_s(face)]

    def _forget_s(self, face: FollowedFace) -> float:
        return REMEMBER_S if face.likeness.known else self._hold_s(face)

    def _plausible(self, mesh: Mesh, expected: Box, max_growth: float) -> bool:
        """Is this a face, and the one that was expected there?"""
        points = mesh.points
        if not mesh.presence >= self._min_presence or not np.isfinite(points).all():
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
        seen_across = min(x2, self._size[1]) - max(x1, 0.0)
        seen_down = min(y2, self._size[0]) - max(y1, 0.0)
        return min(seen_across, seen_down) > 0 and seen_across * seen_down >= MIN_INSIDE * across * down


def _pairs_on_one_face(faces: Sequence[FollowedFace]) -> list[tuple[FollowedFace, FollowedFace]]:
    overlaps = iou([face.box for face in faces], [face.box for face in faces])
    return [(faces[i], faces[j]) for i in range(len(faces)) for j in range(i + 1, len(faces)) if overlaps[i, j] > 0.5]


def _sane(detection: Detection) -> bool:
    x1, y1, x2, y2 = (float(edge) for edge in detection.box)
    return bool(np.isfinite(detection.box).all() and np.isfinite(detection.keypoints).all() and x2 > x1 and y2 > y1)
