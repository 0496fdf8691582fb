"""``--swapper paper-mask``: the portrait, turned and scaled onto the face."""

from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.core.parts import SwapperSpec
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
        paper = cv2.warpAffine(self.source.portrait, onto_face, (width, height))
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(face.landmarks[:, :2]).astype(np.int32)), 255)
        return SwappedFace(np.asarray(paper, np.uint8), mask)

    def forget(self, track_id: int) -> None: ...


class PaperMaskModel:
    bind = staticmethod(PaperMask)


SPEC = SwapperSpec("paper-mask", "the photo, cut out and held before the face", lambda context: PaperMaskModel())
