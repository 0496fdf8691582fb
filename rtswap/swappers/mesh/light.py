"""The target's light on the source's skin.

``out = low(target) + gain * (source - low(source))``: the slow part of the picture (light, skin tone) is the
target's, the features are the source's, made stronger or weaker as the target is lighter or darker there. Because
both low-passes are smooth they are kept on a small grid; what reaches full size is one gain and one offset.

Cheap and fogged lenses raise the picture's *black level* (veiling glare): what is black in the world is grey in it.
Light is counted from that level upwards, or brows from a clear photo would be blacker than anything in a webcam's
picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.vision.resample import resized

Field = NDArray[np.float32]

GAIN_LIMITS = (0.4, 1.6)
"""Beyond these, noise and contrast of a dark photo would glare on a light target, and the reverse."""
MOST_BLACK = 0.6
"""Of the light at a place: the black level is never taken for more."""
GAIN_STEPS = 150
"""Gains are kept in 8 bits, as multiples of 1 / 150: 1.7 at most, and never off by more than one level of 255."""


def normalized_low_passes(first: Field, second: Field, inside: Field, sigma: float) -> tuple[Field, Field]:
    """Gaussians of two pictures (h, w, 3) over ``inside`` (h, w) 0..1 alone, continued for 3 ``sigma`` beyond it.

    One blur of seven planes takes half the time of four.
    """
    share = inside[..., None]
    planes = cv2.merge([first * share, second * share, inside])
    side = 2 * max(1, round(3 * sigma)) + 1
    low = cv2.GaussianBlur(planes, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
    means = np.asarray((low[..., :6] + 1e-4) / (low[..., 6:] + 1e-6), np.float32)
    return means[..., :3], means[..., 3:]


def black_level_of(face: Image) -> float:
    """0..255, the level below which lies a hundredth of a face: pupils, lashes, nostrils are black but for the lens.

    The dark channel of He, Sun and Tang (Single Image Haze Removal, CVPR 2009) in its simplest form.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(face[::2, ::2]), cv2.COLOR_BGR2GRAY)
    counts = np.asarray(cv2.calcHist([grey], [0], None, [256], [0, 256])).ravel()
    below, share = np.cumsum(counts), 0.01 * grey.size
    level = int(np.searchsorted(below, share))
    return float(level + 1 - (below[level] - share) / counts[level])  # between levels: no jumps by whole ones


def relight(
    source: Image, target_low: Field, source_low: Field, *, target_black: float = 0.0, source_black: float = 0.0
) -> None:
    """Put ``source`` (H, W, 3) into the target's light, in place; the low-passes are (h, w, 3) over the same area.

    In 8 bits throughout, four times as fast as in floats. A highlight that saturates after the gain stays one: an
    offset that would have brought it back is small where hues are alike.
    """
    ratio = _above(target_low, target_black) / np.maximum(_above(source_low, source_black), 1.0)
    gain = np.round(np.clip(ratio, *GAIN_LIMITS) * GAIN_STEPS)
    offset = np.round(target_low - (gain / GAIN_STEPS)[..., None] * source_low)
    size = source.shape[1::-1]
    cv2.multiply(source, cv2.merge([_full(gain, size)] * 3), dst=source, scale=1 / GAIN_STEPS)
    cv2.add(source, _full(offset, size), dst=source)
    cv2.subtract(source, _full(-offset, size), dst=source)


def _above(field: Field, black_level: float) -> Field:
    """(h, w) light over all three colours above the black level, at least 1 - ``MOST_BLACK`` of it."""
    light = field[..., 0] + field[..., 1] + field[..., 2]  # seven times as fast as .sum(2)
    return np.asarray(light - np.minimum(np.float32(3 * black_level), np.float32(MOST_BLACK) * light), np.float32)


def _full(field: NDArray[np.floating], size: tuple[int, int]) -> Image:
    """A small field, its negative part left out, at full size in 8 bits."""
    return resized(np.clip(field, 0, 255).astype(np.uint8), size)
