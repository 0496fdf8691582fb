"""Shadows that things cast on a face: leaves, blinds, a hat's brim, locks of hair, half of a window."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from rtswap.swappers.mesh.uv_chart import COARSE
from training.arrays import Floats

SOFT = 0.4, 7.0
"""Sigma in texels of a shadow's edge."""


def random_pattern(rng: np.random.Generator) -> Floats:
    """(128, 128) 0..1: 1 where the lamp is seen."""
    kind = KINDS[int(rng.choice(len(KINDS), p=SHARES))]
    hidden = kind(rng)
    sigma = float(np.exp(rng.uniform(*np.log(SOFT))))
    if rng.random() < 0.3:  # the farther from what casts it the softer
        blurry = cv2.GaussianBlur(hidden, (0, 0), 3 * sigma)
        along = np.linspace(0, 1, COARSE, dtype=np.float32)
        along = along[:, None] if rng.random() < 0.5 else along[None]
        hidden = hidden + along * (blurry - hidden)
    return np.asarray(1 - cv2.GaussianBlur(np.asarray(hidden, np.float32), (0, 0), sigma), np.float32)


def _leaves(rng: np.random.Generator) -> Floats:
    """Noise of one size, above a level."""
    sigma = float(np.exp(rng.uniform(np.log(2.5), np.log(14))))
    noise = cv2.GaussianBlur(rng.standard_normal((COARSE, COARSE)).astype(np.float32), (0, 0), sigma)
    return np.asarray(noise > np.quantile(noise, rng.uniform(0.15, 0.85)), np.float32)


def _half(rng: np.random.Generator) -> Floats:
    """What lies beyond a bent line."""
    rows, columns = np.mgrid[:COARSE, :COARSE] / COARSE - 0.5
    angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.8)
    along, across = (
        columns * np.cos(angle) + rows * np.sin(angle),
        rows * np.cos(angle) - columns * np.sin(angle),
    )
    return np.asarray(across > rng.uniform(-0.35, 0.35) + bend * along**2, np.float32)


def _stripes(rng: np.random.Generator) -> Floats:
    rows, columns = np.mgrid[:COARSE, :COARSE].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(6), np.log(40)))
    phase = (columns * np.cos(angle) + rows * np.sin(angle)) / period + rng.random()
    return np.asarray(phase % 1 < rng.uniform(0.25, 0.75), np.float32)


def _strands(rng: np.random.Generator) -> Floats:
    """Curved lines, as of hair or of the frame of glasses."""
    hidden = np.zeros((COARSE, COARSE), np.uint8)
    start, heading = rng.uniform(0, COARSE, 2), rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(1, 9))):
        turns = heading + rng.normal(0, 0.15) + np.cumsum(rng.normal(0, 0.2, 14))
        steps = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1) * rng.uniform(4, 11), axis=0)
        line = np.round(16 * (start + rng.normal(0, 9, 2) + steps)).astype(np.int32)
        cv2.polylines(hidden, [line], False, 255, int(rng.integers(1, 6)), cv2.LINE_AA, 4)
    return np.asarray(hidden / 255, np.float32)


def _blob(rng: np.random.Generator) -> Floats:
    """A hand, a hat's brim: a few large corners."""
    hidden = np.zeros((COARSE, COARSE), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        count = int(rng.integers(4, 12))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        reach = COARSE * rng.uniform(0.08, 0.45) * rng.uniform(0.6, 1.4, count)
        shape = rng.uniform(0, COARSE, 2) + reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
        cv2.fillPoly(hidden, [np.round(16 * shape).astype(np.int32)], 255, cv2.LINE_AA, 4)
    found = np.asarray(hidden / 255, np.float32)
    return 1 - found if rng.random() < 0.25 else found


KINDS: tuple[Callable[[np.random.Generator], Floats], ...] = (_leaves, _half, _stripes, _strands, _blob)
SHARES = 0.3, 0.2, 0.1, 0.2, 0.2
