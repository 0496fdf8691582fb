"""Positions of the five keypoints in aligned face images."""

from __future__ import annotations

import math
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

SIMSWAP_112: Points = np.array(
    [[39.730, 51.138], [72.270, 51.138], [56.000, 68.493], [42.463, 87.010], [69.537, 87.010]], np.float32
)
"""Those of SimSwap and GHOST for faces seen from the front, in 112 px (Chen et al. 2020)."""
MTCNN_1: Points = np.array(
    [[0.365629, 0.467338], [0.633054, 0.465859], [0.500191, 0.619430], [0.390330, 0.775988], [0.611789, 0.774763]],
    np.float32,
)
"""Those of HifiFace's crop, in an image of side 1."""
DFL_1: Points = np.array(
    [[0.353423, 0.392857], [0.627976, 0.392857], [0.486607, 0.540179], [0.388393, 0.687500], [0.598214, 0.687500]],
    np.float32,
)
"""Those that XSeg models are used with (facefusion), in an image of side 1: a tenth closer than DeepFaceLab's own
"whole face"."""
DFL_MEAN: Points = np.array(
    [[0.2366, 0.2207], [0.7437, 0.2207], [0.4901, 0.5512], [0.2820, 0.7741], [0.6983, 0.7741]], np.float32
)
"""Mean positions of the five keypoints of 2,011 faces whose brows, eyes, nose and mouth corners lie on DeepFaceLab's
mean face, in its square of side 1."""


def dfl_crop(padding: float, above: float = 0.0) -> Points:
    """The keypoints in one of DeepFaceLab's crops, of side 1. Its square is that of the mean face, 1 + sqrt(8) *
    ``padding`` times as wide, and ``above`` of the mean face's side higher. In ``DFL_MEAN``'s five points it deviates
    from DeepFaceLab's 33 by 2 % of its side (standard deviation)."""
    side = 1 + math.sqrt(8) * padding
    middle = np.array([0.5, 0.5 - above], np.float32)
    return ((DFL_MEAN - middle) / np.float32(side) + np.float32(0.5)).astype(np.float32)


TEMPLATES: Mapping[str, Points] = MappingProxyType(
    {
        "ffhq": FFHQ_512 / np.float32(512),
        "arcface": ARCFACE_112 / np.float32(112),
        "arcface-128": (ARCFACE_112 + np.array([8, 0], np.float32)) / np.float32(128),
        "simswap": SIMSWAP_112 / np.float32(112),
        "mtcnn": MTCNN_1,
        "dfl": DFL_1,
        "full": dfl_crop(0.21),
        "whole": dfl_crop(0.4, above=0.07),
        "head": dfl_crop(0.7),
    }
)
"""Name -> (5, 2) keypoints in an image of side 1. ``arcface-128``: ArcFace's in a square of 128 px instead of 112.
``full``, ``whole``, ``head``: DeepFaceLab's types, of which DFM models and facesets are made."""
_WEIGHTS = np.array([1, 1, 0, 1, 1], np.float32)
"""Eyes and mouth, as in FFHQ's own alignment: a mesh's nose tip is lower than the templates'."""


def placement(keypoints: Points, template: str, size: int) -> Matrix:
    """Similarity (2, 3) photo -> aligned image of ``size`` that best fits eyes and mouth."""
    return similarity(keypoints.astype(np.float64), (TEMPLATES[template] * size).astype(np.float64), _WEIGHTS)
