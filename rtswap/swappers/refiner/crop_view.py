"""What the refiner's generator sees of a face, and how what it makes is put back. Training cuts its pictures here.

Everything is seen in one upright crop, placed by the landmarks, of S = 128 or 256 px. How the face should be lit is
given by the target without its features: inside its outline only slow changes of light are left, so that there is
nobody's face to copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask, Matrix, Points
from rtswap.vision.geometry import canonical, inverse, scale_of
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
FARTHEST = 1e6
"""Pixels. A face farther out than this is a fault in the numbers."""
FLAT = 0.05
"""Pixels of a 128 px crop per pixel of the picture below which landmarks are taken to say nothing."""


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


@cache
def _template(size: int) -> tuple[NDArray[np.complex64], complex]:
    """The mean face in the crop as x + iy about its middle, and that middle."""
    mesh = canonical().mesh[:, :2]
    points = (mesh - (mesh.min(0) + mesh.max(0)) / 2) * (EYES_APART * size) + (size - 1) / 2
    places = points[:, 0] + 1j * points[:, 1]
    return np.asarray(places - places.mean(), np.complex64), complex(places.mean())


def place(landmarks: Points, size: int = SIZE) -> Matrix | None:
    """(2, 3) from the pixels of ``landmarks`` (468, 2 or 3) to the network's crop; None where they form no face.

    The least-squares similarity without reflection; in the complex plane it is one division.
    """
    if not np.abs(landmarks).max() <= FARTHEST:  # also where they are no numbers
        return None
    places = landmarks[:, 0] + np.complex64(1j) * landmarks[:, 1]
    goal, goal_middle = _template(size)
    middle = complex(places.mean())
    own = (places - middle).conj()
    spread = float((own @ own.conj()).real)
    turn = complex(own @ goal) / spread if spread > 0 else 0j
    if not FLAT < abs(turn) * SIZE / size < 1 / FLAT:
        return None
    shift = goal_middle - turn * middle
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32)


def crop_view(crop: Image, swapped: Image, mask: Mask, landmarks: Points, size: int = SIZE) -> CropView | None:
    """Of a face ``crop`` (H, W, 3), what was swapped into it, the mask of that (H, W), and the crop's landmarks."""
    matrix = place(landmarks, size)
    if matrix is None:
        return None
    target, source = cut(crop, matrix, size), cut(swapped, matrix, size)
    seen = cut(mask, matrix, size, zero=True)
    points = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return CropView(matrix, target, blended(source, target, seen), seen, inside_of(points, size))


def cut(picture: NDArray[np.uint8], matrix: Matrix, size: int = SIZE, *, zero: bool = False) -> NDArray[np.uint8]:
    """``picture`` in the network's crop. A large one is halved first: sampled directly it would shimmer."""
    while scale_of(matrix) < 0.5:
        height, width = picture.shape[:2]
        half = max(1, width // 2), max(1, height // 2)
        picture = resized(picture, half, cv2.INTER_AREA)
        step = np.array([width / half[0], height / half[1]], np.float32)
        shifted = matrix[:, :2] @ ((step - 1) / 2) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * step, shifted]).astype(np.float32)
    return warped(picture, matrix, (size, size), zero=zero)


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
