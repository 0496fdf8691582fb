"""Shadows with a pattern, as of blinds, railings, a window's bars and leaves: strips of a face are many times as
bright as those between them, and the pattern goes on over all that is beside it."""

from __future__ import annotations

import cv2
import numpy as np

from training.arrays import Floats

WIDTH_PX = (4.0, 45.0)
"""Of the strips, and of the patches of light between leaves."""
SHADE = (0.08, 0.65)
"""Light in the shadow, of that beside it."""
SOFTEST = 0.3
"""Widest soft edge, in widths of a strip."""


def shadows(height: int, width: int, rng: np.random.Generator) -> Floats:
    """Factors of the light (height, width), 1 where none of it is kept away."""
    step = float(np.exp(rng.uniform(*np.log(WIDTH_PX))))
    kind = rng.random()
    if kind < 0.3:
        lit = _patches(height, width, step, rng)
    else:
        angle = float(
            rng.uniform(0, np.pi) if rng.random() < 0.5 else rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1)
        )
        lit = _strips(height, width, step, angle, rng)
        if kind > 0.85:
            lit = np.minimum(lit, _strips(height, width, 2 * step, angle + np.pi / 2, rng))
    soft = step * float(rng.uniform(0, SOFTEST))
    if soft > 0.3:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), soft), np.float32)
    shade = np.float32(np.exp(rng.uniform(*np.log(SHADE))))
    return shade + (1 - shade) * lit


def _strips(height: int, width: int, step: float, angle: float, rng: np.random.Generator) -> Floats:
    """1 in strips ``step`` wide, and 0 in gaps that are about as wide; antialiased, (height, width)."""
    share, start = float(rng.uniform(0.3, 0.7)), float(rng.uniform(0, 1))
    across = np.cos(angle) * np.arange(width, dtype=np.float32) / (2 * step) + np.float32(start)
    down = np.sin(angle) * np.arange(height, dtype=np.float32)[:, None] / (2 * step)
    place = np.abs((across + down) % 1 - 0.5) * 2
    return np.clip((np.float32(share) - place) * np.float32(step) + 0.5, 0, 1).astype(np.float32)


def _patches(height: int, width: int, step: float, rng: np.random.Generator) -> Floats:
    """1 in patches about ``step`` wide, 0 between them, (height, width)."""
    grid = rng.random((max(int(height / step), 2), max(int(width / step), 2))).astype(np.float32)
    field = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip((field - np.float32(rng.uniform(0.35, 0.65))) * np.float32(step) + 0.5, 0, 1).astype(np.float32)
