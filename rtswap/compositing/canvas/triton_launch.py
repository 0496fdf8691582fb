"""Launch the canvas's Triton kernels: one launch for all crops, one for all pastes.

Why Triton and not a compiler over ``plain_torch``: number and position of faces change from frame to frame. A kernel
reads them from a table; compiled tensor code would be recompiled, or would process the complete frame once per face.
Each pixel of the frame is read and written once, in registers.
"""

# mypy: disable-error-code="import-not-found, import-untyped"
from __future__ import annotations

from rtswap.compositing.canvas.face_table import FIELDS, Table
from rtswap.compositing.canvas.triton_kernels import crop, paste
from rtswap.gpu.resample import Tensor
from rtswap.gpu.torch_import import load_torch
from rtswap.gpu.triton_pixels import grid

torch = load_torch()

TILE = 64, 8
"""Pixels across and down per program."""


class TritonKernels:
    """Implements ``gpu.Kernels``. ``tile``: powers of two."""

    def __init__(self, tile: tuple[int, int] = TILE) -> None:
        self._tile = tile

    def crop(self, frame: Tensor, table: Table, on_device: Tensor, side: int) -> Tensor:
        """Crops (N, side, side, 3)."""
        crops = torch.empty((len(table), side, side, 3), dtype=torch.uint8, device=frame.device)
        averaged = table[table[:, 8] > 0]
        taps = int(averaged[:, 11:13].max()) + 2 if len(averaged) else 0
        height, width = frame.shape[:2]
        crop[*grid(side, side, self._tile), len(table)](
            frame, crops, on_device, width, height, side, taps, FIELDS, *self._tile
        )
        return crops

    def paste(self, frame: Tensor, crops: Tensor, masks: Tensor, table: Table, on_device: Tensor) -> None:
        """Paste every face in order, in place; programs cover only the bounding box of all faces."""
        touched = table[(table[:, 8] < table[:, 10]) & (table[:, 9] < table[:, 11])]
        if not len(touched):
            return
        x1, y1 = (int(touched[:, k].min()) for k in (8, 9))
        x2, y2 = (int(touched[:, k].max()) for k in (10, 11))
        height, width = frame.shape[:2]
        paste[grid(x2 - x1, y2 - y1, self._tile)](
            frame, crops, masks, on_device, len(table), x1, y1, width, height, crops.shape[1], FIELDS, *self._tile
        )
