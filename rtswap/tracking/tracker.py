"""Track faces from frame to frame: one landmark pass per frame, detection only to find, recover and check faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from rtswap.core.protocols import Detector, Embedder, LandmarkModel
from rtswap.core.types import Box, Detection, Frame, Head, Image, Mesh, Quality, Sighting, Tensor, Track
from rtswap.networks.recognition import tells_who
from rtswap.tracking.association import iou, kinship, match, overlapping
from rtswap.tracking.followed_face import AGREEMENT, KINSHIP, SHORTEST_STEP_S, FollowedFace, extent, width
from rtswap.tracking.plausibility import is_plausible, is_sane
from rtswap.tracking.reidentification import Newcomer, match_missing
from rtswap.tracking.smoothing import USUAL, Smoothing
from rtswap.tracking.turns import find_meshes, find_turned

NOMINAL_STEP_S = 1 / 30
"""Assumed time between frames if the clock stood still or ran backwards."""
LONGEST_STEP_S = 1.0
"""Gap after which velocities are discarded."""

MAX_GROWTH = 1.6
"""Largest size ratio between a face and its prediction. Half as much again for the detector's boxes, which are
cropped differently."""
SEEN = 0.5
"""Score of a head from which it is worth a look."""
MOST_PROPOSALS = 6
"""Heads in which a face is looked for in one frame."""
SAME_STRANGER = 0.2
"""Intersection over union above which a head that nobody follows is that of the last frame."""

CHECK_DOUBTFUL_EVERY = 3
MAX_DOUBTS = 3
"""Consecutive failed checks after which a doubtful mesh is dropped."""
LOOK_FOR_LOST_EVERY = 3
"""Frames between detections while one of several faces is lost."""
SPARE_NEWCOMERS = 3
"""Detections to try beyond the free places, since some are not faces."""
HOLD_S = 20.0
"""With one face to follow: how long its place is reserved for a person whose appearance is known."""
REMEMBER_S = 180.0
"""How long a person whose appearance is known can be away and keep their track id."""


class FaceTracker:
    """Implements ``protocols.Tracker``.

    ``faces``: ``one`` locks on to the largest face and follows that person. For ``reacquire_s`` seconds after losing
    it, only a face of similar size near the same place is accepted, under the same id; then the largest face, under a
    new id. With a ``recogniser`` the person is known by appearance: nobody else is accepted for ``HOLD_S``, and a
    later replacement yields when the person returns. ``all``: follow up to ``max_faces``. ``min_presence``: minimum
    score of the landmark network. ``min_face_px``: smallest head of the second detector in which a face is looked
    for. ``smoothing``: how steadily faces are followed. Raises the errors of the networks."""

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
        min_face_px: float = 35.0,
        recogniser: Embedder | None = None,
        smoothing: Smoothing = USUAL,
    ) -> None:
        self._detector = detector
        self._landmarks = landmarks
        self._one = faces == "one"
        self._max_faces = 1 if self._one else max_faces
        self._coast_s = coast_s
        self._reacquire_s = reacquire_s
        self._min_presence, self._min_face_px = min_presence, min_face_px
        self._recogniser, self._smoothing = recogniser, smoothing
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Drop every face. Ids keep counting up."""
        self._faces: list[FollowedFace] = []
        self._lost: list[FollowedFace] = []
        self._last_s: float | None = None
        self._clock_s = 0.0
        self._size: tuple[int, ...] = ()
        self._sighting: Sighting | None = None
        self.others: Sequence[Box] = ()
        """See ``protocols.Tracker``."""
        self._strange: tuple[Head, ...] = ()
        """Heads of the last frame that are nobody's who is followed."""
        self._passed_over: Sequence[Box] = ()  # ``others`` of the last look
        self._since_look = self._since_check = 0.0
        """Counted in frames at 30 per second; at lower rates each frame counts as several, so that newcomers do not
        wait longer."""

    def update(self, frame: Frame, quality: Quality, sighting: Sighting | None = None) -> list[Track]:
        """Return every face tracked in this frame, oldest first."""
        image = frame.image
        if image.shape[:2] != self._size:
            self.reset()
            self._size = image.shape[:2]
        self._sighting, self.others = sighting, ()
        passed = max(1.0, self._advance(frame.captured_at if frame.time_s is None else frame.time_s) / NOMINAL_STEP_S)
        if sighting is not None and sighting.cut:
            self._doubt_all()
        self._follow(image)
        self._merge()
        newcomers = self._strangers_came()
        self._since_look += passed
        self._since_check += passed
        if newcomers or self._look_is_due(quality) or self._somebody_is_missed():
            self._look(image)
            self._since_look = self._since_check = 0.0
        elif self._check_is_due(quality):
            self._check(image)
            self._since_check = 0.0
        self._recognise(image)
        self._let_go()
        return [face.track(self._coast_s) for face in self._faces]

    def _advance(self, now_s: float) -> float:
        """Move every face to its predicted position. Returns the seconds since the last frame."""
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

    def _doubt_all(self) -> None:
        """After a cut nobody is where they were: all are lost until they are found, in this very frame or later."""
        for face in self._faces:
            face.settle()
        self._lost = [*self._lost, *self._faces]
        self._faces = []

    def _strangers_came(self) -> bool:
        """Note whom the second detector sees where; true if there is a head that is nobody's who is followed, where
        none was in the last frame, and a place for somebody more."""
        if self._sighting is None:
            return False
        heads = [head for head in self._sighting.heads if head.score >= SEEN]
        for face in self._faces:
            face.seconded = any(face.is_head(head.box) for head in self._sighting.heads)
        strange = tuple(head for head in heads if not any(face.is_head(head.box) for face in self._faces))
        before, self._strange = self._strange, strange
        known = iou([head.box for head in strange], [head.box for head in before])
        return len(self._faces) < self._max_faces and bool((known.max(axis=1, initial=0) < SAME_STRANGER).any())

    def _follow(self, image: Image) -> None:
        """Run one landmark pass for all faces; where it fails, refine the box with the detector and run another."""
        if not self._faces:
            return
        missed = []
        meshes = self._landmarks.find(image, [face.landmarks for face in self._faces])
        for face, mesh in zip(self._faces, meshes, strict=True):
            if self._plausible(mesh, face.predicted, MAX_GROWTH) and not face.spun(mesh.points):
                face.measure(mesh)
            else:
                missed.append(face)
        if not missed:
            return
        looks = self._refine(image, missed, [face.predicted for face in missed])
        refound = [
            (face, look)
            for face, look in zip(missed, looks, strict=True)
            if look is not None and is_sane(look) and face.may_be_at(look.box)
        ]
        for face, mesh in self._meshes_of(image, refound):
            face.measure(mesh)

    def _meshes_of(
        self, image: Image, found: Sequence[tuple[FollowedFace, Detection]]
    ) -> list[tuple[FollowedFace, Mesh]]:
        """The faces whose detection the landmark network confirms."""
        if not found:
            return []
        meshes = self._landmarks.find(image, [detection.keypoints for _, detection in found])
        return [
            (face, mesh)
            for (face, detection), mesh in zip(found, meshes, strict=True)
            if self._plausible(mesh, detection.box, 1.5 * MAX_GROWTH)
        ]

    def _merge(self) -> None:
        """Drop one of two meshes on the same face: keep the one that was predicted there, otherwise the older."""
        measured = [face for face in self._faces if face.measured]
        for one, other in overlapping([face.box for face in measured]) if len(measured) > 1 else []:
            first, second = measured[one], measured[other]
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
            return bool(self._lost)  # someone else is followed meanwhile: do not show the person unswapped
        every = quality.detect_every or math.inf
        return self._since_look >= (min(every, LOOK_FOR_LOST_EVERY) if self._lost else every)

    def _somebody_is_missed(self) -> bool:
        """Whether the last look found somebody whom the second detector does not see, as in crowds."""
        if self._sighting is None or not self._passed_over or self._since_look < LOOK_FOR_LOST_EVERY:
            return False
        heads = [head.box for head in self._sighting.heads if head.score >= SEEN]
        return bool((kinship(self._passed_over, heads).max(axis=1, initial=0) < KINSHIP).any())

    def _check_is_due(self, quality: Quality) -> bool:
        every = quality.detect_every or math.inf
        if any(face.doubtful for face in self._faces):
            every = min(every, CHECK_DOUBTFUL_EVERY)
        return self._since_check >= every

    def _check(self, image: Image) -> None:
        """Check each tracked face with one pass of O-Net."""
        looks = self._refine(image, self._faces, [face.surroundings for face in self._faces])
        self._judge(image, self._faces, looks)

    def _refine(
        self, image: Image, faces: Sequence[FollowedFace], boxes: Sequence[Box]
    ) -> Sequence[Detection | None]:
        turns = [face.quarter_turns for face in faces]
        return self._detector.refine(image, boxes, turns) if any(turns) else self._detector.refine(image, boxes)

    def _judge(self, image: Image, faces: Sequence[FollowedFace], looks: Sequence[Detection | None]) -> None:
        """Apply the detector's answer to each mesh: confirm it, restart it if it has drifted, or doubt it."""
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
        """Detect in the complete frame: check tracked faces, recover lost ones, add new ones."""
        detections = [detection for detection in self._detector.detect(image) if is_sane(detection)]
        detections += [face for face in self._found_in_heads(image, detections) if is_sane(face)]
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
        kin = kinship([detection.box for detection in detections], [face.box for face in self._faces])
        self.others = [
            d.box for d, most in zip(detections, kin.max(axis=1, initial=0), strict=True) if most < KINSHIP
        ]
        self._passed_over = self.others

    def _found_in_heads(self, image: Image, detections: Sequence[Detection]) -> list[Detection]:
        """Faces in the second detector's heads that the first did not find: tilted, or small in a large frame."""
        heads = [head for head in self._strange if width(head.box) >= self._min_face_px]
        known = kinship([head.box for head in heads], [face.box for face in detections]).max(axis=1, initial=0)
        boxes = [head.box for head, most in zip(heads, known, strict=True) if most < KINSHIP]
        return find_turned(self._detector, image, boxes[:MOST_PROPOSALS])

    def _newcomers(
        self, image: Image, detections: Sequence[Detection], missing: Sequence[FollowedFace]
    ) -> list[Newcomer]:
        """Detections that are faces: those near a missing person first, then the largest."""
        room = max(0, self._max_faces - len(self._faces)) + len(missing)
        if not room or not detections:
            return []
        ranked = sorted(
            detections, key=lambda d: (not any(face.may_be_at(d.box) for face in missing), -width(d.box))
        )[: room + SPARE_NEWCOMERS]
        meshes = find_meshes(self._detector, self._landmarks, image, ranked)
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
        """Add new faces, largest first. With one face to follow, add none while its person may still return."""
        if self._one and (self._faces or any(face.unseen_s < self._hold_s(face) for face in self._lost)):
            return
        for newcomer in sorted(newcomers, key=lambda newcomer: -width(newcomer.box)):
            overlaps = iou([face.box for face in self._faces], [extent(newcomer.mesh.points)])
            if len(self._faces) < self._max_faces and not (overlaps > 0.5).any():
                self._faces.append(FollowedFace(self._next_id, newcomer.mesh, self._smoothing))
                self._next_id += 1

    def _hold_s(self, face: FollowedFace) -> float:
        return self._coast_s + (HOLD_S if face.likeness.known else self._reacquire_s)

    def _recognise(self, image: Image) -> None:
        """Recognise at most one face per frame: learn its appearance, or detect that it is now someone else."""
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
        """Drop faces unseen for too long, faces that no detector sees, and faces that no detection confirms."""
        gone = [
            face for face in self._faces if face.unseen_s >= (self._coast_s if face.seconded else SHORTEST_STEP_S)
        ]
        self._faces = [face for face in self._faces if face not in gone and face.doubts < MAX_DOUBTS]
        self._lost = [face for face in [*self._lost, *gone] if face.unseen_s < self._forget_s(face)]

    def _forget_s(self, face: FollowedFace) -> float:
        return REMEMBER_S if face.likeness.known else self._hold_s(face)

    def _plausible(self, mesh: Mesh, expected: Box, max_growth: float) -> bool:
        return mesh.presence >= self._min_presence and is_plausible(mesh, expected, max_growth, self._size)
