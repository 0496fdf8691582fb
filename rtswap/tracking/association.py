"""Which box of this look is which box of the last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtswap.types import Box


def iou(first: Sequence[Box], second: Sequence[Box]) -> NDArray[np.float64]:
    """(len(first), len(second)) intersection over union of xyxy boxes, 0..1. Boxes without area overlap nothing."""
    a = np.asarray(first, np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, np.float64).reshape(1, -1, 4)
    overlap = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(overlap, 0), axis=-1)
    union = _area(a) + _area(b) - shared
    overlaps: NDArray[np.float64] = np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)
    return overlaps


def match(first: Sequence[Box], second: Sequence[Box], min_iou: float = 0.3) -> list[tuple[int, int]]:
    """Pairs (index in first, index in second), each index at most once, the largest overlap first. Overlaps under
    ``min_iou`` are no pair; among equal ones the earlier index wins."""
    if not len(first) or not len(second):
        return []
    overlaps = iou(first, second)
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(-overlaps, axis=None, kind="stable"):
        row, column = divmod(int(flat), overlaps.shape[1])
        if overlaps[row, column] < min_iou:
            break
        if all(row != r and column != c for r, c in pairs):
            pairs.append((row, column))
    return pairs


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    area: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return area
