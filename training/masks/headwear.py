"""Hats, caps, hoods and scarves: what is on the head and reaches over the face's outline."""

from __future__ import annotations

import cv2
import numpy as np

from rtswap.vision.topology import OVAL
from training.arrays import Bytes, Floats
from training.masks.layers import Layer, curve, fixed, line, shade_with

_CROWN = np.array([10, 338, 297, 332, 284, 54, 103, 67, 109])
"""Points of the face's outline above the brows."""


def scarf(size: int, points: Floats, scrap: Bytes, rng: np.random.Generator) -> Layer:
    """Cloth around the face, as a headscarf or a hood: folds run along its opening, which lies by the hairline, the
    cheeks and the chin, or cuts into them."""
    oval = points[OVAL, :2]
    middle, down = oval.mean(0), points[152, :2] - points[10, :2]
    turn = np.arctan2(*(oval - middle).T[::-1])
    wobble = rng.normal(0, 0.06) * np.cos(turn - rng.uniform(0, 6)) + rng.normal(0, 0.03) * np.cos(2 * turn)
    scale = (rng.uniform(0.78, 1.04) + wobble)[:, None]
    opening = middle + (oval - middle) * scale
    crown = np.isin(OVAL, _CROWN)
    opening[crown] += down * rng.uniform(-0.12, 0.16)
    outer = middle + (opening - middle) * rng.uniform(1.25, 2.2) - down * rng.uniform(0, 0.15)
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), int(rng.integers(150, 220)), np.uint8)
    cv2.fillPoly(alpha, [fixed(outer)], 255, cv2.LINE_AA, 4)
    if rng.random() < 0.7:  # it goes on over the neck
        low = np.stack([opening[~crown].min(0), opening[~crown].max(0)])
        trunk = np.array(
            [[low[0, 0], middle[1]], [low[1, 0], middle[1]], [size * 1.2, 2 * size], [-0.2 * size, 2 * size]]
        )
        cv2.fillPoly(alpha, [fixed(trunk)], 255, cv2.LINE_AA, 4)
    cv2.fillPoly(alpha, [fixed(cv2.convexHull(opening.astype(np.float32))[:, 0])], 0, cv2.LINE_AA, 4)
    for share in rng.uniform(0, 1, int(rng.integers(4, 14))):
        fold = opening + (outer - opening) * share + rng.normal(0, 0.01, 2) * size
        tone, width = int(rng.integers(70, 255)), int(rng.integers(1, 5))
        cv2.polylines(
            shade, [fixed(np.roll(fold, int(rng.integers(36)), 0)[:24])], False, tone, width, cv2.LINE_AA, 4
        )
    return Layer(_cloth(shade, scrap, rng), alpha)


def hat(size: int, points: Floats, scrap: Bytes, rng: np.random.Generator) -> Layer:
    """A cap, a hat or a headband: all above a bow across the forehead, with or without a brim."""
    top, brows = points[10, :2], points[9, :2]
    left, right = points[127, :2], points[356, :2]
    across, down = right - left, brows - top
    level = top + down * rng.uniform(-0.15, 0.85)
    tilt = rng.normal(0, 0.12) * down
    start = left - 0.35 * across + (level - (left + right) / 2) - tilt
    end = right + 0.35 * across + (level - (left + right) / 2) + tilt
    bow = (start + end) / 2 + down * rng.uniform(-0.9, 0.5)
    rim = curve(start, bow, end, 12)
    height = down * rng.uniform(0.5, 5.0)
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), int(rng.integers(150, 220)), np.uint8)
    cv2.fillPoly(alpha, [fixed(np.concatenate([rim, (rim - height)[::-1]]))], 255, cv2.LINE_AA, 4)
    for share in np.linspace(0, 1, int(rng.integers(0, 30))):  # knitted, or folds
        foot = rim[0] + (rim[-1] - rim[0]) * share
        line(shade, foot + 0.5 * down, foot - height, int(rng.integers(90, 250)), float(rng.uniform(1, 4)))
    if rng.random() < 0.5:
        band = down * rng.uniform(0.1, 0.5)
        cv2.fillPoly(
            shade, [fixed(np.concatenate([rim, (rim - band)[::-1]]))], int(rng.integers(20, 255)), cv2.LINE_AA, 4
        )
    return Layer(_cloth(shade, scrap, rng), alpha)


def _cloth(shade: Bytes, scrap: Bytes, rng: np.random.Generator) -> Bytes:
    """Of one colour, dark, pale, of skin's tone or bright, or with a pattern."""
    kind = rng.random()
    tone = (
        rng.uniform(5, 60, 3) if kind < 0.3
        else rng.uniform(170, 255) * rng.uniform(0.85, 1, 3) if kind < 0.5
        else rng.uniform(60, 230) * np.array([0.55, 0.75, 1.0]) * rng.uniform(0.85, 1.15, 3) if kind < 0.75
        else rng.uniform(5, 250, 3)
    )  # fmt: skip
    soft = np.asarray(cv2.GaussianBlur(shade, (0, 0), float(rng.uniform(0.5, 2.5))), np.uint8)
    return shade_with(soft, tone, scrap if rng.random() < 0.45 else None, rng)
