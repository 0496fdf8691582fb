"""Launches the canvas's Triton kernels: one launch for all crops, one for all pastes, one on the way out.

Why Triton and not a compiler over ``cuda_plain``: how many faces there are and where they lie changes from frame to
frame. A kernel that is told so by a table is launched as it is; compiled tensor code would be compiled again for it,
or would go over the whole frame once per face. Each pixel of the frame is read once and written once, in registers.
"""

# mypy: disable-error-code="import-not-found, import-untyped"
from __future__ import annotations

from typing import Any

import triton

from rtswap.compositing.canvas.face_table import FIELDS, Table
from rtswap.compositing.canvas.triton_kernels import crop, deliver, from_yuv, paste
from rtswap.compositing.canvas.yuv import Coding, bytes_shape
from rtswap.disclosure.gpu import PatternState, PlateState
from rtswap.gpu.resample import Tensor
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

TILE = 64, 8
"""Pixels across and down of a program."""
QUADS = 64, 4
"""Blocks of four pixels of a program on the way in and out."""
LAYOUT = {"bgr": 0, "nv12": 1, "i420": 2}


class TritonKernels:
    """Implements ``cuda.Kernels``. ``tile`` and ``quads``: powers of two."""

    def __init__(self, tile: tuple[int, int] = TILE, quads: tuple[int, int] = QUADS) -> None:
        self._tile, self._quads = tile, quads

    def to_bgr(self, raw: Tensor, size: tuple[int, int], layout: str, coding: Coding) -> Tensor:
        """(H, W, 3) BGR: the bytes themselves where they are that."""
        if layout == "bgr":
            return raw
        width, height = size
        frame = torch.empty((height, width, 3), dtype=torch.uint8, device=raw.device)
        grid = _grid(width // 2, height // 2, self._quads)
        weights = (coding.black, coding.light, *coding.to_bgr_blue[:2], *coding.to_bgr_red[1:])
        from_yuv[grid](raw, frame, width, height, *weights, LAYOUT[layout], *self._quads)
        return frame

    def crop(self, frame: Tensor, table: Table, on_device: Tensor, side: int) -> Tensor:
        """(N, side, side, 3)"""
        crops = torch.empty((len(table), side, side, 3), dtype=torch.uint8, device=frame.device)
        averaged = table[table[:, 8] > 0]
        taps = int(averaged[:, 11:13].max()) + 2 if len(averaged) else 0
        grid = *_grid(side, side, self._tile), len(table)
        height, width = frame.shape[:2]
        crop[grid](frame, crops, on_device, width, height, side, taps, FIELDS, *self._tile)
        return crops

    def paste(self, frame: Tensor, crops: Tensor, masks: Tensor, table: Table, on_device: Tensor) -> None:
        """In place, every face in order; programs run over the box around all faces alone."""
        touched = table[(table[:, 8] < table[:, 10]) & (table[:, 9] < table[:, 11])]
        if not len(touched):
            return
        x1, y1 = (int(touched[:, k].min()) for k in (8, 9))
        x2, y2 = (int(touched[:, k].max()) for k in (10, 11))
        grid = _grid(x2 - x1, y2 - y1, self._tile)
        height, width = frame.shape[:2]
        paste[grid](
            frame, crops, masks, on_device, len(table), x1, y1, width, height, crops.shape[1], FIELDS, *self._tile
        )

    def deliver(
        self, frame: Tensor, marks: tuple[PatternState | None, PlateState | None], layout: str, coding: Coding
    ) -> Tensor:
        """The frame, marked, as it is to leave: all of it in one pass, or none where there is nothing to do."""
        pattern, plate = marks
        if layout == "bgr" and pattern is None and plate is None:
            return frame
        height, width = frame.shape[:2]
        out = frame if layout == "bgr" else frame.new_empty(bytes_shape(width, height, layout))
        luma, blue, red = coding.from_bgr
        grid = _grid((width + 1) // 2, (height + 1) // 2, self._quads)
        deliver[grid](
            frame,
            out,
            width,
            height,
            *_of_pattern(pattern, frame),
            *_of_plate(plate, frame),
            coding.black,
            *luma,
            *blue,
            *red,
            LAYOUT[layout],
            pattern is not None,
            plate is not None,
            *self._quads,
        )
        return out


def _grid(across: int, down: int, tile: tuple[int, int]) -> tuple[int, int]:
    """Programs across and down."""
    return triton.cdiv(across, tile[0]), triton.cdiv(down, tile[1])


def _of_pattern(state: PatternState | None, frame: Tensor) -> tuple[Any, ...]:
    """Tiles and their side, levels and their columns, block of each column and of each row."""
    if state is None:
        return frame, 1, frame, 1, frame, frame
    side = state.tiles.shape[1]
    return state.tiles, side, state.levels, state.levels.shape[1], state.column_blocks, state.row_blocks


def _of_plate(state: PlateState | None, frame: Tensor) -> tuple[Any, ...]:
    """Inks, keeps, which one, then x, y, width and height."""
    if state is None:
        return frame, frame, frame, 0, 0, 0, 0
    height, width = state.inks.shape[1:3]
    return state.inks, state.keeps, state.chosen, *state.plate.corner, width, height
