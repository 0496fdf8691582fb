"""Hair and glasses that lie over a face."""

from __future__ import annotations

import cv2
import numpy as np

from training.masks.layers import Bytes, Floats, Layer, fixed, line, shaded

HAIR = np.array(
    [[12, 12, 14], [25, 35, 50], [35, 55, 85], [60, 95, 140], [120, 165, 205], [150, 150, 155], [30, 50, 130]]
)
"""Black, browns, blonds, grey, red (BGR)."""


def hair_colour(own: Floats, rng: np.random.Generator) -> Floats:
    """The person's own, or somebody's, or dyed."""
    kind = rng.random()
    if kind < 0.5:
        return own
    return HAIR[rng.integers(len(HAIR))] if kind < 0.92 else rng.uniform(20, 230, 3)


def strands(size: int, points: Floats, colour: Floats, rng: np.random.Generator) -> Layer:
    """One or more locks from the hairline down over forehead, eyes or cheeks."""
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), 150, np.uint8)
    roots = points[[10, 338, 297, 332, 284, 251, 389, 356, 454, 109, 67, 103, 54, 21, 162, 127, 234], :2]
    face = float(np.linalg.norm(points[10, :2] - points[152, :2]))
    for _ in range(int(rng.integers(1, 5))):
        root = roots[rng.integers(len(roots))] + rng.normal(0, 0.06, 2) * face - np.array([0, 0.05 * face])
        sway = np.array([rng.normal(0, 0.25), rng.uniform(0.15, 0.9)]) * face
        bend = root + 0.5 * sway + rng.normal(0, 0.1, 2) * face
        width = rng.uniform(0.002, 0.07) * face
        share = np.linspace(0, 1, 8)[:, None]
        for _ in range(int(rng.integers(1, 6) + width)):
            start, end = root + rng.normal(0, width, 2), root + sway + rng.normal(0, width * rng.uniform(0.2, 1.5), 2)
            curve = (
                (1 - share) ** 2 * start + 2 * share * (1 - share) * (bend + rng.normal(0, width, 2)) + share**2 * end
            )
            thick = 1 if rng.random() < 0.7 else 2
            cv2.polylines(alpha, [fixed(curve)], False, int(rng.integers(150, 256)), thick, cv2.LINE_AA, 4)
            cv2.polylines(shade, [fixed(curve)], False, int(rng.integers(100, 256)), 1, cv2.LINE_AA, 4)
    return Layer(shaded(shade, colour, None, rng), alpha)


def fringe(size: int, points: Floats, colour: Floats, rng: np.random.Generator) -> Layer:
    """A fringe from above the forehead down to the brows or the eyes, straight or to one side, ragged below."""
    alpha, shade = np.zeros((size, size), np.uint8), np.full((size, size), 170, np.uint8)
    left, right = points[int(rng.choice([127, 21, 103])), :2], points[int(rng.choice([356, 251, 332])), :2]
    top, brows, eyes = points[10, :2], points[9, :2], points[168, :2]
    down = brows - top
    level = rng.uniform(0.3, 1.15) * np.linalg.norm(eyes - top)
    tilt = rng.normal(0, 0.35) if rng.random() < 0.6 else 0.0
    along = right - left
    down_unit = down / max(float(np.linalg.norm(down)), 1e-3)
    for share in np.linspace(-0.15, 1.15, int(rng.integers(20, 45))):
        if rng.random() < 0.04:
            continue
        start = left + along * share - down_unit * 0.35 * np.linalg.norm(along)
        start = start + (top - (left + right) / 2) * (1 - (2 * share - 1) ** 2)
        long = level * (1 + tilt * (2 * share - 1)) * rng.uniform(0.85, 1.1) + 0.35 * np.linalg.norm(along)
        end = start + down_unit * long + along * rng.normal(0, 0.03)
        line(alpha, start, end, int(rng.integers(190, 256)), rng.uniform(3, 8))
        line(shade, start, end, int(rng.integers(110, 240)), 1)
    return Layer(shaded(shade, colour, None, rng), alpha)


def spectacles(size: int, points: Floats, rng: np.random.Generator) -> tuple[Layer, Layer]:
    """Frames, and lenses: clear with a glare (which hides nothing), or dark."""
    frame, lens = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    width = int(rng.choice([1, 1, 2, 2, 3, 4]))
    round_ = rng.random() < 0.5
    growth = rng.uniform(0.75, 1.05), rng.uniform(0.5, 0.85)
    eyes = points[[263, 33], :2]
    angle = float(np.degrees(np.arctan2(*(eyes[0] - eyes[1])[::-1])))
    for inner, outer, ear in ((133, 33, 234), (362, 263, 454)):
        a, b = points[inner, :2], points[outer, :2]
        reach = max(float(np.linalg.norm(a - b)), 3.0)
        centre = (a + b) / 2 + np.array([0, 0.12 * reach])
        axes = reach * np.array(growth)
        if round_:
            outline = cv2.ellipse2Poly((0, 0), (100, 100), 0, 0, 360, 20) / 100 * axes
        else:
            outline = (
                np.array(
                    [[-1, -0.8], [-0.7, -1], [0.7, -1], [1, -0.8], [0.85, 0.7], [0.5, 1], [-0.5, 1], [-0.85, 0.7]]
                )
                * axes
            )
        turn = np.radians(angle)
        outline = outline @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
        cv2.fillPoly(lens, [fixed(outline)], 255, cv2.LINE_AA, 4)
        cv2.polylines(frame, [fixed(outline)], True, 255, width, cv2.LINE_AA, 4)
        line(frame, b + (b - a) * 0.4, points[ear, :2] - np.array([0, 0.3 * reach]), 255, width)
    line(frame, points[133, :2], points[362, :2], 255, width)
    tone = rng.uniform(0, 70, 3) if rng.random() < 0.65 else rng.uniform(40, 230, 3)
    full = np.full((size, size), 200, np.uint8)
    dark = rng.uniform(5, 60, 3) if rng.random() < 0.8 else rng.uniform(60, 250, 3)
    opacity = 0.0 if rng.random() < 0.6 else rng.uniform(0.75, 1.0)
    lenses = np.asarray(cv2.convertScaleAbs(lens, alpha=opacity), np.uint8)
    return Layer(shaded(full, tone, None, rng), frame), Layer(shaded(full, dark, None, rng), lenses)


def glare(crop: Bytes, points: Floats, rng: np.random.Generator) -> None:
    """A bright, half transparent streak over an eye, as on a lens. It hides nothing. In place."""
    eye = points[int(rng.choice([159, 386])), :2]
    layer = np.zeros(crop.shape[:2], np.uint8)
    reach = fixed(np.array(rng.uniform(2, 10, 2))).tolist()
    cv2.ellipse(
        layer,
        fixed(eye + rng.normal(0, 4, 2)).tolist(),
        reach,
        float(rng.uniform(0, 180)),
        0,
        360,
        int(rng.integers(60, 200)),
        -1,
        cv2.LINE_AA,
        4,
    )
    cv2.add(crop, cv2.merge([cv2.GaussianBlur(layer, (0, 0), 1.0)] * 3), dst=crop)
