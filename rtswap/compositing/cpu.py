"""The canvas in host memory: every operation touches one region of the frame, none the whole of it."""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.geometry import clip_box, inverse, scale_of
from rtswap.sampling import resized, warped
from rtswap.types import Box, Image, Mask, Matrix

COVER_CELLS = 7
"""Cells across a covered box: too few to tell a person by."""


class CpuCanvas:
    """Implements ``protocols.Canvas``. Works in the frame's own memory, which the pipeline owns."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def image(self) -> Image:
        return self._image

    def crop(self, matrix: Matrix, size: tuple[int, int]) -> Image:
        """(height, width, 3) as the matrix sees it: a view of the frame where the matrix only moves by whole pixels
        inside it, otherwise resampled, with the frame's border continued."""
        offset = _whole_shift(matrix)
        height, width = self._image.shape[:2]
        if offset is not None:
            x, y = offset
            if 0 <= x and 0 <= y and x + size[0] <= width and y + size[1] <= height:
                return self._image[y : y + size[1], x : x + size[0]]
        return warped(self._image, matrix, size)

    def paste(self, crop: Image, mask: Mask, matrix: Matrix) -> None:
        """Blend ``crop`` back where ``matrix`` took it from. Pixels with mask 0 keep every bit."""
        height, width = crop.shape[:2]
        offset = _whole_shift(matrix)
        if offset is not None:
            x, y = offset
        else:
            crop, mask, x, y = _enlarged(crop, mask, matrix, self._image.shape)
            height, width = mask.shape
        x1, y1, x2, y2 = clip_box(np.array([x, y, x + width, y + height], np.float32), *self._image.shape[1::-1])
        if x1 >= x2 or y1 >= y2:
            return
        inside = np.s_[y1 - y : y2 - y, x1 - x : x2 - x]
        _blend(self._image[y1:y2, x1:x2], crop[inside], mask[inside])

    def cover(self, box: Box, style: str) -> None:
        """Leave ``COVER_CELLS`` cells of what is in the box: smooth for ``blur``, hard-edged for ``pixelate``."""
        x1, y1, x2, y2 = clip_box(box, *self._image.shape[1::-1])
        if x1 >= x2 or y1 >= y2:
            return
        region = self._image[y1:y2, x1:x2]
        side = max(region.shape[:2]) / COVER_CELLS
        cells = max(1, round(region.shape[1] / side)), max(1, round(region.shape[0] / side))
        small = resized(region, cells, cv2.INTER_AREA)
        how = cv2.INTER_NEAREST if style == "pixelate" else cv2.INTER_CUBIC
        cv2.resize(small, region.shape[1::-1], dst=region, interpolation=how)


def _blend(region: Image, crop: Image, mask: Mask) -> None:
    """``region`` = crop where mask is 255, region where it is 0, within 1 of their weighted mean between. In place."""
    share = cv2.merge([mask, mask, mask])
    own = cv2.multiply(region, cv2.bitwise_not(share), scale=1 / 255)
    cv2.add(own, cv2.multiply(crop, share, scale=1 / 255), dst=region)


def _whole_shift(matrix: Matrix) -> tuple[int, int] | None:
    """Frame position of the crop's first pixel, where the matrix is a move by whole pixels; else None."""
    x, y = -matrix[:, 2]
    if not np.array_equal(matrix[:, :2], np.eye(2, dtype=np.float32)) or x != np.round(x) or y != np.round(y):
        return None
    return int(x), int(y)


def _enlarged(crop: Image, mask: Mask, matrix: Matrix, frame: tuple[int, ...]) -> tuple[Image, Mask, int, int]:
    """Crop and mask resampled to the frame's pixels, and where their first pixel lies there."""
    height, width = mask.shape
    back = inverse(matrix)
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float32)
    where = corners @ back[:, :2].T + back[:, 2]
    low, high = where.min(0), where.max(0)
    x1, y1, x2, y2 = clip_box(np.concatenate([low, high + 1]), frame[1], frame[0])
    size = max(1, x2 - x1), max(1, y2 - y1)
    back[:, 2] -= x1, y1
    how = cv2.INTER_CUBIC if scale_of(matrix) < 0.9 else cv2.INTER_LINEAR
    return warped(crop, back, size, how=how), warped(mask, back, size, zero=True), x1, y1
