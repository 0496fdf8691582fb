"""The swapper ``mesh`` on a GPU: geometry on the host, one upload, pixels on the GPU, no synchronisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtswap.core.protocols import Swapper
from rtswap.core.types import BatchedTarget, Quality, SourceIdentity, SwappedBatch, TargetBatch
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Tensor, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.swappers.mesh.geometry import BlackLevelTimes
from rtswap.swappers.mesh.gpu_pixels import atlas_of, chart_planes, places, render
from rtswap.swappers.mesh.gpu_rows import BLACK, LEVEL, LIGHT, RING, Layout, Row, pack, pack_nothing
from rtswap.swappers.mesh.placement import FacePlacement
from rtswap.swappers.mesh.swapper import MeshSwapModel, MeshSwapper, SourceFace

torch = load_torch()

MODES = ("plain", "captured")
"""Launch torch's kernels one by one, or replay them as one CUDA graph per number of faces and crop side."""
TRACKS = 64
"""Tracks whose state is stored at the same time."""


@dataclass(frozen=True, slots=True)
class GpuMeshSwapModel:
    """Implements ``protocols.SwapModel``. ``mode``: one of MODES."""

    options: MeshSwapModel
    device: str = "cuda"
    mode: str = "plain"

    def bind(self, source: SourceIdentity) -> Swapper:
        return GpuMeshSwapper(self.options.face(source), device=self.device, mode=self.mode)


class GpuMeshSwapper:
    """Implements ``protocols.GpuSwapper``, and ``protocols.Swapper`` on the host."""

    def __init__(self, face: SourceFace, *, device: str = "cuda", mode: str = "plain") -> None:
        if mode not in MODES:
            raise ValueError(f"mode must be {' or '.join(MODES)}, not {mode}")
        self.device = torch.device(device)
        self._host = MeshSwapper(face)
        self.view, self.swap = self._host.view, self._host.swap
        self._geometry, self._texture, self._light = face.geometry, face.texture, face.light
        levels = face.texture.levels
        self._atlas, self._places = atlas_of(levels, self.device), places(levels)
        self._chart = chart_planes(face.texture.face, self.device)
        self._times = BlackLevelTimes()
        self.black_levels = torch.zeros(TRACKS, device=self.device)
        """Per slot: the target's smoothed black level."""
        self._slots: dict[int, int] = {}
        self._render: Callable[..., Any] = render
        if mode == "captured":
            self._render = Captured(render, 2, on_gpu=self.device.type == "cuda")

    def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch:
        """Implements ``protocols.GpuSwapper``. Sizes are multiples of 8, as ``view`` returns them."""
        rows = uploaded(self.rows(targets.faces, targets.crops.shape[1]), self.device)
        return self.render(targets.crops, rows)

    def rows(self, faces: Sequence[BatchedTarget], side: int) -> Row:
        """Pack the placement of each face for the GPU, (N, B), for crops of ``side``."""
        rows = [self._row(face, Layout(side)) for face in faces]
        return np.stack(rows) if len(rows) > 1 else rows[0][None]

    def render(self, crops: Tensor, rows: Tensor) -> SwappedBatch:
        """Render on the GPU. ``rows`` (N, B): the result of ``rows``, on the GPU."""
        with torch.inference_mode():
            swapped, masks = self._render(
                crops,
                rows,
                self._atlas,
                self._chart,
                self.black_levels,
                self._light,
            )
        return SwappedBatch(swapped, masks)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._host.forget(track_id)
        self._slots.pop(track_id, None)
        self._times.forget(track_id)

    def slot(self, track_id: int) -> int:
        """The index of a track's state on the GPU. The last slot is for faces without a track. If all slots are
        taken, the oldest track loses its slot."""
        if track_id not in self._slots:
            taken = set(self._slots.values())
            free = next((slot for slot in range(TRACKS - 1) if slot not in taken), None)
            if free is None:
                oldest = next(iter(self._slots))
                free = self._slots.pop(oldest)
                self._times.forget(oldest)
            self._slots[track_id] = free
        return self._slots[track_id]

    def _row(self, face: BatchedTarget, layout: Layout) -> Row:
        placed = self._geometry.place(face, face.size)
        if placed is None:
            return pack_nothing(layout, TRACKS - 1)
        row, numbers = pack(layout, placed)
        numbers[LEVEL:LIGHT] = self._places[self._texture.level_for(placed.texels_per_pixel)]
        numbers[BLACK:RING] = self._black_level_numbers(face, placed)
        return row

    def _black_level_numbers(
        self, face: BatchedTarget, placed: FacePlacement
    ) -> tuple[float, float, float, float, float, float, float]:
        """The box to measure in the crop, the slot, the weight of the past value, and 1 if a measurement is due."""
        slot = self.slot(face.track_id)
        due = self._times.due(face.track_id, face.time_s, placed)
        if due is None:
            return 0, 0, 0, 0, slot, 1, 0
        (x1, y1, x2, y2), past = due
        left, top = placed.extent[:2]
        return x1 + left, y1 + top, x2 + left, y2 + top, slot, past, 1
