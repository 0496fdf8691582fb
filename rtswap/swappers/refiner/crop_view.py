"""What the refiner's generator sees of a face, and how what it makes is put back. Training cuts its pictures here.

Everything is seen in one upright crop, placed by the landmarks, of S = 128 or 256 px. How the face should be lit is
given by the target without its features: inside its outline only slow changes of light are left, so that there is
nobody's face to copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.core.types import Image, Mask, Matrix, Points
from rtswap.vision.crops import Shrink, cut, fit_mean_face
from rtswap.vision.geometry import inverse
from rtswap.vision.resample import blurred, resized, warped
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

SIZE = 128
"""Side of the crop of ``refiner-128``; that of ``refiner-256`` is twice as fine."""
EYES_APART = 36 / SIZE
"""Of the crop's side, between the eyes of the mean face: its outline fills 72 % of the height."""
LOW_SIZE = 32
"""Side of the picture in which the low-pass is computed."""
LOW_SIGMA = 0.13 * 2.15 * EYES_APART * LOW_SIZE
"""Of the low-pass that leaves light and no features: 0.13 of the face's width, in pixels of ``LOW_SIZE``."""
EDGE_SIGMA = 1 / SIZE
"""Of the crop's side: of the seam between the low-passed face and what is around it."""
ZERO = 128
"""The residual's zero."""
SHRINK = Shrink(below=0.5, least=2, stretch=True)
"""How pictures are averaged down for it."""


@dataclass(frozen=True, slots=True)
class CropView:
    """One face and what ``mesh`` made of it, as the network sees them."""

    matrix: Matrix
    """The swapper's crop -> this one."""
    target: Image
    """(S, S, 3) the face as it was."""
    composite: Image
    """(S, S, 3) the swapped face pasted over it."""
    mask: Mask
    """(S, S) where it was pasted."""
    inside: Mask
    """(S, S) 255 inside the target's outline but for its eyes and its open mouth."""

    @property
    def lowered(self) -> Image:
        """(S, S, 3) the target, its face low-passed inside."""
        return low_passed(self.target, self.inside)


def place(landmarks: Points, size: int = SIZE) -> Matrix | None:
    """(2, 3) from the pixels of ``landmarks`` (468, 2 or 3) to the network's crop; None where they form no face."""
    return fit_mean_face(landmarks, size, EYES_APART * size)


def crop_view(crop: Image, swapped: Image, mask: Mask, landmarks: Points, size: int = SIZE) -> CropView | None:
    """Of a face ``crop`` (H, W, 3), what was swapped into it, the mask of that (H, W), and the crop's landmarks."""
    matrix = place(landmarks, size)
    if matrix is None:
        return None
    target, source = (cut(picture, matrix, size, SHRINK) for picture in (crop, swapped))
    seen = cut(mask, matrix, size, SHRINK, zero=True)
    points = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return CropView(matrix, target, blended(source, target, seen), seen, inside_of(points, size))


def blended(over: Image, base: Image, mask: Mask) -> Image:
    """``over`` where the mask is 255, ``base`` where it is 0."""
    share = mask.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(over, base, share, 1 - share), np.uint8)


def inside_of(points: Points, size: int = SIZE) -> Mask:
    """(S, S) 255 inside the oval of ``points`` (468, 2), 0 in the openings of eyes and mouth."""
    inside = np.zeros((size, size), np.uint8)
    fixed = np.round(np.clip(points[:, :2], -4 * size, 4 * size) * 16).astype(np.int32)
    cv2.fillPoly(inside, [fixed[OVAL]], 255, cv2.LINE_AA, 4)
    cv2.fillPoly(inside, [fixed[ring] for ring in (LEFT_EYE, RIGHT_EYE, LIPS_INNER)], 0, cv2.LINE_AA, 4)
    return inside


def low_passed(target: Image, inside: Mask) -> Image:
    """``target`` (S, S, 3) with what is ``inside`` replaced by its Gaussian, normalised within."""
    side, small = len(target), (LOW_SIZE, LOW_SIZE)
    share = resized(inside.astype(np.float32), small, cv2.INTER_AREA) * np.float32(1 / 255)
    slow = np.asarray(resized(target, small, cv2.INTER_AREA), np.float32) * share[..., None]
    planes = blurred(np.dstack([slow, share]).astype(np.float32), LOW_SIGMA)
    low = planes[..., :3] / np.maximum(planes[..., 3:], np.float32(1e-3))
    full = resized(np.clip(low, 0, 255).astype(np.uint8), (side, side))
    return blended(full, target, blurred(inside, EDGE_SIGMA * side))


def add_residual(swapped: Image, residual: Image, matrix: Matrix) -> None:
    """Add the network's ``residual`` (S, S, 3), 128 = nothing, to a swapped crop (H, W, 3), in place."""
    full = warped(residual, inverse(matrix), (swapped.shape[1], swapped.shape[0]))
    cv2.addWeighted(swapped, 1.0, full, 1.0, -ZERO, dst=swapped)


def limit_mask(mask: Mask, kept: Mask, matrix: Matrix) -> Mask:
    """(H, W) ``mask`` where the network's ``kept`` (S, S) allows it."""
    full = warped(kept, inverse(matrix), (mask.shape[1], mask.shape[0]))
    return np.asarray(cv2.min(mask, full), np.uint8)
