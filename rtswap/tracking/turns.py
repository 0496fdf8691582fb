"""Faces that lie on their side or stand on their head: the detector's last network, which is quick, looks at each of
the four ways to turn a place."""

from __future__ import annotations

from collections.abc import Sequence

from rtswap.core.protocols import Detector, LandmarkModel
from rtswap.core.types import Box, Detection, Image, Mesh

TURNS = (0, 1, 2, 3)
SURE = 0.97
"""Least score of a face that is found in four ways of looking at a place: each may be wrong. Hands reach 0.9."""


def find_turned(detector: Detector, image: Image, boxes: Sequence[Box]) -> list[Detection]:
    """The faces in those boxes that surely hold one, however they are turned. Raises EngineError, ModelError."""
    found: dict[int, Detection] = {}
    for row, look in _looks(detector, image, boxes, TURNS):
        if look.score >= SURE and (row not in found or look.score > found[row].score):
            found[row] = look
    return list(found.values())


def find_meshes(detector: Detector, landmarks: LandmarkModel, image: Image, faces: Sequence[Detection]) -> list[Mesh]:
    """The mesh of each face, the right way round: at times the detector takes one that stands on its head for one
    that does not, so of the four ways those that it accepts are meshed, and the surest mesh is taken. It is meshed
    once more in the place that it says itself, since five keypoints tell that coarsely. Raises the errors of the
    networks."""
    ways = [*enumerate(faces), *_looks(detector, image, [face.box for face in faces], TURNS[1:])]
    best: dict[int, Mesh] = {}
    for (row, _), mesh in zip(ways, landmarks.find(image, [way.keypoints for _, way in ways]), strict=True):
        if row not in best or mesh.presence > best[row].presence:
            best[row] = mesh
    return landmarks.find(image, [best[row].points for row in range(len(faces))])


def _looks(
    detector: Detector, image: Image, boxes: Sequence[Box], turns: Sequence[int]
) -> list[tuple[int, Detection]]:
    """Row of a box, and a face that was found in it, for every turn in which one was."""
    rows = [row for row in range(len(boxes)) for _ in turns]
    if not rows:
        return []
    looks = detector.refine(image, [boxes[row] for row in rows], list(turns) * len(boxes))
    return [(row, look) for row, look in zip(rows, looks, strict=True) if look is not None]
