"""Stateless arithmetic between the networks of a detector cascade: pyramid, boxes, suppression, patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points

Boxes = NDArray[np.float32]
"""(N, 4) ``x1 y1 x2 y2``, pixel edges: the complete image is 0 0 W H."""
Floats = NDArray[np.float32]

_ROWS = 256
"""Boxes that are compared with all others at once: those of 10,000 would take gigabytes."""
_BORDER = (128, 128, 128)
"""Colour outside the image: the networks' zero."""


@dataclass(frozen=True, slots=True)
class Level:
    """One size of the image and its position in the atlas. All numbers are even."""

    width: int
    height: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class PyramidAtlas:
    """An image pyramid packed into one image, so that one network pass covers every size."""

    levels: tuple[Level, ...]
    width: int
    height: int


def lay_out(width: int, height: int, first_scale: float, step: float, window: int) -> PyramidAtlas:
    """Levels from ``first_scale`` down by ``step`` while the shorter side holds a ``window``, packed in columns."""
    levels: list[Level] = []
    columns: list[list[int]] = []  # [x, width, used height]
    sheet_height = 0
    scale = first_scale
    while min(width, height) * scale >= window:
        w, h = _even(width * scale), _even(height * scale)
        sheet_height = max(sheet_height, h)
        column = next((c for c in columns if w <= c[1] and c[2] + h <= sheet_height), None)
        if column is None:
            column = [columns[-1][0] + columns[-1][1] if columns else 0, w, 0]
            columns.append(column)
        levels.append(Level(w, h, column[0], column[2]))
        column[2] += h
        scale *= step
    return PyramidAtlas(tuple(levels), columns[-1][0] + columns[-1][1] if columns else 0, sheet_height)


def _even(value: float) -> int:
    return max(2, 2 * round(value / 2))


def halved(image: Image, until: int) -> list[Image]:
    """The image and its halves, down to the last that is at least ``until`` wide. 2 x 2 means, since averaging costs
    next to nothing at that ratio. Drops an odd last row or column."""
    pictures = [image]
    while pictures[-1].shape[1] >= 2 * until and min(pictures[-1].shape[:2]) >= 2:
        last = pictures[-1]
        height, width = last.shape[0] // 2, last.shape[1] // 2
        even = last[: 2 * height, : 2 * width]
        pictures.append(np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)))
    return pictures


def draw(image: Image, atlas: PyramidAtlas, canvas: Image) -> None:
    """Fill ``canvas`` (atlas height, atlas width, 3) with the levels, each resized from the previous one."""
    last = image
    for level in atlas.levels:
        view = canvas[level.y : level.y + level.height, level.x : level.x + level.width]
        cv2.resize(last, (level.width, level.height), dst=view, interpolation=cv2.INTER_LINEAR)
        last = view


def peaks(scores: Floats, threshold: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of local maxima of the map above ``threshold``."""
    best = cv2.dilate(scores, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((scores > threshold) & (scores >= best))
    return rows, columns


def suppress(boxes: Boxes, scores: Floats, threshold: float, *, of_smaller: bool = False) -> NDArray[np.intp]:
    """Non-maximum suppression: indices of the boxes to keep, best first, of which none overlaps a better one by more
    than ``threshold``.

    Overlap is intersection over union; with ``of_smaller``, intersection over the smaller area.
    """
    order = np.argsort(-scores, kind="stable")
    x1, y1, x2, y2 = boxes[order].T
    area = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    alive = np.ones(len(order), bool)
    for begin in range(0, len(order), _ROWS):
        rows = slice(begin, begin + _ROWS)
        width = np.minimum(x2[rows, None], x2) - np.maximum(x1[rows, None], x1)
        height = np.minimum(y2[rows, None], y2) - np.maximum(y1[rows, None], y1)
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        whole = np.minimum(area[rows, None], area) if of_smaller else area[rows, None] + area - shared
        clash = shared > threshold * whole
        for index, clashes in enumerate(clash, begin):
            if alive[index]:
                alive[index + 1 :] &= ~clashes[index + 1 :]
    return order[alive]


def squared(boxes: Boxes) -> Boxes:
    """Grow each box about its centre to a square of its longer side."""
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    half = size.max(axis=1, keepdims=True) / 2
    centre = corner + size / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def shifted(boxes: Boxes, offsets: Floats) -> Boxes:
    """Move boxes by a network's ``offsets`` (N, 4), in box sizes."""
    size = boxes[:, 2:] - boxes[:, :2]
    moved: Boxes = boxes + offsets * np.concatenate([size, size], axis=1)
    return moved


def placed(points: Floats, boxes: Boxes) -> Points:
    """Convert a network's points (N, 5, 2), in box sizes from the corner, to pixel centres in the image."""
    size = (boxes[:, 2:] - boxes[:, :2])[:, None, :]
    return (points * size + boxes[:, None, :2] - 0.5).astype(np.float32)


def patches(pictures: Sequence[Image], boxes: Boxes, side: int) -> Image:
    """Cut square patches (N, side, side, 3), grey outside the image.

    ``pictures`` come from ``halved``. Each square is sampled from the smallest that keeps its detail, all squares of
    one image in one pass.
    """
    out = np.empty((len(boxes), side, side, 3), np.uint8)
    sizes = np.maximum(boxes[:, 2] - boxes[:, 0], 1e-3)
    half = np.clip(np.floor(np.log2(sizes / side)), 0, len(pictures) - 1).astype(np.intp)
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side
    for index in np.unique(half):
        group = np.nonzero(half == index)[0]
        shrunk = boxes[group] / np.float32(2**index)
        x = shrunk[:, :1] + (shrunk[:, 2:3] - shrunk[:, :1]) * steps - 0.5
        y = shrunk[:, 1:2] + (shrunk[:, 3:] - shrunk[:, 1:2]) * steps - 0.5
        shape = (len(group), side, side)
        map_x = np.broadcast_to(x[:, None, :], shape).reshape(-1, side)
        map_y = np.broadcast_to(y[:, :, None], shape).reshape(-1, side)
        seen = cv2.remap(
            pictures[index], map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_BORDER
        )
        out[group] = seen.reshape(*shape, 3)
    return out


def surroundings(image: Image, box: Boxes) -> tuple[Image, Points]:
    """The part of ``image`` that one box (4,) touches, and its corner (2,), to limit the cost of halving."""
    height, width = image.shape[:2]
    x1, y1 = (
        int(min(max(np.floor(value) - 1, 0), limit)) for value, limit in zip(box[:2], (width, height), strict=True)
    )
    x2, y2 = (
        int(min(max(np.ceil(value) + 1, 0), limit)) for value, limit in zip(box[2:], (width, height), strict=True)
    )
    return image[y1:y2, x1:x2], np.array([x1, y1], np.float32)
