"""Where a face is visible in its picture: 255 within the outline of the landmarks and nothing in front of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.app.networks import FaceModels
from rtswap.compositing.finishes.glasses import GlassesMask
from rtswap.compositing.finishes.occlusion import OcclusionMask
from rtswap.core.types import Image, Mask, Matrix, Points, Quality, SwappedFace, Target
from rtswap.networks.occlusion import SIZE, OcclusionModel, Plane
from rtswap.vision.geometry import canonical
from rtswap.vision.topology import OVAL

_SUBPIXEL = 4
"""Bits after the point of coordinates that are drawn."""


class TwofoldOcclusion(OcclusionModel):
    """Looks at a face and at its mirror image. Live, errors pass with the next frame; here the mean of two looks does
    away with most of the islands that only one of them sees, at the temples and the bridge of the nose."""

    def hidden(self, image: Image, matrix: Matrix, points: Points) -> Plane:
        """See ``OcclusionModel``."""
        first = super().hidden(image, matrix, points)
        flipped = np.ascontiguousarray(image[:, ::-1])
        turned = matrix * np.array([[1, -1, -1], [-1, 1, 1]], np.float32)
        turned[:, 2] += np.array([SIZE - 1, 0], np.float32) + matrix[:, 0] * np.array([-1, 1]) * (image.shape[1] - 1)
        places = points[canonical().mirror] * np.array([-1, 1], np.float32) + np.array([SIZE - 1, 0], np.float32)
        second = super().hidden(flipped, turned.astype(np.float32), places)[:, ::-1]
        return np.asarray((first + second) / 2, np.float32)


def visible_face(picture: Image, mesh: Points, visibility: NDArray[np.float32], models: FaceModels | None) -> Mask:
    """The mask (H, W). ``mesh``: (468, 3) in the picture; ``visibility`` (468,). Without ``models``: the outline
    alone. Raises EngineError, ModelError."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    outline = np.clip(mesh[OVAL, :2] * (1 << _SUBPIXEL), -30_000, 30_000)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255, cv2.LINE_AA, _SUBPIXEL)
    face, target = SwappedFace(picture, mask), Target(0, picture, mesh, visibility, 0.0)
    if models is not None and models.occlusion_model is not None:
        face = OcclusionMask(TwofoldOcclusion(models.occlusion_model.engine)).apply(face, target, Quality())
    if models is not None and models.glasses_model is not None:
        face = GlassesMask(models.glasses_model).apply(face, target, Quality())
    return face.mask
