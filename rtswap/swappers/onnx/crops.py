"""The square crop in which a network with a template sees a face: where it lies, how its result is masked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import ModelError
from rtswap.core.types import Image, Mask, Matrix, Points, Target
from rtswap.vision.crops import AVERAGED, cut
from rtswap.vision.geometry import keypoints_of, scale_of, transform
from rtswap.vision.raster import fill
from rtswap.vision.resample import blurred, resized
from rtswap.vision.templates import placement
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, NOSE_BASE, NOSE_RIDGE, OVAL, RIGHT_BROW, RIGHT_EYE

BORDER = 0.06
"""Width of the soft border of a crop, as a share of its side."""
COVERAGE, FEATHER = 0.95, 0.025
"""Side of the mask's outline, as a share of the face's; sigma of its edge in face widths."""
FEATURES = [*LEFT_EYE, *RIGHT_EYE, *LEFT_BROW, *RIGHT_BROW], [*NOSE_RIDGE, *NOSE_BASE]
"""Somebody can be recognised by them, though they are few of a face's landmarks."""
SEEN, REPLACED = 0.5, 128
"""Visibility of a landmark, and the mask there, from which it is visible, and replaced."""
LEAST_ASKED, LEAST_REPLACED = 0.25, 0.4
"""Share of a feature's landmarks from which it is considered, and of these that must be replaced."""
MASK_STEP = 2
"""Crop pixels per pixel in which the outline is drawn."""


def aligned_view(
    landmarks: Points, template: str, side: int, max_px: int, *, boost: int = 1
) -> tuple[Matrix, tuple[int, int]]:
    """The crop of a template, at a multiple of ``boost`` times the network's ``side``: at least as large as the face
    in the frame, and at most ``max_px``."""
    matrix = placement(keypoints_of(landmarks), template, side)
    least = side * boost
    size = min(least, max_px)
    if size == least and scale_of(matrix) > 0:
        times = math.ceil(side / scale_of(matrix) / least - 0.25)
        size = least * max(1, min(times, max_px // least))
    return enlarged(matrix, size / side), (size, size)


def aligned_photo(photo: Image, landmarks: Points, template: str, side: int) -> tuple[Image, Points]:
    """A photo (side, side, 3) in the crop of a template, and its landmarks there."""
    matrix = placement(keypoints_of(landmarks), template, side)
    return cut(photo, matrix, side, AVERAGED), transform(matrix, landmarks)


def enlarged(matrix: Matrix, times: float) -> Matrix:
    """The matrix to a crop ``times`` as large, whose blocks of pixels have the centres of the small one's pixels."""
    return np.asarray(matrix * times + np.array([0, 0, (times - 1) / 2]), np.float32)


def split(crop: Image, boost: int) -> list[Image]:
    """The crop's ``boost`` x ``boost`` interleaved pictures, by rows."""
    return [np.ascontiguousarray(crop[y::boost, x::boost]) for y in range(boost) for x in range(boost)]


def join(tiles: Sequence[NDArray[np.uint8]], boost: int) -> NDArray[np.uint8]:
    """Interleave the pictures of ``split`` again."""
    if boost == 1:
        return tiles[0]
    height, width = tiles[0].shape[:2]
    whole = np.empty((height * boost, width * boost, *tiles[0].shape[2:]), np.uint8)
    for number, tile in enumerate(tiles):
        whole[number // boost :: boost, number % boost :: boost] = tile
    return whole


def to_side(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resample a square to another side."""
    side = picture.shape[0]
    if side == size:
        return picture
    return resized(picture, (size, size), cv2.INTER_AREA if size < side else cv2.INTER_CUBIC)


def outline(landmarks: Points, size: int, coverage: float = COVERAGE) -> Mask:
    """Mask (size, size): 255 inside the face's outline, ``coverage`` times as large, with a soft edge, fading at the
    crop's border."""
    small = max(1, size // MASK_STEP)
    ring = (np.clip(landmarks[OVAL, :2], -4 * size, 5 * size) + 0.5) * (small / size) - 0.5
    ring = ring.mean(0) + coverage * (ring - ring.mean(0))
    drawn = np.zeros((small, small), np.uint8)
    fill(drawn, [ring.astype(np.float32)], 255)
    soft = blurred(drawn, max(0.5, FEATHER * float(np.ptp(ring[:, 0]))))
    return np.asarray(cv2.min(resized(soft, (size, size)), border(size)), np.uint8)


def swap_mask(face: Target, size: int, coverage: float | None, *limits: Mask) -> Mask:
    """Where a swap shows in a crop of ``size`` px: inside ``outline``, or None: up to the crop's border; and where
    each of ``limits``, of any side, lets it. Raises ModelError for limits that leave the eyes or the nose as they
    are."""
    whole = border(size) if coverage is None else outline(face.landmarks, size, coverage)
    mask = whole
    for limit in limits:
        mask = np.asarray(cv2.min(mask, to_side(limit, size)), np.uint8)
    for feature in FEATURES:
        x, y = face.landmarks[feature][face.visibility[feature] >= SEEN, :2].clip(0, size - 1).astype(np.intp).T
        asked = whole[y, x] >= REPLACED
        if asked.sum() >= LEAST_ASKED * len(feature) and (mask[y, x][asked] >= REPLACED).mean() < LEAST_REPLACED:
            raise ModelError(
                "the swapper's mask leaves the eyes or the nose as they are",
                do="Train it longer, or use another --swapper.",
            )
    mask[[0, -1]] = mask[:, [0, -1]] = 0
    return mask


@cache
def _border(size: int) -> Mask:
    ramp = np.minimum(np.arange(size), np.arange(size)[::-1]) / max(1.0, BORDER * size)
    ramp = np.clip(ramp, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.round(255 * np.minimum(ramp[:, None], ramp[None])), np.uint8)


def border(size: int) -> Mask:
    """Mask (size, size): 255 inside, falling to 0 at the border."""
    return _border(size).copy()
