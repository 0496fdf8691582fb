"""Boxes ``x1 y1 x2 y2``: their size, growth, and how two of them lie."""

from __future__ import annotations

import numpy as np

from rtswap.core.types import Box


def side_of(box: Box) -> float:
    """The longer side."""
    return float((box[2:] - box[:2]).max())


def grown(box: Box, margin: float) -> Box:
    """A box with a margin on each side, in its own sides; a negative one shrinks it."""
    grow = np.tile(box[2:] - box[:2], 2) * np.array([-margin, -margin, margin, margin], np.float32)
    return np.asarray(box + grow, np.float32)


def holds(box: Box, other: Box) -> bool:
    """Whether the middle of ``other`` lies in ``box``."""
    middle = (other[:2] + other[2:]) / 2
    return bool((middle >= box[:2]).all() and (middle <= box[2:]).all())


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; of many, ``tracking.association.iou``."""
    (x1, y1, x2, y2), (u1, v1, u2, v2) = a.tolist(), b.tolist()  # in a crowd there are millions of pairs
    common = max(0.0, min(x2, u2) - max(x1, u1)) * max(0.0, min(y2, v2) - max(y1, v1))
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - common
    return common / union if union > 0 else 0.0
