"""The reduced picture in which the second detector looks, whether it shows another scene, and whether it is clear."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.networks.heads import SIDE

AREA = 62_000
"""Pixels of the reduced picture: 320 x 192 of 16:9, 288 x 224 of 4:3."""
ANOTHER_SCENE = 0.6
"""Mean difference of two pictures' blocks, each of mean 0 and deviation 1, that only a cut reaches. Two scenes that
have nothing in common differ by 1.13."""
LEAST_CONTRAST = 2.0
"""Standard deviation in levels below which a picture is too dark or too flat to show that nobody is there."""
MOST_NOISE = 0.8
"""Noise over contrast above which it is too noisy."""
Floats = NDArray[np.float32]


def reduced(image: Image, area: int = AREA) -> Image:
    """``image`` with about ``area`` pixels, never enlarged by more than its sides are rounded to multiples of 32."""
    height, width = image.shape[:2]
    scale = min(1.0, math.sqrt(area / (width * height)))
    wide, tall = (max(SIDE, SIDE * round(length * scale / SIDE)) for length in (width, height))
    if width >= 2 * wide and height >= 3.5 * tall:  # every other row is enough, and quick
        image = np.asarray(cv2.resize(image[::2], (width // 2, height // 4), interpolation=cv2.INTER_AREA))
    while image.shape[1] >= 2 * wide and image.shape[0] >= 2 * tall:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(cv2.resize(image, (wide, tall), interpolation=cv2.INTER_LINEAR))


def is_another_scene(before: Floats, after: Floats) -> bool:
    """Whether blocks of two frames are of different scenes, whatever their light."""
    if before.shape != after.shape:
        return True
    first, second = ((blocks - blocks.mean()) / (blocks.std() + 1) for blocks in (before, after))
    return float(np.abs(first - second).mean()) > ANOTHER_SCENE


def is_clear(gray: Image) -> bool:
    """Whether a picture has light enough, and little enough noise, to show somebody. Noise: Immerkaer, "Fast noise
    variance estimation", 1996."""
    contrast = float(gray.std())
    if contrast < LEAST_CONTRAST:
        return False
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = cv2.norm(cv2.filter2D(gray, cv2.CV_16S, kernel), cv2.NORM_L1) / gray.size
    noise = rough * math.sqrt(math.pi / 2) / 6
    return noise < MOST_NOISE * contrast
