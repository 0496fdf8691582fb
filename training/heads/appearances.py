"""Heads as they are seen besides in the flesh: on a screen at an angle, stretched, in a window pane, half behind a
corner."""

from __future__ import annotations

import cv2
import numpy as np

from training.arrays import Bytes, Floats

SQUEEZED, SLANTED, REFLECTED, CUT = 0.12, 0.1, 0.08, 0.1
"""How often."""
NARROWEST, MOST_SLANT = 0.45, 0.45
FAINTEST, CLEAR = 0.3, 0.5
"""Opacity of a reflection, and that from which it shall be found."""
LEAST_SEEN, MOST_SEEN, ENOUGH = 0.3, 0.8, 0.5
"""Share of a face's height or width beside a corner, and that from which it shall be found."""


def squeezed(matrix: Floats, middle: Floats, rng: np.random.Generator) -> Floats:
    """The (2, 3) matrix with a picture narrowed, or slanted as on a screen that is seen from the side, around
    ``middle``, which stays where it is."""
    change, kind = np.eye(2, dtype=np.float32), rng.random()
    if kind < SQUEEZED:
        change[0, 0] = rng.uniform(NARROWEST, 0.8)
    elif kind < SQUEEZED + SLANTED:
        change[0, 0], change[1, 0] = rng.uniform(0.6, 1), rng.uniform(-MOST_SLANT, MOST_SLANT)
    linear = matrix[:, :2] @ change
    at = matrix[:, :2] @ middle + matrix[:, 2]
    return np.column_stack([linear, at - linear @ middle]).astype(np.float32)


def as_seen(alpha: Bytes, middle: Floats, height: float, rng: np.random.Generator) -> tuple[Bytes, bool]:
    """The opacity (H, W) of a head's picture as in a pane, or cut off by a straight edge; and whether the head shall
    be found then. ``middle`` and ``height`` of the face in it."""
    kind = rng.random()
    if kind < REFLECTED:
        share = float(rng.uniform(FAINTEST, 0.8))
        return (alpha * share).astype(np.uint8), share >= CLEAR
    if kind >= REFLECTED + CUT:
        return alpha, True
    seen = float(rng.uniform(LEAST_SEEN, MOST_SEEN))
    angle = float(rng.choice([0.0, 180.0, 90.0, rng.uniform(0, 360)]))
    turn = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    along = np.array([-turn[1], turn[0]])
    edge, far = middle + turn * height * (seen - 0.5), 4.0 * max(alpha.shape)
    beyond = np.array(
        [edge - along * far, edge + along * far, edge + (along + turn) * far, edge + (turn - along) * far]
    )
    cut = alpha.copy()
    cv2.fillPoly(cut, [np.round(beyond).astype(np.int32)], 0, cv2.LINE_AA)
    return cut, seen >= ENOUGH
