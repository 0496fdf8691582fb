"""Match the contrast of the skin's texture to the target's, octave by octave.

Webcams and video calls smooth skin and keep edges. On such a picture the pores and folds of a sharp photo look
etched, however well the edges match. The sizes of each octave's details are mapped to the target's by their
distributions, as in Heeger and Bergen (Pyramid-Based Texture Analysis/Synthesis, SIGGRAPH 1995). Texture is only ever
reduced: a lack of it may be the person's own smooth skin, and ``detail`` sharpens.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.openings import clamp_points, hull_of
from rtswap.compositing.finishes.sharpness import Plane
from rtswap.core.types import Mask, Points
from rtswap.vision.raster import fill
from rtswap.vision.resample import Picture, resized
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, NOSE_BASE, RIGHT_BROW, RIGHT_EYE

FOLLOWED = 0.9, 0.8, 0.7
"""Share of the way to the target's texture, in logarithms, at full, half and quarter size: what is broader belongs
more to the person."""
SHARES = 0.25, 0.5, 0.7, 0.85
"""Quantiles of the sizes that are compared: what is larger may be edges."""
HELD, FREE = 2.0, 5.0
"""Multiples of the last quantile up to which its correction holds, and from which details stay as they are: edges of
lips and nostrils."""
LEAST = 0.05
"""Levels: smaller sizes come from rounding."""
NEEDLESS = 0.95
"""Share of the sizes above which an octave stays as it is."""
FEWEST = 400, 60
"""Minimum number of pixels to measure, at full size and at others."""
BINS = 8
"""Bins per level when sizes are counted, so that those up to 32 levels are told apart."""
FEATURES = (
    (LEFT_EYE, 1.7),
    (RIGHT_EYE, 1.7),
    (LEFT_BROW, 1.35),
    (RIGHT_BROW, 1.35),
    (LIPS_OUTER, 1.3),
    (NOSE_BASE, 1.4),
)
"""What is no skin, and how far around it nothing is measured, as a multiple of its own size."""
ZERO, PER_LEVEL = 128, 2.0
"""Details in 8 bits: the value of none, and steps per level."""
BLOCK = 1 << len(FOLLOWED)
"""Sides of pictures are multiples of it."""
Tables = NDArray[np.uint8]
"""(octaves, 256): detail -> what is added to it, both in 8 bits."""


def skin_only(mask: Mask, landmarks: Points) -> Mask:
    """A copy of ``mask`` (H, W), 0 on and around eyes, brows, lips and nostrils."""
    skin = mask.copy()
    for feature, reach in FEATURES:
        ring = hull_of(clamp_points(landmarks[feature]))
        middle = ring.mean(0)
        fill(skin, [middle + reach * (ring - middle)], 0, smooth=False)
    return skin


def texture_of(plane: Plane, skin: Mask) -> NDArray[np.float32] | None:
    """Logarithms of the sizes of details (octaves * quantiles,), in levels; None if too little skin is visible.
    Octaves of which hardly any skin is left repeat the one before."""
    found: list[NDArray[np.float32]] = []
    for _ in FOLLOWED:
        height, width = (side // 2 * 2 for side in plane.shape)
        plane, skin = plane[:height, :width], skin[:height, :width]
        usable = np.asarray(cv2.inRange(skin, 250, 255), np.uint8)
        if cv2.countNonZero(usable) >= FEWEST[min(1, len(found))]:
            low = resized(plane, (width // 2, height // 2), cv2.INTER_AREA)
            found.append(np.log(np.maximum(_quantiles(plane - resized(low, (width, height)), usable), LEAST)))
            plane, skin = low, np.ascontiguousarray(skin[::2, ::2])
        elif found:
            found.append(found[-1])
        else:
            return None
    return np.concatenate(found)


def _quantiles(details: Plane, usable: Mask) -> NDArray[np.float32]:
    """The ``SHARES`` of the absolute values of ``details``, in levels, where ``usable`` is not 0. By a histogram with
    ``BINS`` bins a level: ten times as fast as sorting."""
    counts = np.asarray(
        cv2.calcHist([cv2.convertScaleAbs(details, alpha=BINS)], [0], usable, [256], [0, 256])
    ).ravel()
    reached = np.cumsum(counts) / counts.sum()
    return np.interp(SHARES, reached, (np.arange(256) + 0.5) / BINS).astype(np.float32)


def tables_for(theirs: NDArray[np.float32], ours: NDArray[np.float32]) -> Tables | None:
    """Tables that bring our texture to theirs, both from ``texture_of``; None if none is needed."""
    shape = len(FOLLOWED), len(SHARES)
    excess = np.minimum(theirs - ours, 0).reshape(shape) * np.array(FOLLOWED, np.float32)[:, None]
    shares, sizes = np.exp(excess), np.exp(ours).reshape(shape)
    if shares.min() > NEEDLESS:
        return None
    details = (np.arange(256) - ZERO) / PER_LEVEL
    tables = []
    for share, size in zip(shares, sizes, strict=True):
        at = np.maximum.accumulate([*size, HELD * size[-1], FREE * size[-1]])
        kept = np.interp(np.abs(details), at, [*share, share[-1], 1.0])
        tables.append(np.round(PER_LEVEL * details * (kept - 1)) + ZERO)
    return np.asarray(np.clip(tables, 0, 255), np.uint8)


def smoothed(picture: Picture, tables: Tables) -> Picture:
    """Reduce the texture of ``picture`` (H, W) or (H, W, 3), uint8, sides multiples of ``BLOCK``."""
    change = _change(np.asarray(picture), tables)
    return cast(Picture, cv2.addWeighted(picture, 1.0, change, 1 / PER_LEVEL, -ZERO / PER_LEVEL))


def _change(picture: NDArray[np.uint8], tables: Tables) -> NDArray[np.uint8]:
    """Return what to add to ``picture``, in 8 bits as in ``Tables``."""
    height, width = picture.shape[:2]
    low = resized(picture, (width // 2, height // 2), cv2.INTER_AREA)
    details = cv2.addWeighted(picture, PER_LEVEL, resized(low, (width, height)), -PER_LEVEL, ZERO)
    change = cv2.LUT(details, tables[0])
    if len(tables) > 1:
        broad = resized(_change(low, tables[1:]), (width, height))
        change = cv2.addWeighted(change, 1.0, broad, 1.0, -ZERO)
    return np.asarray(change, np.uint8)
