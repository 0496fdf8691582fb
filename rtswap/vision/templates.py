"""Positions of the five keypoints in aligned face images."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from rtswap.core.types import Matrix, Points
from rtswap.vision.geometry import similarity

ARCFACE_112: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)
"""The five keypoints in the 112-pixel crop of ArcFace (Deng et al. 2019); scale by size / 112."""
FFHQ_512: Points = np.array(
    [[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]], np.float32
)
"""Mean positions of the five keypoints in FFHQ (Karras et al. 2019), scaled to 512 px."""

TEMPLATES: Mapping[str, Points] = MappingProxyType(
    {"ffhq": FFHQ_512 / np.float32(512), "arcface": ARCFACE_112 / np.float32(112)}
)
"""Name -> (5, 2) keypoints in an image of side 1."""
_WEIGHTS = np.array([1, 1, 0, 1, 1], np.float32)
"""Eyes and mouth, as in FFHQ's own alignment: a mesh's nose tip is lower than the templates'."""


def placement(keypoints: Points, template: str, size: int) -> Matrix:
    """Similarity (2, 3) photo -> aligned image of ``size`` that best fits eyes and mouth."""
    return similarity(keypoints.astype(np.float64), (TEMPLATES[template] * size).astype(np.float64), _WEIGHTS)
