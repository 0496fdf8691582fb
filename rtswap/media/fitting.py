"""Fit frames to the size of an output, which its first frame sets."""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.core.errors import OutputError
from rtswap.core.types import Image


class Fitter:
    """Derives an even size from the first frame (H.264's colour planes have half the size) and fits frames into it.

    An odd width or height is rounded up and the last column or row repeated, so that no pixel is lost. A frame of
    another size is scaled to fit, with black bars.
    """

    def __init__(self, first: Image) -> None:
        self._first = first.shape[:2]
        self.height, self.width = (side + side % 2 for side in self._first)

    def fit(self, image: Image, least_scale: float) -> Image:
        """Return the image as (height, width, 3); the same array if it already fits. Raises OutputError rather than
        scale it by less than ``least_scale`` (as ``MarkedImage.least_scale``)."""
        shape = image.shape[:2]
        if shape == (self.height, self.width):
            return image
        if shape == self._first:
            down, right = self.height - shape[0], self.width - shape[1]
            return np.asarray(cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        return self._letterbox(image, least_scale)

    def _letterbox(self, image: Image, least_scale: float) -> Image:
        scale = min(self.height / image.shape[0], self.width / image.shape[1])
        height, width = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
        if scale < least_scale:
            raise OutputError(
                f"a picture of {image.shape[1]}x{image.shape[0]} cannot be scaled to {self.width}x{self.height}",
                got="no mark that would be left",
                do="Start again, or show the badge.",
            )
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        top, left = (self.height - height) // 2, (self.width - width) // 2
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        cv2.resize(image, (width, height), dst=canvas[top : top + height, left : left + width], interpolation=method)
        return canvas
