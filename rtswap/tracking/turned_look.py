"""Faces that lie on their side or stand on their head: the detector knows upright ones, so the picture is turned."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from rtswap.core.protocols import Detector, LandmarkModel
from rtswap.core.types import Detection, Image, Mesh
from rtswap.tracking.detector import turned_back

TURNS = (1, 3, 2)
"""Quarter turns, the likeliest first."""
HOW = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


class TurnedLook:
    """Looks once at all quarter turns, then at one per frame, so that a head that is none costs one detection."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.reset()

    def reset(self) -> None:
        """The next look is at all turns."""
        self._next: int | None = None

    def look(self, image: Image) -> Sequence[Detection]:
        """The faces in the first turn that shows any, as they lie in ``image``. Raises EngineError."""
        turns = TURNS if self._next is None else (TURNS[self._next],)
        self._next = 0 if self._next is None else (self._next + 1) % len(TURNS)
        whole = np.array([0, 0, *image.shape[1::-1]], np.float32)
        for turn in turns:
            found = self._detector.detect(np.asarray(cv2.rotate(image, HOW[turn])))
            if found:
                return [turned_back(face, turn, whole) for face in found]
        return []

    def meshes(self, image: Image, faces: Sequence[Detection], landmarks: LandmarkModel) -> list[Mesh]:
        """The mesh of each face, the right way round: at times the detector takes one that stands on its head for one
        that does not, so of the four ways to turn it those that it accepts are meshed, and the surest mesh is taken.
        Raises the errors of the networks."""
        boxes, turns = [face.box for face in faces for _ in TURNS], list(TURNS) * len(faces)
        looks = self._detector.refine(image, boxes, turns) if boxes else []
        ways = list(enumerate(faces))
        ways += [(number // len(TURNS), look) for number, look in enumerate(looks) if look is not None]
        best: dict[int, Mesh] = {}
        for (row, _), mesh in zip(ways, landmarks.find(image, [way.keypoints for _, way in ways]), strict=True):
            if row not in best or mesh.presence > best[row].presence:
                best[row] = mesh
        return [best[row] for row in range(len(faces))]
