"""The swapper ``mesh`` for faces on a GPU: geometry on the host, one upload, pixels there, and nobody waits."""

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
from rtswap.swappers.mesh.geometry import BlackLevelTimes, FacePlacement
from rtswap.swappers.mesh.gpu_pixels import atlas_of, face_plane, places, render
from rtswap.swappers.mesh.gpu_rows import BLACK, LEVEL, LIGHT, RING, Layout, Row, pack, pack_nothing
from rtswap.swappers.mesh.swapper import MeshSwapModel, MeshSwapper, SourceFace

torch = load_torch()

MODES = ("plain", "captured")
"""torch's own kernels one after the other, or the same from one CUDA graph per number of faces and side of crops."""
TRACKS = 64
"""Faces of which something is remembered at the same time."""


@dataclass(frozen=True, slots=True)
class GpuMeshSwapModel:
    """Implements ``protocols.SwapModel``. ``mode``: one of MODES."""

    options: MeshSwapModel
    device: str = "cuda"
    mode: str = "plain"

    def bind(self, source: SourceIdentity) -> Swapper:
        return GpuMeshSwapper(self.options.face(source), light=self.options.light, device=self.device, mode=self.mode)


class GpuMeshSwapper:
    """Implements ``protocols.GpuSwapper``, and ``protocols.Swapper`` on the host."""

    def __init__(self, face: SourceFace, *, light: bool = True, device: str = "cuda", mode: str = "plain") -> None:
        if mode not in MODES:
            raise ValueError(f"pixels are rendered {' or '.join(MODES)}, not {mode}")
        self.device = torch.device(device)
        self._host = MeshSwapper(face, light=light)
        self.view, self.swap = self._host.view, self._host.swap
        self._geometry, self._texture, self._own_black_level = face.geometry, face.texture, face.black_level
        self._light = light
        levels = face.texture.levels
        self._atlas, self._places = atlas_of(levels, self.device), places(levels)
        self._face = face_plane(face.texture.face, self.device)
        self._times = BlackLevelTimes()
        self.black_levels = torch.zeros(TRACKS, device=self.device)
        """Per slot: the target's, as smoothed so far."""
        self._slots: dict[int, int] = {}
        self._render: Callable[..., Any] = render
        if mode == "captured":
            self._render = Captured(render, 2, on_gpu=self.device.type == "cuda")

    def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch:
        """As ``protocols.GpuSwapper``. Sizes are multiples of 8, as ``view`` gives them."""
        rows = uploaded(self.rows(targets.faces, targets.crops.shape[1]), self.device)
        return self.render(targets.crops, rows, light=quality.match_color)

    def rows(self, faces: Sequence[BatchedTarget], side: int) -> Row:
        """(N, B) the host's part: what the GPU must know of each face in crops of ``side``."""
        rows = [self._row(face, Layout(side)) for face in faces]
        return np.stack(rows) if len(rows) > 1 else rows[0][None]

    def render(self, crops: Tensor, rows: Tensor, *, light: bool) -> SwappedBatch:
        """The GPU's part. ``rows`` (N, B): as ``rows`` gives them, on the GPU."""
        with torch.inference_mode():
            swapped, masks = self._render(
                crops,
                rows,
                self._atlas,
                self._face,
                self.black_levels,
                self._own_black_level,
                self._light and light,
            )
        return SwappedBatch(swapped, masks)

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track that has ended."""
        self._host.forget(track_id)
        self._slots.pop(track_id, None)
        self._times.forget(track_id)

    def slot(self, track_id: int) -> int:
        """Where the track's state lies on the GPU: its own place as long as there are any; the last is for nobody.
        With more tracks the oldest loses its."""
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
        """The box to look at in the crop, the slot, the past's share, and 1 where the black level is due."""
        slot = self.slot(face.track_id)
        due = self._times.due(face.track_id, face.time_s, placed)
        if due is None:
            return 0, 0, 0, 0, slot, 1, 0
        (x1, y1, x2, y2), past = due
        left, top = placed.extent[:2]
        return x1 + left, y1 + top, x2 + left, y2 + top, slot, past, 1
