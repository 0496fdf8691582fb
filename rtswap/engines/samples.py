"""Sample inputs for comparing engines: faces of the built-in personas, in the network's input size.

On all-zero inputs every precision looks correct.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from rtswap.core.types import Image, Tensor
from rtswap.vision.talking_head import persona

_PEOPLE = ("ada", "ben", "carl", "dan")
_FACE = slice(60, 460)
"""Rows and columns of the face in a portrait, in pixels."""
_EYES = 22
"""Row above the eyes, in hundredths of the face."""


def fill_with_faces(sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs with all-zero arrays replaced by test data; other arrays are unchanged.

    uint8 (N, H, W, 3) becomes faces, or, if it is twice as wide as high, strips around their eyes, with glasses;
    uint8 (N, H, W) a filled oval mask, float32 Gaussian noise of variance 1.
    """
    return {name: value if value.any() else _fill(value) for name, value in sample.items()}


def _fill(like: Tensor) -> Tensor:
    if like.dtype == np.uint8 and like.ndim == 4 and like.shape[3] == 3:
        count, height, width = like.shape[:3]
        view = _eyes if width == 2 * height else _face
        return np.stack([view(index, width, height) for index in range(count)])
    if like.dtype == np.uint8 and like.ndim == 3:
        height, width = like.shape[1:]
        oval = np.zeros((height, width), np.uint8)
        cv2.ellipse(oval, ((width / 2, height / 2), (0.7 * width, 0.9 * height), 0.0), 255.0, -1)
        return np.repeat(oval[None], like.shape[0], axis=0)
    if like.dtype.kind == "f":
        return np.asarray(np.random.default_rng(1).normal(size=like.shape)).astype(like.dtype)
    return like


def _face(index: int, width: int, height: int) -> Image:
    """Return the face of persona ``index`` % 4; every second group of four is mirrored."""
    portrait = persona(_PEOPLE[index % len(_PEOPLE)])[_FACE, _FACE]
    if index // len(_PEOPLE) % 2:
        portrait = portrait[:, ::-1]
    return np.asarray(cv2.resize(portrait, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _eyes(index: int, width: int, height: int) -> Image:
    """The strip around the eyes of that face, behind round glasses: without any, a network that finds glasses gives
    zeros in every precision."""
    strip = np.ascontiguousarray(_face(index, width, width)[_EYES * width // 100 :][:height])
    middle, radius = round(0.42 * height), round(0.12 * width)
    for x in (0.34, 0.66):
        cv2.circle(strip, (round(x * width), middle), radius, (25, 25, 30), 2, cv2.LINE_AA)
    ends = (round(0.46 * width), middle), (round(0.54 * width), middle)
    cv2.line(strip, *ends, (25, 25, 30), 2, cv2.LINE_AA)
    return strip
