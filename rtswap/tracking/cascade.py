"""The arithmetic between the networks of a detector cascade: pyramid, boxes, suppression, patches. No state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points

Boxes = NDArray[np.float32]
"""(N, 4) ``x1 y1 x2 y2``, edges of pixels: the whole picture is 0 0 W H."""
Floats = NDArray[np.float32]

_BORDER = (128, 128, 128)
"""What the networks see beyond the picture: their zero."""


@dataclass(frozen=True, slots=True)
class Level:
    """One size of the picture and where it lies on the atlas that holds all of them. All numbers are even."""

    width: int
    height: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class PyramidAtlas:
    """A pyramid laid out on one picture, so that one pass of a network sees every size."""

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
    """The picture and its halves down to the last that is at least ``until`` wide. Halves by 2 x 2 means: the one
    size at which averaging costs next to nothing. An odd last row or column is left out."""
    pictures = [image]
    while pictures[-1].shape[1] >= 2 * until and min(pictures[-1].shape[:2]) >= 2:
        last = pictures[-1]
        height, width = last.shape[0] // 2, last.shape[1] // 2
        even = last[: 2 * height, : 2 * width]
        pictures.append(np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)))
    return pictures


def draw(image: Image, atlas: PyramidAtlas, canvas: Image) -> None:
    """Fill ``canvas`` (atlas height, atlas width, 3) with the levels, each made from the one before it."""
    last = image
    for level in atlas.levels:
        view = canvas[level.y : level.y + level.height, level.x : level.x + level.width]
        cv2.resize(last, (level.width, level.height), dst=view, interpolation=cv2.INTER_LINEAR)
        last = view


def peaks(scores: Floats, threshold: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the map's places above ``threshold`` that no neighbour beats."""
    best = cv2.dilate(scores, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((scores > threshold) & (scores >= best))
    return rows, columns


def suppress(boxes: Boxes, scores: Floats, threshold: float, *, of_smaller: bool = False) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best first: none overlaps a better one by more than ``threshold``.

    Overlap is intersection over union, or over the smaller of the two areas with ``of_smaller``.
    """
    order = np.argsort(-scores, kind="stable")
    x1, y1, x2, y2 = boxes[order].T
    area = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    width = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    height = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    whole = np.minimum(area[:, None], area) if of_smaller else area[:, None] + area - shared
    clash = shared > threshold * whole
    alive = np.ones(len(order), bool)
    for index in range(len(order)):
        if alive[index]:
            alive[index + 1 :] &= ~clash[index, index + 1 :]
    return order[alive]


def squared(boxes: Boxes) -> Boxes:
    """Each box grown about its centre to a square of its longer side."""
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    half = size.max(axis=1, keepdims=True) / 2
    centre = corner + size / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def shifted(boxes: Boxes, offsets: Floats) -> Boxes:
    """Boxes moved by a network's ``offsets`` (N, 4), given in box sizes."""
    size = boxes[:, 2:] - boxes[:, :2]
    moved: Boxes = boxes + offsets * np.concatenate([size, size], axis=1)
    return moved


def placed(points: Floats, boxes: Boxes) -> Points:
    """A network's points (N, 5, 2), in box sizes from the corner -> centres of pixels in the picture."""
    size = (boxes[:, 2:] - boxes[:, :2])[:, None, :]
    return (points * size + boxes[:, None, :2] - 0.5).astype(np.float32)


def patches(pictures: Sequence[Image], boxes: Boxes, side: int) -> Image:
    """(N, side, side, 3) views of squares, grey where they hang over the border.

    ``pictures`` are ``halved``'s; each square is looked up in the smallest that still has its detail, all squares of
    one picture in one pass.
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
    """The part of ``image`` that one box (4,) touches, and its corner (2,): so that only that is halved."""
    height, width = image.shape[:2]
    x1, y1 = (
        int(min(max(np.floor(value) - 1, 0), limit)) for value, limit in zip(box[:2], (width, height), strict=True)
    )
    x2, y2 = (
        int(min(max(np.ceil(value) + 1, 0), limit)) for value, limit in zip(box[2:], (width, height), strict=True)
    )
    return image[y1:y2, x1:x2], np.array([x1, y1], np.float32)
