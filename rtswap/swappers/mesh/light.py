"""Put the target's light on the source's skin.

``out = low(target) + gain * (source - low(source))``: low frequencies (light, skin tone) come from the target,
features from the source, with a gain that follows the target's lightness. Both low-passes are smooth, so they are
computed on a small grid; only one gain and one offset are enlarged to full size.

Cheap and fogged lenses raise the *black level* of the frame (veiling glare): what is black in the world is grey in
the frame. Light is measured above that level; otherwise brows from a clear photo would be blacker than anything in a
webcam's frame.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.vision.resample import resized

Field = NDArray[np.float32]

GAIN_LIMITS = (0.4, 1.6)
"""Limits of the gain: beyond them the noise and contrast of a dark photo would glare on a light target, and the
reverse."""
MOST_BLACK = 0.6
"""Upper bound on the black level, as a share of the light at a place."""
GAIN_STEPS = 150
"""Gains are stored in 8 bits as multiples of 1 / 150: at most 1.7, with an error of at most one level of 255."""


def normalized_low_passes(first: Field, second: Field, inside: Field, sigma: float) -> tuple[Field, Field]:
    """Gaussians of two images (h, w, 3) normalised over ``inside`` (h, w) 0..1, continued for 3 ``sigma`` beyond it.

    One blur of seven planes takes half the time of four.
    """
    share = inside[..., None]
    planes = cv2.merge([first * share, second * share, inside])
    side = 2 * max(1, round(3 * sigma)) + 1
    low = cv2.GaussianBlur(planes, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
    means = np.asarray((low[..., :6] + 1e-4) / (low[..., 6:] + 1e-6), np.float32)
    return means[..., :3], means[..., 3:]


def black_level_of(face: Image) -> float:
    """The level 0..255 below which a hundredth of a face lies: pupils, lashes and nostrils are black except for lens
    glare.

    The dark channel of He, Sun and Tang (Single Image Haze Removal, CVPR 2009) in its simplest form.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(face[::2, ::2]), cv2.COLOR_BGR2GRAY)
    counts = np.asarray(cv2.calcHist([grey], [0], None, [256], [0, 256])).ravel()
    below, share = np.cumsum(counts), 0.01 * grey.size
    level = int(np.searchsorted(below, share))
    return float(level + 1 - (below[level] - share) / counts[level])  # interpolated between levels: no jumps


def relight(
    source: Image, target_low: Field, source_low: Field, *, target_black: float = 0.0, source_black: float = 0.0
) -> None:
    """Put ``source`` (H, W, 3) into the target's light, in place; the low-passes are (h, w, 3) over the same area.

    8 bits throughout, four times as fast as floats. A highlight that saturates after the gain stays saturated; where
    hues are alike, the offset that could recover it is small.
    """
    ratio = _above(target_low, target_black) / np.maximum(_above(source_low, source_black), 1.0)
    gain = np.round(np.clip(ratio, *GAIN_LIMITS) * GAIN_STEPS)
    offset = np.round(target_low - (gain / GAIN_STEPS)[..., None] * source_low)
    size = source.shape[1::-1]
    cv2.multiply(source, cv2.merge([_full(gain, size)] * 3), dst=source, scale=1 / GAIN_STEPS)
    cv2.add(source, _full(offset, size), dst=source)
    cv2.subtract(source, _full(-offset, size), dst=source)


def _above(field: Field, black_level: float) -> Field:
    """Light (h, w), summed over the colours, above the black level; at least 1 - ``MOST_BLACK`` of the light."""
    light = field[..., 0] + field[..., 1] + field[..., 2]  # seven times as fast as .sum(2)
    return np.asarray(light - np.minimum(np.float32(3 * black_level), np.float32(MOST_BLACK) * light), np.float32)


def _full(field: NDArray[np.floating], size: tuple[int, int]) -> Image:
    """Enlarge a small field to full size in 8 bits; negative values become 0."""
    return resized(np.clip(field, 0, 255).astype(np.uint8), size)
