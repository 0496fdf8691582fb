"""Tables for the kernels: one row of numbers per face with the position of its crop in the frame. Host only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.canvas.host import AVERAGED
from rtswap.core.types import View
from rtswap.vision.geometry import clip_box, scale_of, upright_box

FIELDS = 16
"""Numbers per row."""
CUBIC_BELOW = 0.9
"""Crop pixels per frame pixel below which pasting enlarges a crop with bicubic interpolation."""
ANYWHERE = 1e6
"""Pixels: a coordinate beyond every frame."""
SIDES = (64, 96, 128, 160, 192, 256, 320, 384, 480, 512, 640, 768, 1024)
"""Sides of the squares that hold crops on the GPU: few, so that compiled and captured work can be reused."""

Table = NDArray[np.float32]
"""(N, FIELDS)"""


def side_for(views: Sequence[View]) -> int:
    """The smallest of SIDES that holds every crop; a multiple of 64 beyond them."""
    longest = max(max(view.size) for view in views)
    return next((side for side in SIDES if side >= longest), -(-longest // 64) * 64)


def crop_table(views: Sequence[View]) -> Table:
    """Rows: crop -> frame matrix (6), width, height, 1 = averaged, x1 y1 of the first pixel of the frame to read,
    frame pixels per crop pixel across and down, x2 y2 of the last pixel to read. Raises ValueError for singular
    matrices."""
    table = np.zeros((len(views), FIELDS), np.float32)
    for row, view in zip(table, views, strict=True):
        back, box = _backwards(view), upright_box(view.matrix, view.size)
        row[:15] = *back.ravel(), *view.size, 0, -ANYWHERE, -ANYWHERE, 1, 1, ANYWHERE, ANYWHERE
        if box is not None:
            width, height = view.size
            across, down = (box[2] - box[0]) / width, (box[3] - box[1]) / height
            row[:6] = across, 0, box[0] + across / 2 - 0.5, 0, down, box[1] + down / 2 - 0.5
            row[8:15] = across > AVERAGED and down >= 1, box[0], box[1], across, down, box[2] - 1, box[3] - 1
    return table


def paste_table(views: Sequence[View], frame: tuple[int, int]) -> Table:
    """Rows: frame -> crop matrix (6), width, height, x1 y1 x2 y2 of the frame's pixels to change, 1 = bicubic, 1 =
    the mask is 0 outside its border. ``frame``: (width, height). Raises ValueError for singular matrices."""
    table = np.zeros((len(views), FIELDS), np.float32)
    for row, view in zip(table, views, strict=True):
        back, box = _backwards(view), upright_box(view.matrix, view.size)
        width, height = view.size
        if box is None:
            corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
            where = corners @ back[:, :2].T + back[:, 2]
            touched = clip_box(np.concatenate([where.min(0), where.max(0) + 1]).astype(np.float32), *frame)
            row[:6] = view.matrix.ravel()
            row[12:14] = scale_of(view.matrix) < CUBIC_BELOW, 1
        else:
            touched = clip_box(np.array(box, np.float32), *frame)
            across, down = width / (box[2] - box[0]), height / (box[3] - box[1])
            row[:6] = across, 0, (0.5 - box[0]) * across - 0.5, 0, down, (0.5 - box[1]) * down - 0.5
        row[6:12] = width, height, *touched
    return table


def _backwards(view: View) -> NDArray[np.float64]:
    """Inverse of the view's matrix, (2, 3) crop -> frame."""
    (a, b, x), (c, d, y) = view.matrix.tolist()
    area = a * d - b * c
    if not all(map(math.isfinite, (a, b, x, c, d, y))) or not abs(area) > 1e-12:
        raise ValueError("a view matrix that cannot be inverted")
    return np.asarray(np.array([[d, -b, b * y - d * x], [-c, a, c * x - a * y]]) / area, np.float64)
