"""The canvas in host memory: every operation touches only one region of the frame."""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.compositing.canvas.covers import FINER, cover_of
from rtswap.core.types import Box, Image, Mask, Matrix
from rtswap.vision.geometry import clip_box, inverse, scale_of, upright_box
from rtswap.vision.resample import lay_over, resized, warped

AVERAGED = 1.6
"""Frame pixels per crop pixel above which a crop is averaged. Below, sampling skips hardly any pixels and takes 0.9
ms instead of 4.9 for a face of 450 px."""


class HostCanvas:
    """Implements ``protocols.Canvas``. Works in the frame's own memory, which the pipeline owns."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def image(self) -> Image:
        return self._image

    def crop(self, matrix: Matrix, size: tuple[int, int]) -> Image:
        """A crop (height, width, 3) through the matrix, with replicated borders: a view of the frame if it is aligned
        to pixels inside the frame at their own size, otherwise resampled."""
        box = upright_box(matrix, size)
        if box is None:
            return warped(self._image, matrix, size)
        region = self._region(box)
        return region if region.shape[1::-1] == size else resized(region, size, _shrinking(size, region))

    def paste(self, crop: Image, mask: Mask, matrix: Matrix) -> None:
        """Blend ``crop`` back into the region that ``matrix`` describes. Pixels with mask 0 do not change."""
        height, width = mask.shape
        box = upright_box(matrix, (width, height))
        if box is None:
            crop, mask, box = _enlarge(crop, mask, matrix, self._image.shape)
        elif (size := (box[2] - box[0], box[3] - box[1])) != (width, height):
            crop, mask = resized(crop, size), resized(mask, size)
        left, top, wide, high = cv2.boundingRect(mask)
        x1, y1, x2, y2 = clip_box(
            np.array([left, top, left + wide, top + high]) + box[:2] * 2, *self._image.shape[1::-1]
        )
        if x1 >= x2 or y1 >= y2:
            return
        inside = np.s_[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]]
        lay_over(self._image[y1:y2, x1:x2], crop[inside], mask[inside])

    def _region(self, box: tuple[int, int, int, int]) -> Image:
        """The pixels in the box: a view, or a copy with replicated borders if the box leaves the frame."""
        x1, y1, x2, y2 = box
        height, width = self._image.shape[:2]
        if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
            return self._image[y1:y2, x1:x2]
        return warped(self._image, np.array([[1, 0, -x1], [0, 1, -y1]], np.float32), (x2 - x1, y2 - y1))

    def cover(self, box: Box, style: str) -> None:
        """Reduce the box to few cells: faded into the frame for ``blur``, hard-edged for ``pixelate``."""
        cover = cover_of(box, style, self._image.shape[1::-1])
        if cover is None:
            return
        x1, y1, x2, y2 = cover.extent
        region = self._image[y1:y2, x1:x2]
        small = resized(region, cover.cells, cv2.INTER_AREA)
        if style == "pixelate":
            cv2.resize(small, region.shape[1::-1], dst=region, interpolation=cv2.INTER_NEAREST)
            return
        finer = resized(small, (FINER * cover.cells[0], FINER * cover.cells[1]), cv2.INTER_CUBIC)
        smooth = resized(finer, region.shape[1::-1])
        for part in cover.around():
            lay_over(region[part], smooth[part], cover.mask(part))
        left, top, right, bottom = cover.inner
        self._image[top:bottom, left:right] = smooth[top - y1 : bottom - y1, left - x1 : right - x1]


def _shrinking(size: tuple[int, int], region: Image) -> int:
    """Average if the crop is much smaller than its region: sampling would shimmer."""
    return cv2.INTER_AREA if region.shape[1] > AVERAGED * size[0] else cv2.INTER_LINEAR


def _enlarge(
    crop: Image, mask: Mask, matrix: Matrix, frame: tuple[int, ...]
) -> tuple[Image, Mask, tuple[int, int, int, int]]:
    """Crop and mask resampled to the frame's pixels, and the box of these pixels: as far as the mask reaches."""
    left, top, width, height = cv2.boundingRect(mask)
    right, bottom = left + width, top + height
    back = inverse(matrix)
    # linear interpolation spreads the mask by one pixel
    corners = np.array([[left - 1, top - 1], [right, top - 1], [left - 1, bottom], [right, bottom]], np.float32)
    where = corners @ back[:, :2].T + back[:, 2]
    x1, y1, x2, y2 = clip_box(np.concatenate([where.min(0), where.max(0) + 1]), frame[1], frame[0])
    size = max(1, x2 - x1), max(1, y2 - y1)
    back[:, 2] -= x1, y1
    how = cv2.INTER_CUBIC if scale_of(matrix) < 0.9 else cv2.INTER_LINEAR
    return warped(crop, back, size, how=how), warped(mask, back, size, zero=True), (x1, y1, x2, y2)
