"""The inputs of the refiner's generator, and how its outputs are applied. Training uses the same code.

All inputs share one upright crop of S = 128 or 256 px, placed by the landmarks. The target's light is given without
its features: inside the outline only low frequencies remain, so that the network has no face to copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.core.types import Image, Mask, Matrix, Points
from rtswap.vision.crops import Shrink, cut, fit_mean_face
from rtswap.vision.geometry import inverse
from rtswap.vision.resample import blended, blurred, resized, warped
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

SIZE = 128
"""Side of the crop of ``refiner-128``; that of ``refiner-256`` is twice as large."""
EYES_APART = 36 / SIZE
"""Distance between the eyes of the mean face, as a share of the crop's side: its outline fills 72 % of the height."""
LOW_SIZE = 32
"""Side of the image in which the low-pass is computed."""
LOW_SIGMA = 0.13 * 2.15 * EYES_APART * LOW_SIZE
"""Sigma of the low-pass that removes features: 0.13 of the face's width, in pixels of ``LOW_SIZE``."""
EDGE_SIGMA = 1 / SIZE
"""Sigma, as a share of the crop's side, of the seam between the low-passed face and its surroundings."""
ZERO = 128
"""Zero level of the residual."""
SHRINK = Shrink(below=0.5, least=2, stretch=True)
"""How images are averaged down to the crop."""


@dataclass(frozen=True, slots=True)
class CropView:
    """One face and the result of ``mesh``, as the network sees them."""

    matrix: Matrix
    """Affine map from the swapper's crop to this one."""
    target: Image
    """(S, S, 3) the original face."""
    composite: Image
    """(S, S, 3) the swapped face pasted over it."""
    mask: Mask
    """(S, S) mask of the swapped face."""
    inside: Mask
    """(S, S) 255 inside the target's outline, except its eyes and open mouth."""

    @property
    def lowered(self) -> Image:
        """(S, S, 3) the target, low-passed inside the face."""
        return low_passed(self.target, self.inside)


def place(landmarks: Points, size: int = SIZE) -> Matrix | None:
    """Affine map (2, 3) from the pixels of ``landmarks`` (468, 2 or 3) to the network's crop; None if they form no
    face."""
    return fit_mean_face(landmarks, size, EYES_APART * size)


def crop_view(crop: Image, swapped: Image, mask: Mask, landmarks: Points, size: int = SIZE) -> CropView | None:
    """Cut the network's view from a face ``crop`` (H, W, 3), its ``swapped`` version, the swap's mask (H, W) and the
    crop's landmarks; None if these do not form a face."""
    matrix = place(landmarks, size)
    if matrix is None:
        return None
    target, source = (cut(picture, matrix, size, SHRINK) for picture in (crop, swapped))
    seen = cut(mask, matrix, size, SHRINK, zero=True)
    points = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return CropView(matrix, target, blended(source, target, seen), seen, inside_of(points, size))


def inside_of(points: Points, size: int = SIZE) -> Mask:
    """Mask (S, S): 255 inside the oval of ``points`` (468, 2), 0 in the openings of eyes and mouth."""
    inside = np.zeros((size, size), np.uint8)
    fixed = np.round(np.clip(points[:, :2], -4 * size, 4 * size) * 16).astype(np.int32)
    cv2.fillPoly(inside, [fixed[OVAL]], 255, cv2.LINE_AA, 4)
    cv2.fillPoly(inside, [fixed[ring] for ring in (LEFT_EYE, RIGHT_EYE, LIPS_INNER)], 0, cv2.LINE_AA, 4)
    return inside


def low_passed(target: Image, inside: Mask) -> Image:
    """Replace the ``inside`` of ``target`` (S, S, 3) by its normalised Gaussian."""
    side, small = len(target), (LOW_SIZE, LOW_SIZE)
    share = resized(inside.astype(np.float32), small, cv2.INTER_AREA) * np.float32(1 / 255)
    slow = np.asarray(resized(target, small, cv2.INTER_AREA), np.float32) * share[..., None]
    planes = blurred(np.dstack([slow, share]).astype(np.float32), LOW_SIGMA)
    low = planes[..., :3] / np.maximum(planes[..., 3:], np.float32(1e-3))
    full = resized(np.clip(low, 0, 255).astype(np.uint8), (side, side))
    return blended(full, target, blurred(inside, EDGE_SIGMA * side))


def add_residual(swapped: Image, residual: Image, matrix: Matrix) -> None:
    """Add the network's ``residual`` (S, S, 3), 128 = zero, to a swapped crop (H, W, 3), in place."""
    full = warped(residual, inverse(matrix), (swapped.shape[1], swapped.shape[0]))
    cv2.addWeighted(swapped, 1.0, full, 1.0, -ZERO, dst=swapped)


def limit_mask(mask: Mask, kept: Mask, matrix: Matrix) -> Mask:
    """Limit ``mask`` (H, W) to the network's ``kept`` (S, S)."""
    full = warped(kept, inverse(matrix), (mask.shape[1], mask.shape[0]))
    return np.asarray(cv2.min(mask, full), np.uint8)
