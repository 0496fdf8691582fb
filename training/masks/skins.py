"""What lies on a face without hiding it: make-up, beards, cast shadows, an open mouth's tongue."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE
from training.masks.layers import Bytes, Floats, fixed

_BEARD = [234, 93, 132, 58, 172, 136, 150, 149, 152, 378, 379, 365, 397, 288, 361, 323, 454, 425, 2, 205]


def decorate(crop: Bytes, points: Floats, bank: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Now and then one or several of them, in place."""
    if rng.random() < 0.12:
        make_up(crop, points, rng)
    if rng.random() < 0.08:
        beard(crop, points, bank, rng)
    if rng.random() < 0.2:
        cast_shadow(crop, points, rng)
    if rng.random() < 0.5:
        tongue(crop, points, rng)


def _tinted(crop: Bytes, mask: Bytes, colour: Floats, share: float, sigma: float) -> None:
    part = cv2.merge([cv2.convertScaleAbs(cv2.GaussianBlur(mask, (0, 0), sigma), alpha=share)] * 3)
    layer = np.empty_like(crop)
    layer[:] = np.clip(colour, 0, 255)
    own = cv2.multiply(crop, cv2.bitwise_not(part), scale=1 / 255)
    cv2.add(own, cv2.multiply(layer, part, scale=1 / 255), dst=crop)


def make_up(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Lips, lids, brows or cheeks in some colour."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    rings = [
        [LIPS_OUTER],
        [LEFT_EYE, RIGHT_EYE],
        [LEFT_BROW, RIGHT_BROW],
        [[50, 101, 205, 187], [280, 330, 425, 411]],
    ]
    for ring in rings[int(rng.integers(len(rings)))]:
        cv2.fillPoly(mask, [fixed(points[ring, :2])], 255, cv2.LINE_AA, 4)
        if rng.random() < 0.4:
            cv2.polylines(mask, [fixed(points[ring, :2])], True, 255, int(rng.integers(1, 5)), cv2.LINE_AA, 4)
    colour = rng.uniform(0, 255, 3) * np.array([0.8, 0.5, 1.0])
    _tinted(crop, mask, colour, float(rng.uniform(0.2, 0.85)), float(rng.uniform(0.6, 2)))


def beard(crop: Bytes, points: Floats, bank: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Dark, grainy cheeks, chin and upper lip, lips left free."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(mask, [fixed(points[_BEARD, :2])], 255, cv2.LINE_AA, 4)
    cv2.fillPoly(mask, [fixed(points[LIPS_OUTER, :2])], 0, cv2.LINE_AA, 4)
    size = crop.shape[0]
    grain = bank[rng.integers(len(bank)), :size, :size, 0] * 60 + 170
    mask = cv2.multiply(mask, np.clip(grain, 0, 255).astype(np.uint8), scale=1 / 255)
    _tinted(crop, np.asarray(mask, np.uint8), rng.uniform(10, 90, 3), float(rng.uniform(0.3, 0.95)), 0.8)


def cast_shadow(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """A hard or soft shadow of something that is not in the picture."""
    size = crop.shape[0]
    mask = np.zeros(crop.shape[:2], np.uint8)
    if rng.random() < 0.5:
        at, angle = points[rng.integers(468), :2], rng.uniform(0, 2 * np.pi)
        along, across = (np.array([np.cos(angle + t), np.sin(angle + t)]) * 2 * size for t in (0, np.pi / 2))
        corners = np.stack([at - along, at + along, at + along + across, at - along + across])
        cv2.fillConvexPoly(mask, fixed(corners), 255, cv2.LINE_AA, 4)
    else:
        for _ in range(int(rng.integers(1, 5))):
            corners = points[rng.integers(468), :2] + rng.normal(0, 0.2 * size, (4, 2))
            cv2.fillConvexPoly(mask, cv2.convexHull(fixed(corners)), 255, cv2.LINE_AA, 4)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.6, 6))), np.uint8)
    depth = rng.uniform(0.25, 0.8)
    light = cv2.LUT(mask, (255 - depth * np.arange(256)).astype(np.uint8))
    cv2.multiply(crop, cv2.merge([light] * 3), dst=crop, scale=1 / 255)


def tongue(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """Something pink in a mouth that is open wide enough."""
    open_by = float(np.linalg.norm(points[13, :2] - points[14, :2]))
    if open_by < 5:
        return
    mask = np.zeros(crop.shape[:2], np.uint8)
    lower = points[17 if rng.random() < 0.2 else 14, :2]
    axes = fixed(
        np.array([rng.uniform(0.15, 0.35) * np.linalg.norm(points[78, :2] - points[308, :2]), 0.5 * open_by])
    )
    cv2.ellipse(
        mask, fixed(lower - np.array([0, 0.3 * open_by])).tolist(), axes.tolist(), 0, 0, 360, 255, -1, cv2.LINE_AA, 4
    )
    inner = np.zeros_like(mask)
    cv2.fillPoly(inner, [fixed(points[LIPS_INNER, :2])], 255, cv2.LINE_AA, 4)
    _tinted(
        crop, np.asarray(cv2.min(mask, inner), np.uint8), np.array([100, 90, 170]) * rng.uniform(0.5, 1.4), 0.8, 0.8
    )
