"""The target's light on the source's skin.

``out = low(target) + gain * (source - low(source))``: the slow part of the picture (light, skin tone) is the
target's, the features are the source's, made stronger or weaker as the target is lighter or darker there. Because
both low-passes are smooth they are kept on a small grid; what reaches full size is one gain and one offset.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.sampling import blurred, resized
from rtswap.types import Image

Field = NDArray[np.float32]

GAIN_LIMITS = (0.4, 1.6)
"""Beyond these, noise and contrast of a dark photo would glare on a light target, and the reverse."""


def normalized_low_pass(picture: Field, inside: Field, sigma: float) -> Field:
    """Gaussian of ``picture`` (h, w, 3) over ``inside`` (h, w) 0..1 alone, continued beyond it."""
    weight = blurred(inside, sigma)[..., None]
    low = blurred(picture * inside[..., None], sigma)
    return (low + 1e-4) / (weight + 1e-6)


def relight(source: Image, target_low: Field, source_low: Field) -> Image:
    """``source`` (H, W, 3) in the target's light; the low-passes are (h, w, 3) on a small grid over the same area."""
    ratio = target_low.sum(2) / np.maximum(source_low.sum(2), 1.0)
    gain = np.clip(ratio, *GAIN_LIMITS).astype(np.float32)
    offset = target_low - gain[..., None] * source_low
    size = source.shape[1::-1]
    full_gain = resized(cv2.merge([gain, gain, gain]), size)
    lit = cv2.multiply(source, full_gain, dtype=cv2.CV_32F)
    return np.asarray(cv2.add(lit, resized(offset, size), dtype=cv2.CV_8U), np.uint8)
