"""A swapping method of one's own: the portrait, turned and scaled onto the face like a paper mask."""

from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.core.types import Matrix, Points, Quality, SourceIdentity, SwappedFace, Target
from rtswap.vision.geometry import box_of, similarity


@dataclass
class PaperMask:
    source: SourceIdentity

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        x1, y1, x2, y2 = box_of(landmarks, margin=0.1)
        scale = min(1.0, max_px / max(x2 - x1, y2 - y1))
        matrix = np.array([[scale, 0, -scale * x1], [0, scale, -scale * y1]], np.float32)
        return matrix, (int(scale * (x2 - x1)), int(scale * (y2 - y1)))

    def swap(self, face: Target, quality: Quality) -> SwappedFace:
        height, width = face.crop.shape[:2]
        onto_face = similarity(self.source.landmarks[:, :2], face.landmarks[:, :2])
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(face.landmarks[:, :2]).astype(np.int32)), 255)
        paper = np.empty_like(face.crop)
        cv2.warpAffine(self.source.portrait, onto_face, (width, height), dst=paper)
        return SwappedFace(paper, mask)

    def forget(self, track_id: int) -> None:
        """Nothing is remembered of a track."""


class PaperMaskModel:
    def bind(self, source: SourceIdentity) -> PaperMask:
        return PaperMask(source)
