"""Draw watermark and badge with one Triton kernel that reads and writes each pixel of the frame once."""

# mypy: ignore-errors
from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

from rtswap.disclosure.gpu import GpuBadge, GpuWatermark
from rtswap.gpu.resample import Tensor
from rtswap.gpu.triton_pixels import byte, grid, pixel, rounded

TILE = 64, 8
"""Pixels across and down per program; powers of two."""


@triton.jit
def write(
    frame, width, height,
    tiles, tile, levels, blocks, column_blocks, row_blocks,
    inks, keeps, chosen, plate_x, plate_y, plate_w, plate_h,
    MARKED: tl.constexpr, BADGED: tl.constexpr, TX: tl.constexpr, TY: tl.constexpr,
):  # fmt: skip
    """Draw both into the frame, in place: one program per tile."""
    x = tl.program_id(0) * TX + tl.arange(0, TX)[None, :]
    y = tl.program_id(1) * TY + tl.arange(0, TY)[:, None]
    inside = (x < width) & (y < height)
    b, g, r = pixel(frame, y, x, width, inside)
    if MARKED:
        at = tl.load(row_blocks + y, mask=y < height, other=0) * blocks
        level = tl.load(levels + at + tl.load(column_blocks + x, mask=x < width, other=0), mask=inside, other=0)
        where = (level.to(tl.int32) * tile + y % tile) * tile + x % tile
        change = tl.load(tiles + where, mask=inside, other=0).to(tl.float32)
        b, g, r = byte(b + change), byte(g + change), byte(r + change)
    if BADGED:
        beside, below = x - plate_x, y - plate_y
        covered = inside & (beside >= 0) & (beside < plate_w) & (below >= 0) & (below < plate_h)
        which = tl.load(chosen) * plate_h
        kb, kg, kr = pixel(keeps, which + below, beside, plate_w, covered)
        ib, ig, ir = pixel(inks, which + below, beside, plate_w, covered)
        b = tl.where(covered, tl.minimum(rounded(b * kb / 255) + ib, 255.0), b)
        g = tl.where(covered, tl.minimum(rounded(g * kg / 255) + ig, 255.0), g)
        r = tl.where(covered, tl.minimum(rounded(r * kr / 255) + ir, 255.0), r)
    to = frame + (y * width + x) * 3
    tl.store(to, b.to(tl.uint8), mask=inside)
    tl.store(to + 1, g.to(tl.uint8), mask=inside)
    tl.store(to + 2, r.to(tl.uint8), mask=inside)


def write_marks(
    frame: Tensor, watermark: GpuWatermark | None, badge: GpuBadge | None, tile: tuple[int, int] = TILE
) -> None:
    """Same as ``gpu.write_plain``."""
    if watermark is None and badge is None:
        return
    height, width = frame.shape[:2]
    write[grid(width, height, tile)](
        frame,
        width,
        height,
        *_of_watermark(watermark, frame),
        *_of_badge(badge, frame),
        watermark is not None,
        badge is not None,
        *tile,
    )


def _of_watermark(mark: GpuWatermark | None, frame: Tensor) -> tuple[Any, ...]:
    """Kernel arguments: tiles and their side, levels and their columns, block of each column and of each row."""
    if mark is None:
        return frame, 1, frame, 1, frame, frame
    return mark.tiles, mark.tiles.shape[1], mark.levels, mark.levels.shape[1], mark.column_blocks, mark.row_blocks


def _of_badge(badge: GpuBadge | None, frame: Tensor) -> tuple[Any, ...]:
    """Kernel arguments: inks, keeps, the selected style, then x, y, width and height."""
    if badge is None:
        return frame, frame, frame, 0, 0, 0, 0
    height, width = badge.inks.shape[1:3]
    return badge.inks, badge.keeps, badge.chosen, *badge.corner, width, height
