"""Film grain overlays: patterns generated once, shifted from frame to frame."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.compositing.finishes.sharpness import Grain
from rtswap.core.types import Image

SIZES = (0.0, 0.5, 0.7, 0.9)
"""Sigmas in pixels of the blur of white noise: the effect of sensors, compression and enlarging."""
SEEN_FINE = (1.0, 0.656, 0.268, 0.118)
SEEN_COARSE = (0.5, 0.534, 0.512, 0.417)
"""Result of ``grain_of`` for each size at sd 1 (by simulation)."""
STRONGEST = (12.0, 10.0, 6.0, 3.0)
"""Maximum standard deviation in levels of each size: apparent coarse grain may be skin."""
SIDE = 640
SPREAD = 24.0
"""Standard deviation of the patterns, around 128."""
CHROMA = 0.35
"""Share of the noise that differs between the channels."""


class Overlay(NamedTuple):
    """The grain to add."""

    size: int
    """Index into ``SIZES``."""
    spread: float
    """Standard deviation in levels."""


def overlay_for(missing: Grain) -> Overlay:
    """The grain that would measure as ``missing``: size from the ratio of coarse to fine, strength mostly from the
    coarse part, which depends less on size."""
    ratios = np.log(np.array(SEEN_COARSE) / np.array(SEEN_FINE))
    ratio = np.log(max(missing.coarse, 0.05) / max(missing.fine, 0.05))
    size = int(np.argmin(np.abs(ratios - ratio)))
    seen = SEEN_FINE[size] * missing.fine + SEEN_COARSE[size] * missing.coarse
    return Overlay(size, min(seen / (SEEN_FINE[size] ** 2 + SEEN_COARSE[size] ** 2), STRONGEST[size]))


def lay_over(picture: Image, overlay: Overlay, where: tuple[int, int]) -> None:
    """Add grain in place. ``where``: x, y in the pattern, any integers."""
    height, width = picture.shape[:2]
    noise = pattern(overlay.size)
    if height > SIDE or width > SIDE:
        repeats = -(-height // SIDE) + 1, -(-width // SIDE) + 1, 1
        noise = np.tile(noise, repeats)
    x, y = where[0] % (noise.shape[1] - width + 1), where[1] % (noise.shape[0] - height + 1)
    share = overlay.spread / SPREAD
    cv2.addWeighted(picture, 1.0, noise[y : y + height, x : x + width], share, -128.0 * share, dst=picture)


@cache
def pattern(size: int) -> Image:
    """Noise (SIDE, SIDE, 3) of one size; deterministic."""
    rng = np.random.default_rng(1996 + size)
    grey = rng.standard_normal((SIDE, SIDE, 1), np.float32)
    noise = np.sqrt(1 - CHROMA**2) * grey + CHROMA * rng.standard_normal((SIDE, SIDE, 3), np.float32)
    noise = np.asarray(noise, np.float32)
    if SIZES[size]:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), SIZES[size]), np.float32)
    return np.asarray((noise * (SPREAD / noise.std()) + 128.5).clip(0, 255), np.uint8)
