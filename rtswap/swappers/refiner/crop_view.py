"""The inputs of the refiner's generator, and how its output is applied. Training uses the same code.

All inputs share one upright crop of 128 px, placed by the landmarks. The target's light is given without
its features: inside the outline only low frequencies remain, so that the network has no face to copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask, Matrix, Points
from rtswap.vision.crops import Shrink, cut, fit_mean_face
from rtswap.vision.geometry import composed, inverse, transform
from rtswap.vision.resample import blended, blurred, resized, warped
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

SIZE = 128
"""Side of the crop, px."""
EYES_APART = 36 / SIZE
"""Distance between the eyes of the mean face, as a share of the crop's side: its outline fills 72 % of the height."""
LOW_SIZE = 32
"""Side of the image in which the low-pass is computed."""
LOW_SIGMA = 0.13 * 2.15 * EYES_APART * LOW_SIZE
"""Sigma of the low-pass that removes features: 0.13 of the face's width, in pixels of ``LOW_SIZE``."""
EDGE_SIGMA = 1 / SIZE
"""Sigma, as a share of the crop's side, of the seam between the low-passed face and its surroundings."""
CELLS = 32
"""Cells of the field of gains, across and down the crop."""
NODES = 64
"""Most nodes across a swapped crop at which gains are looked up; between them they are interpolated: to look up each
pixel's takes three times as long."""
MOST = 0.5
"""Largest logarithm of a gain, in either direction."""
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


def place(landmarks: Points) -> Matrix | None:
    """Affine map (2, 3) from the pixels of ``landmarks`` (468, 2 or 3) to the network's crop; None if they form no
    face."""
    return fit_mean_face(landmarks, SIZE, EYES_APART * SIZE)


def crop_view(crop: Image, swapped: Image, mask: Mask, landmarks: Points) -> CropView | None:
    """Cut the network's view from a face ``crop`` (H, W, 3), its ``swapped`` version, the swap's mask (H, W) and the
    crop's landmarks; None if these do not form a face."""
    matrix = place(landmarks)
    if matrix is None:
        return None
    target, source = (cut(picture, matrix, SIZE, SHRINK) for picture in (crop, swapped))
    seen = cut(mask, matrix, SIZE, SHRINK, zero=True)
    points = transform(matrix, landmarks[:, :2])
    return CropView(matrix, target, blended(source, target, seen), seen, inside_of(points))


def inside_of(points: Points) -> Mask:
    """Mask (S, S): 255 inside the oval of ``points`` (468, 2), 0 in the openings of eyes and mouth."""
    inside = np.zeros((SIZE, SIZE), np.uint8)
    fixed = np.round(np.clip(points[:, :2], -4 * SIZE, 4 * SIZE) * 16).astype(np.int32)
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


def draw_gains(swapped: Image, gains: NDArray[np.float32], matrix: Matrix) -> None:
    """Multiply a swapped crop (H, W, 3) by the ``gains`` (CELLS, CELLS, 3), drawn bilinearly, in place. ``matrix``:
    from the crop's pixels to the network's."""
    size = swapped.shape[1], swapped.shape[0]
    nodes = min(size[0], NODES), min(size[1], NODES)
    x, y = (length / count for length, count in zip(size, nodes, strict=True))
    spread = np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5]])
    seen = warped(gains, inverse(composed(to_cells(matrix), spread)), nodes)
    cv2.multiply(swapped, resized(seen, size), dst=swapped, dtype=cv2.CV_8U)


def to_cells(matrix: Matrix) -> Matrix:
    """Affine map to the network's crop -> to its field of gains, whose values stand in the cells' middles."""
    share = CELLS / SIZE
    return np.asarray(share * matrix + np.array([[0, 0, 0.5 * share - 0.5]]), np.float32)
