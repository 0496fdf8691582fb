"""Find the faces of one picture and measure their size, pose, sharpness and light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import SourceError
from rtswap.core.protocols import Detector, LandmarkModel
from rtswap.core.types import Detection, Image, Points
from rtswap.source.portrait import look, look_closely, make_portrait
from rtswap.source.quality import Figures, appraise
from rtswap.vision.geometry import box_of, keypoints_of, scale_of, transform
from rtswap.vision.pose import Pose, pose_of
from rtswap.vision.topology import OVAL

_SURE = 0.85
"""Minimum detector score: below it most detections are not faces (``source.load`` uses the same)."""
UNCLEAR = "unclear"
"""Reason to leave out a detection that the landmark network does not confirm."""


Refined = Callable[[Points], tuple[Points, Points]]
"""Makes better landmarks (468, 3) of those that were found, and the keypoints (5, 2) by which to place the face."""


@dataclass(frozen=True, slots=True)
class MeasuredFace:
    """One face in a photo."""

    landmarks: Points
    """(468, 3) px in the photo."""
    keypoints: Points
    """(5, 2) px in the photo, by which the face is placed."""
    visibility: NDArray[np.float32]
    """(468,) 0..1"""
    detected: float
    """The detector's score, 0..1."""
    score: float
    """``source.quality.appraise``: size, sharpness, pose and exposure, multiplied; 0..1."""
    face_px: float
    figures: Figures
    pose: Pose
    outside: float
    """Share of the face's outline outside the picture."""


def measure_faces(
    image: Image, detector: Detector, landmarks: LandmarkModel, refined: Refined | None = None
) -> list[MeasuredFace | None]:
    """Return every face from left to right; None for one that the landmark network does not confirm."""
    found = [face for face in detector.detect(image) if face.score >= _SURE]
    found.sort(key=lambda face: float(face.box[0] + face.box[2]))
    return [_look(image, face, landmarks, refined) for face in found]


def _look(image: Image, face: Detection, landmarks: LandmarkModel, refined: Refined | None) -> MeasuredFace | None:
    try:
        mesh = look_closely(landmarks, image, look(landmarks, image, face.keypoints))
        if refined is None:
            return measure(image, mesh.points, mesh.visibility, face.score)
        points, keypoints = refined(mesh.points)
        return replace(measure(image, points, mesh.visibility, face.score), keypoints=keypoints)
    except SourceError:
        return None


def measure(image: Image, mesh: Points, visibility: NDArray[np.float32], detected: float) -> MeasuredFace:
    """Measure a face whose landmarks (468, 3) are known. Raises SourceError if it is too small."""
    portrait, matrix = make_portrait(image, mesh)
    box = box_of(mesh)
    appraisal = appraise(portrait, transform(matrix, mesh), scale_of(matrix))
    oval, limit = mesh[OVAL, :2], np.array([image.shape[1], image.shape[0]])
    return MeasuredFace(
        landmarks=mesh,
        keypoints=keypoints_of(mesh),
        visibility=visibility,
        detected=detected,
        score=appraisal.score,
        face_px=float(box[3] - box[1]),
        figures=appraisal.figures,
        pose=pose_of(mesh),
        outside=float(((oval < 0) | (oval > limit - 1)).any(axis=1).mean()),
    )
