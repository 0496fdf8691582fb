"""The second detector as it watches a stream: the reduced picture, heads in it, cuts, and whether it can be sure."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Head, Image, Sighting
from rtswap.networks.heads import SIDE, HeadModel
from rtswap.tracking.cascade import halved

AREA = 62_000
"""Pixels of the reduced picture: 320 x 192 of 16:9, 288 x 224 of 4:3."""
PHOTO_AREA = 4 * AREA
"""For single pictures, in which time does not count."""
FAINT = 0.4
"""Score from which a head is told."""
CERTAIN = 0.6
"""Score of a head that shows that a picture is clear."""
THUMB = (32, 18)
ANOTHER_SCENE = 0.6
"""Mean difference of two pictures' thumbnails, each of mean 0 and deviation 1, that only a cut reaches. Two scenes
that have nothing in common differ by 1.13."""
LEAST_CONTRAST = 2.0
"""Standard deviation in levels below which a picture is too dark or too flat to show that nobody is there."""
MOST_NOISE = 0.8
"""Noise over contrast above which it is too noisy."""
Floats = NDArray[np.float32]


class Sentinel:
    """Implements ``protocols.Lookout``. ``area``: pixels of the reduced picture. One per stream; not thread-safe."""

    def __init__(self, model: HeadModel, *, area: int = AREA) -> None:
        self._model, self._area = model, area
        self._thumb: Floats | None = None

    def reset(self) -> None:
        """See ``protocols.Lookout``."""
        self._thumb = None

    def look(self, image: Image) -> Sighting:
        """See ``protocols.Lookout``."""
        picture = reduced(image, self._area)
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        cut = self._is_cut(gray)
        scale = np.tile(np.divide(image.shape[1::-1], picture.shape[1::-1]), 2).astype(np.float32)
        found = self._model.find(picture, FAINT)
        heads = tuple(Head(row[:4] * scale, float(row[4])) for row in found)
        return Sighting(heads, cut, sure=any(head.score >= CERTAIN for head in heads) or is_clear(gray))

    def _is_cut(self, gray: Image) -> bool:
        thumb = cv2.resize(gray, THUMB, interpolation=cv2.INTER_AREA).astype(np.float32)
        thumb = (thumb - thumb.mean()) / (thumb.std() + 1)
        before, self._thumb = self._thumb, thumb
        return before is not None and float(np.abs(thumb - before).mean()) > ANOTHER_SCENE


def reduced(image: Image, area: int = AREA) -> Image:
    """``image`` with about ``area`` pixels, never enlarged by more than its sides are rounded to multiples of 32."""
    height, width = image.shape[:2]
    scale = min(1.0, math.sqrt(area / (width * height)))
    size = max(SIDE, SIDE * round(width * scale / SIDE)), max(SIDE, SIDE * round(height * scale / SIDE))
    small = halved(image, size[0])[-1] if height > size[1] else image
    return np.ascontiguousarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))


def is_clear(gray: Image) -> bool:
    """Whether a picture has light enough, and little enough noise, to show somebody. One grey value is clear: nobody
    can be in it. Noise: Immerkaer, "Fast noise variance estimation", 1996."""
    contrast = float(gray.std())
    if contrast < LEAST_CONTRAST:
        return int(np.ptp(gray)) <= 1
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = cv2.norm(cv2.filter2D(gray, cv2.CV_16S, kernel), cv2.NORM_L1) / gray.size
    noise = rough * math.sqrt(math.pi / 2) / 6
    return noise < MOST_NOISE * contrast
