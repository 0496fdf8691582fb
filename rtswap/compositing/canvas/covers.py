"""How a place is covered: reduced to few cells, and faded into the frame beyond it. Host and GPU share it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box, Mask
from rtswap.vision.geometry import clip_box

CELLS = 7
"""Cells across a covered box: too few to recognise a person."""
FINER = 8
"""Steps each way in which a cell is interpolated smoothly; between them linearly, in a quarter of the time."""
FADE = 0.15
"""How far a blurred cover fades out beyond its box, in longer sides of the box: within it nothing shows through."""

Pixels = tuple[int, int, int, int]
"""``x1 y1 x2 y2`` in the frame."""
Part = tuple[slice, slice]
"""Rows and columns of the extent."""


class Cover(NamedTuple):
    """A box that is covered."""

    inner: Pixels
    """The box."""
    extent: Pixels
    """All pixels that change."""
    cells: tuple[int, int]
    """Cells across and down to which they are reduced."""
    down: NDArray[np.uint32]
    across: NDArray[np.uint32]
    """Shares 0..255 of the cover in each row and column of the extent."""

    def mask(self, part: Part = (slice(None), slice(None))) -> Mask:
        """(h, w) of the extent, or a part of it: 255 covered, 0 as it was."""
        share = np.multiply.outer(self.down[part[0]], self.across[part[1]])
        return np.asarray((share + 128) * 257 >> 16, np.uint8)

    def around(self) -> list[Part]:
        """The parts of the extent beside the box."""
        (x1, y1, x2, y2), (left, top, right, bottom) = self.inner, self.extent
        rows, width = slice(y1 - top, y2 - top), right - left
        return [
            (part, columns)
            for part, columns in (
                (slice(0, rows.start), slice(0, width)),
                (slice(rows.stop, bottom - top), slice(0, width)),
                (rows, slice(0, x1 - left)),
                (rows, slice(x2 - left, width)),
            )
            if part.start < part.stop and columns.start < columns.stop
        ]


def cover_of(box: Box, style: str, size: tuple[int, int]) -> Cover | None:
    """How ``box`` is covered in a frame of ``size`` = (width, height), smoothly for ``blur``, hard-edged for
    ``pixelate``; None if it lies outside."""
    inner = x1, y1, x2, y2 = clip_box(box, *size)
    if x1 >= x2 or y1 >= y2:
        return None
    side = max(x2 - x1, y2 - y1)
    fade = 0 if style == "pixelate" else round(FADE * side)
    left, top = max(x1 - fade, 0), max(y1 - fade, 0)
    right, bottom = min(x2 + fade, size[0]), min(y2 + fade, size[1])
    cells = max(1, round((right - left) * CELLS / side)), max(1, round((bottom - top) * CELLS / side))
    down, across = _shares(top, y1, y2, bottom, fade), _shares(left, x1, x2, right, fade)
    return Cover(inner, (left, top, right, bottom), cells, down, across)


def _shares(begin: int, low: int, high: int, end: int, fade: int) -> NDArray[np.uint32]:
    """Shares 0..255 (end - begin,): 255 from ``low`` to ``high``, falling smoothly over ``fade`` pixels beside."""
    place = np.arange(begin, end, dtype=np.float32)
    rest = 1 - np.maximum(np.maximum(low - place, place - (high - 1)), 0) / (fade + 1)
    return np.round(255 * rest * rest * (3 - 2 * rest)).astype(np.uint32)
