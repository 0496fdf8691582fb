"""Where a face lies in an aligned picture, and how the picture is cut."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np

from rtswap.core.types import Image, Matrix, Points
from rtswap.vision.geometry import ARCFACE_112, inverse, scale_of, similarity, transform

FFHQ_512: Points = np.array(
    [[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]], np.float32
)
"""Where the five keypoints lie on average in FFHQ's pictures (Karras et al. 2019), made 512 px wide."""

TEMPLATES: Mapping[str, Points] = MappingProxyType(
    {"ffhq": FFHQ_512 / np.float32(512), "arcface": ARCFACE_112 / np.float32(112)}
)
"""Name -> (5, 2) keypoints in a picture of side 1."""


_WEIGHTS = np.array([1, 1, 0, 1, 1], np.float32)
"""Eyes and mouth, as FFHQ's own alignment: a mesh's nose tip lies lower than the templates' does."""


def placement(keypoints: Points, template: str, size: int) -> Matrix:
    """(2, 3) photo -> aligned picture of ``size``: the similarity that best fits eyes and mouth."""
    return similarity(keypoints.astype(np.float64), (TEMPLATES[template] * size).astype(np.float64), _WEIGHTS)


def align(image: Image, matrix: Matrix, size: int) -> Image:
    """(size, size, 3). A large face is first averaged down, so that no pixel is skipped; beyond the photo's edge its
    last pixels go on."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float32)
    seen = transform(inverse(matrix), corners)
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(seen.min(axis=0)).astype(int) - 4, 0, limit - 1)
    high = np.clip(np.ceil(seen.max(axis=0)).astype(int) + 4, low + 1, limit)
    part = image[low[1] : high[1], low[0] : high[0]]
    scale = scale_of(matrix)
    if scale < 1.0:
        width, height = (max(1, round(float(side) * scale)) for side in high - low)
        part = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    # part pixel -> photo pixel, by pixel centres
    step = (high - low) / np.array([part.shape[1], part.shape[0]])
    shift = low + step / 2 - 0.5
    to_photo = np.array([[step[0], 0, shift[0]], [0, step[1], shift[1]], [0, 0, 1]])
    onto = (np.vstack([matrix, [0, 0, 1]]) @ to_photo)[:2]
    made = cv2.warpAffine(part, onto, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(made, np.uint8)
