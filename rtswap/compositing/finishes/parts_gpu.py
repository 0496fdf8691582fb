"""Limit masks on a GPU by coarse grids, drawn by the host or computed on the GPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtswap.compositing.finishes.parts import PartsMask
from rtswap.core.protocols import OnDownload
from rtswap.core.types import Mask, Quality, SwappedBatch, TargetBatch
from rtswap.gpu.resample import Device, Tensor, bilinear, rounded, uploaded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()


class GpuPartsMask:
    """Implements ``protocols.GpuFinish``: ``PartsMask``, with grids drawn on the host."""

    def __init__(self, parts: Sequence[str], keep: Sequence[str]) -> None:
        self._host = PartsMask(parts, keep)

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        """``PartsMask.apply``."""
        device, faces = swapped.masks.device, targets.faces
        grids, sizes = stack_grids([self._host.shown(face, face.size) for face in faces], device)
        crops = uploaded(np.array([face.size for face in faces], np.float32), device)
        return SwappedBatch(swapped.crops, limited(swapped.masks, grids.float(), sizes, crops))

    def forget(self, track_id: int) -> None:
        """Drop the state of a track."""
        self._host.forget(track_id)


def stack_grids(grids: Sequence[Mask], device: Device) -> tuple[Tensor, Tensor]:
    """Upload grids as (N, G, G), each in the upper left, and their widths and heights (N, 2)."""
    side = max(max(grid.shape) for grid in grids)
    square = np.zeros((len(grids), side, side), np.uint8)
    for place, grid in zip(square, grids, strict=True):
        place[: grid.shape[0], : grid.shape[1]] = grid
    sizes = np.array([grid.shape[::-1] for grid in grids], np.float32)
    return uploaded(square, device), uploaded(sizes, device)


def limited(masks: Tensor, grids: Tensor, sizes: Tensor, crops: Tensor) -> Tensor:
    """Limit ``masks`` (N, S, S) by ``grids`` (N, G, G) float, each of which covers its complete crop. ``sizes`` and
    ``crops`` (N, 2): their widths and heights."""
    step = (sizes / crops)[:, :, None, None]
    place = torch.arange(masks.shape[1], device=masks.device, dtype=torch.float32) + 0.5
    x = (place[None, None] * step[:, 0] - 0.5).expand(-1, len(place), -1)
    y = (place[None, :, None] * step[:, 1] - 0.5).expand(-1, -1, len(place))
    return torch.minimum(masks, rounded(bilinear(grids[:, None], x, y, sizes)[:, 0]))
