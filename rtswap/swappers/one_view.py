"""What the generator ``one`` sees of a face, and how what it says is put back. Training cuts its pictures here, too.

Everything is looked at in one upright 128 px crop, placed by the landmarks. The target's face is shown without its
features: inside its outline only slow changes of light are left, so that there is nobody's face to copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.geometry import canonical, inverse, scale_of
from rtswap.sampling import blurred, resized, warped
from rtswap.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE
from rtswap.types import Image, Mask, Matrix, Points

SIZE = 128
EYES_APART = 36.0
"""Pixels between the eyes of the mean face in the crop: its outline fills 72 % of the height."""
LOW_SIGMA = 0.13 * 2.15 * EYES_APART
"""Of the low-pass that leaves light and no features: 0.13 of the face's width, 10 px."""
LOW_STEP = 4
NEUTRAL = 128
"""The residual's zero."""
FARTHEST = 1e6
"""Pixels. A face farther out than this is a fault in the numbers."""
FLAT = 0.05
"""Network pixels per crop pixel below which landmarks are taken to say nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """One face and what ``mesh`` made of it, as the network sees them."""

    matrix: Matrix
    """The swapper's crop -> this one."""
    target: Image
    """(128, 128, 3) the face as it was."""
    composite: Image
    """(128, 128, 3) the swapped face pasted over it."""
    mask: Mask
    """(128, 128) where it was pasted."""
    inside: Mask
    """(128, 128) 255 inside the target's outline but for its eyes and its open mouth."""

    @property
    def lowered(self) -> Image:
        """(128, 128, 3) the target, its face low-passed inside."""
        return low_passed(self.target, self.inside)


@cache
def _template() -> tuple[NDArray[np.complex64], complex]:
    """The mean face in the crop as x + iy about its middle, and that middle."""
    mesh = canonical().mesh[:, :2]
    points = (mesh - (mesh.min(0) + mesh.max(0)) / 2) * EYES_APART + (SIZE - 1) / 2
    places = points[:, 0] + 1j * points[:, 1]
    return np.asarray(places - places.mean(), np.complex64), complex(places.mean())


def placing(landmarks: Points) -> Matrix | None:
    """(2, 3) from the pixels of ``landmarks`` (468, 2 or 3) to the network's crop; None where they form no face.

    The least-squares similarity without reflection; in the complex plane it is one division.
    """
    if not np.abs(landmarks).max() <= FARTHEST:  # also where they are no numbers
        return None
    places = landmarks[:, 0] + np.complex64(1j) * landmarks[:, 1]
    goal, goal_middle = _template()
    middle = complex(places.mean())
    own = (places - middle).conj()
    spread = float((own @ own.conj()).real)
    turn = complex(own @ goal) / spread if spread > 0 else 0j
    if not FLAT < abs(turn) < 1 / FLAT:
        return None
    shift = goal_middle - turn * middle
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32)


def look(crop: Image, swapped: Image, mask: Mask, landmarks: Points) -> Look | None:
    """Of a face ``crop`` (H, W, 3), what was swapped into it, the mask of that (H, W), and the crop's landmarks."""
    matrix = placing(landmarks)
    if matrix is None:
        return None
    target, source, seen = cut(crop, matrix), cut(swapped, matrix), cut(mask, matrix, zero=True)
    points = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return Look(matrix, target, blended(source, target, seen), seen, inside_of(points))


def cut(picture: NDArray[np.uint8], matrix: Matrix, *, zero: bool = False) -> NDArray[np.uint8]:
    """``picture`` in the network's crop. A large one is halved first: sampled directly it would shimmer."""
    while scale_of(matrix) < 0.5:
        height, width = picture.shape[:2]
        size = max(1, width // 2), max(1, height // 2)
        picture = resized(picture, size, cv2.INTER_AREA)
        step = np.array([width / size[0], height / size[1]], np.float32)
        shifted = matrix[:, :2] @ ((step - 1) / 2) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * step, shifted]).astype(np.float32)
    return warped(picture, matrix, (SIZE, SIZE), zero=zero)


def blended(over: Image, under: Image, mask: Mask) -> Image:
    """``over`` where the mask is 255, ``under`` where it is 0."""
    share = mask.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(over, under, share, 1 - share), np.uint8)


def inside_of(points: Points) -> Mask:
    """(128, 128) 255 inside the oval of ``points`` (468, 2), 0 in the openings of eyes and mouth."""
    inside = np.zeros((SIZE, SIZE), np.uint8)
    fixed = np.round(np.clip(points[:, :2], -4 * SIZE, 4 * SIZE) * 16).astype(np.int32)
    cv2.fillPoly(inside, [fixed[OVAL]], 255, cv2.LINE_AA, 4)
    cv2.fillPoly(inside, [fixed[ring] for ring in (LEFT_EYE, RIGHT_EYE, LIPS_INNER)], 0, cv2.LINE_AA, 4)
    return inside


def low_passed(target: Image, inside: Mask) -> Image:
    """``target`` (128, 128, 3) with what is ``inside`` replaced by its Gaussian, normalised within."""
    small = SIZE // LOW_STEP, SIZE // LOW_STEP
    share = resized(inside.astype(np.float32), small, cv2.INTER_AREA) * np.float32(1 / 255)
    slow = np.asarray(resized(target, small, cv2.INTER_AREA), np.float32) * share[..., None]
    planes = blurred(np.dstack([slow, share]).astype(np.float32), LOW_SIGMA / LOW_STEP)
    low = planes[..., :3] / np.maximum(planes[..., 3:], np.float32(1e-3))
    full = resized(np.clip(low, 0, 255).astype(np.uint8), (SIZE, SIZE))
    return blended(full, target, blurred(inside, 1.0))


def add_residual(swapped: Image, residual: Image, matrix: Matrix) -> None:
    """Add the network's ``residual`` (128, 128, 3), 128 = nothing, to a swapped crop (H, W, 3), in place."""
    full = warped(residual, inverse(matrix), (swapped.shape[1], swapped.shape[0]))
    cv2.addWeighted(swapped, 1.0, full, 1.0, -NEUTRAL, dst=swapped)


def limit_mask(mask: Mask, kept: Mask, matrix: Matrix) -> Mask:
    """(H, W) ``mask`` where the network's ``kept`` (128, 128) allows it."""
    full = warped(kept, inverse(matrix), (mask.shape[1], mask.shape[0]))
    return np.asarray(cv2.min(mask, full), np.uint8)
