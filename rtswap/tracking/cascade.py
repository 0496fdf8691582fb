"""The arithmetic between the networks of a detector cascade: pyramid, boxes, suppression, patches. No state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.types import Image, Points

Boxes = NDArray[np.float32]
"""(N, 4) ``x1 y1 x2 y2``, edges of pixels: the whole picture is 0 0 W H."""
Floats = NDArray[np.float32]

_BORDER = (128, 128, 128)
"""What the networks see beyond the picture: their zero."""


@dataclass(frozen=True, slots=True)
class Level:
    """One size of the picture and where it lies on the sheet that holds all of them. All numbers are even."""

    width: int
    height: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A pyramid laid out on one picture, so that one pass of a network sees every size."""

    levels: tuple[Level, ...]
    width: int
    height: int


def lay_out(width: int, height: int, first_scale: float, step: float, window: int) -> Sheet:
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
    return Sheet(tuple(levels), columns[-1][0] + columns[-1][1] if columns else 0, sheet_height)


def _even(value: float) -> int:
    return max(2, 2 * round(value / 2))


def draw(image: Image, sheet: Sheet, canvas: Image) -> list[Image]:
    """Fill ``canvas`` (sheet height, sheet width, 3) with the levels, each made from the one before it."""
    views: list[Image] = []
    last = image
    for level in sheet.levels:
        view = canvas[level.y : level.y + level.height, level.x : level.x + level.width]
        shrinks = level.width <= last.shape[1] and level.height <= last.shape[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cv2.resize(last, (level.width, level.height), dst=view, interpolation=how)
        views.append(view)
        last = view
    return views


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


def patches(pictures: Sequence[Image], boxes: Boxes, side: int) -> tuple[Image, Boxes]:
    """(N, side, side, 3) views of squares, and the squares really seen, in edges of ``pictures[0]``.

    ``pictures``: the same scene from large to small; each patch is cut from the smallest that still has its detail.
    """
    height, width = pictures[0].shape[:2]
    scales = [picture.shape[1] / width for picture in pictures]
    out = np.empty((len(boxes), side, side, 3), np.uint8)
    seen = np.empty((len(boxes), 4), np.float32)
    for index, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        fine = [i for i, scale in enumerate(scales) if (x2 - x1) * scale >= side]
        picture = pictures[fine[-1] if fine else 0]
        sx, sy = picture.shape[1] / width, picture.shape[0] / height
        left, top = round(x1 * sx), round(y1 * sy)
        right, bottom = max(round(x2 * sx), left + 1), max(round(y2 * sy), top + 1)
        _cut(picture, left, top, right, bottom, out[index])
        seen[index] = (left / sx, top / sy, right / sx, bottom / sy)
    return out, seen


def _cut(picture: Image, left: int, top: int, right: int, bottom: int, out: Image) -> None:
    """Resize a rectangle of ``picture``, which may hang over its border, into ``out``."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x1 >= x2 or y1 >= y2:
        out[:] = _BORDER
        return
    cut = picture[y1:y2, x1:x2]
    if (x1, y1, x2, y2) != (left, top, right, bottom):
        cut = cv2.copyMakeBorder(  # type: ignore[assignment]
            cut, y1 - top, bottom - y2, x1 - left, right - x2, cv2.BORDER_CONSTANT, value=_BORDER
        )
    how = cv2.INTER_AREA if cut.shape[0] > out.shape[0] else cv2.INTER_LINEAR
    cv2.resize(cut, (out.shape[1], out.shape[0]), dst=out, interpolation=how)
