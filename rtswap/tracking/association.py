"""Match the boxes of two detections by overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box

Floats = NDArray[np.float64]


def iou(first: Sequence[Box], second: Sequence[Box]) -> Floats:
    """Intersection over union of xyxy boxes, 0..1, (len(first), len(second)). Boxes without area overlap nothing."""
    shared, areas, others = _shared(first, second)
    return _share(shared, areas + others - shared)


def kinship(first: Sequence[Box], second: Sequence[Box]) -> Floats:
    """Like ``iou``, but a box inside a larger one scores at least 0.5, as for a mesh that has shrunk on its face."""
    shared, areas, others = _shared(first, second)
    inside = _share(shared, np.minimum(areas, others)) / 2
    return np.maximum(_share(shared, areas + others - shared), inside)


def match(overlaps: Floats, least: float = 0.3) -> list[tuple[int, int]]:
    """Greedy matching: pairs (row, column), each index at most once, largest overlap first. Overlaps below ``least``
    do not match; of equal ones the earlier row wins."""
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(-overlaps, axis=None, kind="stable"):
        row, column = divmod(int(flat), overlaps.shape[1])
        if not overlaps[row, column] >= least:
            break
        if all(row != r and column != c for r, c in pairs):
            pairs.append((row, column))
    return pairs


def count_places(boxes: Sequence[Box]) -> int:
    """Number of places in which boxes lie: one whose middle is inside a larger one adds none."""
    places: list[NDArray[np.float64]] = []
    doubles = [box.astype(np.float64) for box in boxes]  # lengths that float32 cannot hold are possible
    for box in sorted(doubles, key=lambda box: -float(np.prod(box[2:] - box[:2]))):
        middle = (box[:2] + box[2:]) / 2
        if not any(np.all(place[:2] <= middle) and np.all(middle <= place[2:]) for place in places):
            places.append(box)
    return len(places)


def overlapping(boxes: Sequence[Box], least: float = 0.5) -> list[tuple[int, int]]:
    """Pairs of rows whose overlap is larger than ``least``."""
    overlaps = iou(boxes, boxes)
    return [(i, j) for i in range(len(boxes)) for j in range(i + 1, len(boxes)) if overlaps[i, j] > least]


def _shared(first: Sequence[Box], second: Sequence[Box]) -> tuple[Floats, Floats, Floats]:
    """Areas of the intersections, of ``first`` and of ``second``, broadcastable against each other."""
    a = np.asarray(first, np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, np.float64).reshape(1, -1, 4)
    common = np.concatenate([np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])], axis=-1)
    return _area(common), _area(a), _area(b)


def _area(boxes: Floats) -> Floats:
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    area: Floats = sides[..., 0] * sides[..., 1]
    return area


def _share(part: Floats, whole: Floats) -> Floats:
    share: Floats = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    return share
