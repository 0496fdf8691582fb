"""Pictures and matrices for the tests of the canvases."""

from __future__ import annotations

import math

import numpy as np

from rtswap.core.types import Image, Matrix

W, H = 97, 61


def noise(seed: int, width: int = W, height: int = H) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def matrix_of(scale: float, turn: float, x: float, y: float) -> Matrix:
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    return np.array([[c, -s, x], [s, c, y]], np.float32)
