"""The swapper ``mesh`` for faces on a device: geometry on the host, one upload, pixels there, and nobody waits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Swapper
from rtswap.core.types import BatchedTarget, Points, Quality, SourceIdentity, SwappedBatch, TargetBatch
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.swappers.mesh.gpu_geometry import LEVEL, LIGHT, RING, VEIL, Layout, drawn
from rtswap.swappers.mesh.gpu_pixels import atlas_of, face_plane, places, render
from rtswap.swappers.mesh.neutral_expression import NeutralExpression
from rtswap.swappers.mesh.shape import PERSONAL, mean_measures
from rtswap.swappers.mesh.swapper import TEXELS_ACROSS, VEIL_EVERY_S, VEIL_S, MeshSwapModel, MeshSwapper
from rtswap.vision.geometry import box_of, clip_box

torch = load_torch()

MODES = ("plain", "captured", "compiled")
"""torch's own kernels one after the other; the same from one CUDA graph per number of faces and side of the crops; or
fewer kernels by torch's compiler, which takes about a minute for each of these."""
TRACKS = 64
"""Faces whose veil is remembered at the same time."""

Row = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class GpuMeshSwapModel:
    """Implements ``protocols.SwapModel``. ``mode``: one of MODES."""

    wanted: MeshSwapModel
    device: str = "cuda"
    mode: str = "plain"

    def bind(self, source: SourceIdentity) -> Swapper:
        bound = self.wanted.bind(source)
        assert isinstance(bound, MeshSwapper)
        return GpuMeshSwapper(bound, self.device, mode=self.mode)


class GpuMeshSwapper:
    """Implements ``protocols.GpuSwapper``, and ``protocols.Swapper`` on the host. It asks ``MeshSwapper`` for the
    geometry."""

    def __init__(self, geometry: MeshSwapper, device: str = "cuda", *, mode: str = "plain") -> None:
        if mode not in MODES:
            raise ValueError(f"pixels are rendered {', '.join(MODES)}, not {mode}")
        self._host = geometry
        self.view, self.swap = geometry.view, geometry.swap
        self._device = torch.device(device)
        texture = geometry._texture
        self._atlas, self._face = atlas_of(texture.levels, self._device), face_plane(texture.face, self._device)
        self._places = places(texture.levels)
        self._veils = torch.zeros(TRACKS, device=self._device)
        self._slots: dict[int, int] = {}
        self._measured: dict[int, float] = {}
        self._render: Callable[..., Any] = render
        if mode == "compiled":
            self._render = torch.compile(render, fullgraph=True, dynamic=False)
        elif mode == "captured":
            self._render = Captured(render, 2, on_gpu=self._device.type == "cuda")

    def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch:
        """As ``protocols.GpuSwapper``. Sizes are multiples of 8, as ``view`` gives them."""
        crops = targets.crops
        rows = [self._row(face, crops.shape[1]) for face in targets.faces]
        light = self._host._wanted.light and quality.match_color
        with torch.inference_mode():
            swapped, masks = self._render(
                crops,
                uploaded(np.stack(rows) if len(rows) > 1 else rows[0][None], self._device),
                self._atlas,
                self._face,
                self._veils,
                self._host._own_veil,
                light,
            )
        return SwappedBatch(swapped, masks)

    def forget(self, track_id: int) -> None:
        """Drop what was remembered of a track that has ended."""
        self._host.forget(track_id)
        self._slots.pop(track_id, None)
        self._measured.pop(track_id, None)

    def _row(self, face: BatchedTarget, side: int) -> Row:
        """What the device must know of one face."""
        host, (width, height) = self._host, face.size
        destination = host._shape.destination(
            face.landmarks,
            expression=host._wanted.expression,
            neutral=host._neutrals.setdefault(face.track_id, NeutralExpression(mean_measures(), PERSONAL)),
            visibility=face.visibility,
            time_s=face.time_s,
        )
        extent = host._extent(destination, (height, width))
        if extent[0] >= extent[2] or extent[1] >= extent[3]:
            return self._nothing(side)
        origin = np.array([*extent[:2], 0], np.float32)
        inner, own = destination - origin, face.landmarks - origin
        nodes = host._nodes(inner, (extent[2] - extent[0], extent[3] - extent[1]))
        row, numbers = drawn(Layout(side), extent, inner, own, nodes, hull=host._wanted.hull)
        index = self._level(float(np.ptp(face.landmarks[:, 0])))
        numbers[LEVEL:LIGHT] = self._places[index]
        numbers[VEIL:RING] = self._black_level_numbers(face, own, extent)
        return row

    def _nothing(self, side: int) -> Row:
        """A face of which nothing is in its crop: an empty extent and level, so that the mask is 0."""
        row = np.zeros(Layout(side).size, np.uint8)
        numbers = row[: Layout(side).edges[1]].view(np.float32)
        numbers[:] = 1
        numbers[:4] = 0
        numbers[VEIL:RING] = 0, 0, 0, 0, TRACKS - 1, 1, 0
        return row

    def _level(self, face_px: float) -> int:
        levels = self._host._texture.levels
        chosen = self._host._texture.level_for(TEXELS_ACROSS / max(face_px, 1.0))
        return next(index for index, level in enumerate(levels) if level is chosen)

    def _black_level_numbers(
        self, face: BatchedTarget, own: Points, extent: tuple[int, int, int, int]
    ) -> tuple[float, float, float, float, float, float, float]:
        """The box to look at, the slot, the past's share, and 1 where the veil is due:
        ``MeshSwapper._black_level_over``."""
        slot = self._slot(face.track_id)
        since = self._measured.get(face.track_id, -math.inf)
        x1, y1, x2, y2 = clip_box(box_of(own), extent[2] - extent[0], extent[3] - extent[1])
        due = x1 < x2 and y1 < y2 and not 0 <= face.time_s - since < VEIL_EVERY_S
        if due:
            self._measured[face.track_id] = face.time_s
        share = math.exp(-max(0.0, face.time_s - since) / VEIL_S)
        left, top = extent[:2]
        return x1 + left, y1 + top, x2 + left, y2 + top, slot, share, float(due)

    def _slot(self, track_id: int) -> int:
        """Its own as long as there are any; the last is for nobody. With more tracks the oldest loses its."""
        if track_id not in self._slots:
            taken = set(self._slots.values())
            free = next((slot for slot in range(TRACKS - 1) if slot not in taken), None)
            if free is None:
                oldest = next(iter(self._slots))
                free = self._slots.pop(oldest)
                self._measured.pop(oldest, None)
            self._slots[track_id] = free
        return self._slots[track_id]
