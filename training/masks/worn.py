"""Who wears glasses in the pictures, found by looking at all of them: nobody should be taught that these are skin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.vision.topology import LEFT_EYE, RIGHT_EYE
from training.masks.layers import Bytes, Floats, fixed

NONE, CLEAR, DARK = 0, 1, 2
LENS = 1.25
"""Of the eye's ring: what a dark lens hides for certain."""


def worn_by(names: Iterable[str]) -> NDArray[np.uint8]:
    """NONE, CLEAR or DARK for each picture's file name."""
    lines = Path(__file__).with_name("glasses.txt").read_text("utf-8").splitlines()
    kinds = dict(line.split() for line in lines if line and not line.startswith("#"))
    codes = {"clear": CLEAR, "dark": DARK}
    return np.array([codes.get(kinds.get(name, ""), NONE) for name in names], np.uint8)


def dark_lenses(size: int, points: Floats) -> Bytes:
    """(S, S) 255 where dark glasses hide the face for certain: over the eyes."""
    mask = np.zeros((size, size), np.uint8)
    for ring in (LEFT_EYE, RIGHT_EYE):
        eye = points[ring, :2]
        middle = eye.mean(0)
        wide = middle + LENS * np.array([1.0, 1.3]) * (eye - middle)
        cv2.fillPoly(mask, [cv2.convexHull(fixed(wide))], 255, cv2.LINE_8, 4)
    return mask
