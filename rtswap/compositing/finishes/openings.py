"""Eyes and the inside of the mouth already are the target's: exclude them from changes to the swapped skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask, Points
from rtswap.vision.raster import fill
from rtswap.vision.resample import blurred
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, RIGHT_EYE

RINGS = (LEFT_EYE, RIGHT_EYE, LIPS_INNER)
FEATHER = 0.006
"""Sigma of the soft edge, in face widths."""
FARTHEST = 16000.0
"""Pixels: OpenCV draws in 16-bit fixed-point coordinates."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A copy of one opening."""

    corner: tuple[int, int]
    """x, y of its rectangle in the crop."""
    own: Image
    """(h, w, 3)"""
    share: NDArray[np.float32]
    """(h, w) 0..1: 1 = restore the copy."""

    def put_back(self, crop: Image) -> None:
        """Restore the opening, in place."""
        (x, y), (height, width) = self.corner, self.share.shape
        region = crop[y : y + height, x : x + width]
        region[:] = cv2.blendLinear(self.own, region, self.share, 1 - self.share)


def openings_of(crop: Image, landmarks: Points) -> list[Opening]:
    """Copy the eyes and the inside of the mouth at ``landmarks`` (468, 3). Tiny ones are left out: a shut mouth is
    skin."""
    found = []
    for (x, y), share in shares_of(landmarks, (crop.shape[1], crop.shape[0])):
        height, width = share.shape
        found.append(Opening((x, y), crop[y : y + height, x : x + width].copy(), share))
    return found


def shares_of(landmarks: Points, size: tuple[int, int]) -> list[tuple[tuple[int, int], NDArray[np.float32]]]:
    """Corner and share of each opening in a crop of ``size`` = (width, height)."""
    feather = max(0.6, FEATHER * face_width(landmarks))
    found = []
    for ring in RINGS:
        points = clamp_points(landmarks[ring])
        low = np.maximum(np.floor(points.min(0) - 3 * feather), 0).astype(int)
        high = np.minimum(np.ceil(points.max(0) + 3 * feather) + 1, size).astype(int)
        if (high - low < 2).any():
            continue
        (x1, y1), (x2, y2) = low.tolist(), high.tolist()
        share = np.zeros((y2 - y1, x2 - x1), np.float32)
        fill(share, [points - low], 1.0)
        found.append(((x1, y1), blurred(share, feather)))
    return found


def skin_weights(mask: Mask, landmarks: Points, step: int) -> Mask:
    """Every ``step``-th pixel of the mask, (h, w), 0 in and around the openings."""
    weights = np.ascontiguousarray(mask[::step, ::step])
    for ring in RINGS:
        points = clamp_points(landmarks[ring]) / step
        middle = points.mean(0)
        fill(weights, [middle + 1.25 * (points - middle)], 0, smooth=False)
    return weights


def face_width(landmarks: Points) -> float:
    """Width in pixels, at least 1."""
    across = clamp_points(landmarks)[:, 0]
    return max(1.0, float(across.max() - across.min()))


def clamp_points(points: Points) -> Points:
    """Clamp points to OpenCV's drawing range, (N, 2); NaN becomes 0."""
    near = np.minimum(np.maximum(points[:, :2], np.float32(-FARTHEST)), np.float32(FARTHEST))
    near[np.isnan(near)] = 0
    return np.asarray(near, np.float32)


def hull_of(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """The convex hull, (M, 2)."""
    return np.asarray(cv2.convexHull(np.ascontiguousarray(points, np.float32))[:, 0], np.float32)


def bounding_box(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns in which the mask is not 0."""
    x, y, width, height = cv2.boundingRect(mask)
    return slice(y, y + height), slice(x, x + width)


def union_of(shapes: Sequence[NDArray[np.floating]], size: tuple[int, int]) -> Mask:
    """255 inside any of the polygons, (h, w); ``size`` = (w, h)."""
    drawn = np.zeros(size[::-1], np.uint8)
    for shape in shapes:
        fill(drawn, [shape], 255)
    return drawn
