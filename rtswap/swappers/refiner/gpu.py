"""The refiner on a GPU: the host places and outlines the faces, then one upload and no synchronisation.

``swapper`` and ``crop_view`` describe the method; constants and landmark geometry are theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine, SwapModel, Swapper
from rtswap.core.types import BatchedTarget, Matrix, Quality, SourceIdentity, SwappedBatch, TargetBatch
from rtswap.gpu.batched_run import run_batched, run_of
from rtswap.gpu.crops import CUT, halve, pixels_seen
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Tensor, bilinear, rounded, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.swappers.mesh.gpu import TRACKS, GpuMeshSwapper
from rtswap.swappers.mesh.gpu_rows import Row
from rtswap.swappers.refiner.crop_view import (
    CELLS,
    EDGE_SIGMA,
    LOW_SIGMA,
    LOW_SIZE,
    MOST,
    NODES,
    SHRINK,
    SIZE,
    inside_of,
    place,
    to_cells,
)
from rtswap.swappers.refiner.swapper import RefinerSwapper, smoothing_share
from rtswap.vision.crops import FLAT, sampling
from rtswap.vision.geometry import transform

torch = load_torch()

MOST_HALVINGS = math.ceil(math.log2(SHRINK.below / FLAT))
HALVINGS, BACK, EXTENT, SLOT, SHARE, PLACED, NUMBERS = CUT, CUT + 1, CUT + 7, CUT + 9, CUT + 10, CUT + 11, CUT + 12
"""Offsets of the floats in a face's row: how to cut it out; how often to halve it; affine from the crop to the
field of gains (6); the crop's width and height; the slot of the smoothed gains; the weight of the new ones; 1 = the
landmarks form a face. The bytes of ``inside_of`` follow."""


@dataclass(frozen=True, slots=True)
class GpuRefinerSwapModel:
    """Implements ``protocols.SwapModel``. ``base``: a model for the same GPU. ``generator`` as in
    ``RefinerSwapModel``."""

    base: SwapModel
    generator: Engine

    def bind(self, source: SourceIdentity) -> Swapper:
        base = self.base.bind(source)
        assert isinstance(base, GpuMeshSwapper)
        return GpuRefinerSwapper(base, self.generator)


class GpuRefinerSwapper:
    """Implements ``protocols.GpuSwapper``, and ``protocols.Swapper`` on the host."""

    def __init__(self, base: GpuMeshSwapper, generator: Engine) -> None:
        self._base, self._run = base, run_of(generator)
        self._host = RefinerSwapper(base, generator)
        self.view, self.swap = self._host.view, self._host.swap
        device = self._device = base.device
        self._blurs = [
            uploaded(blurring(count, sigma, reach), device)
            for count, sigma, reach in ((LOW_SIZE, LOW_SIGMA, 4), (SIZE, EDGE_SIGMA * SIZE, 3))
        ]
        self._gains = torch.ones((TRACKS, CELLS, CELLS, 3), device=device)
        """Per slot: the smoothed gains."""
        self._since: dict[int, tuple[int, float]] = {}
        """Per slot: track id and time of them."""
        on_gpu = device.type == "cuda"
        self._crop_view, self._refined = Captured(crop_view, 4, on_gpu=on_gpu), Captured(refined, 3, on_gpu=on_gpu)

    def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch:
        """Implements ``protocols.GpuSwapper``. Raises EngineError, and ModelError if the network's output violates
        its contract."""
        swapped = self._base.swap_all(targets, quality)
        matrices = [place(face.landmarks) if quality.match_color else None for face in targets.faces]
        if all(matrix is None for matrix in matrices):
            return swapped
        slots = [self._slot(face, matrix) for face, matrix in zip(targets.faces, matrices, strict=True)]
        with torch.inference_mode():
            found = zip(targets.faces, matrices, slots, strict=True)
            rows = uploaded(np.stack([self._row(*one) for one in found]), self._device)
            views = self._crop_view(targets.crops, swapped.crops, swapped.masks, rows, *self._blurs)
            inputs = dict(zip(("composite", "lowered", "mask"), views, strict=True))
            gains = run_batched("face", self._run, inputs, "gains", (CELLS, CELLS, 3))
            crops = self._refined(swapped.crops, gains, rows, self._gains)
        for face, slot in zip(targets.faces, slots, strict=True):
            self._since[slot] = face.track_id, face.time_s
        return SwappedBatch(crops, swapped.masks)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._host.forget(track_id)
        self._since = {slot: one for slot, one in self._since.items() if one[0] != track_id}

    def _slot(self, face: BatchedTarget, matrix: Matrix | None) -> int:
        """Slot of the track; the last slot is for faces without a place."""
        return TRACKS - 1 if matrix is None else self._base.slot(face.track_id)

    def _row(self, face: BatchedTarget, matrix: Matrix | None, slot: int) -> Row:
        """Pack the geometry of one face for the GPU."""
        row = np.zeros(4 * NUMBERS + SIZE**2, np.uint8)
        numbers = row[: 4 * NUMBERS].view(np.float32)
        numbers[EXTENT : SLOT + 1] = *face.size, slot
        if matrix is None:
            return row
        numbers[:CUT], numbers[HALVINGS] = sampling(matrix, face.size, SHRINK)
        numbers[BACK:EXTENT] = to_cells(matrix).ravel()
        numbers[SHARE:NUMBERS] = self._share(face, slot), 1
        row[4 * NUMBERS :] = inside_of(transform(matrix, face.landmarks[:, :2])).ravel()
        return row

    def _share(self, face: BatchedTarget, slot: int) -> float:
        """Weight of the new gains, 0..1."""
        track_id, since = self._since.get(slot, (face.track_id, -math.inf))
        return smoothing_share(face.time_s - since) if track_id == face.track_id else 1.0


def blurring(count: int, sigma: float, reach: int) -> NDArray[np.float32]:
    """Matrix (count, count) that blurs a column as OpenCV does, truncated at ``reach`` sigmas, with replicated
    borders."""
    size = round(2 * reach * sigma + 1) | 1
    place, matrix = np.arange(count), np.zeros((count, count), np.float32)
    for tap, weight in enumerate(cv2.getGaussianKernel(size, sigma).ravel()):
        np.add.at(matrix, (place, np.clip(place + tap - size // 2, 0, count - 1)), weight)
    return matrix


def numbers_of(rows: Tensor) -> Tensor:
    """The float32 part of the rows, (N, NUMBERS)."""
    return rows[:, : 4 * NUMBERS].contiguous().view(torch.float32)


def crop_view(
    crops: Tensor, swapped: Tensor, masks: Tensor, rows: Tensor, slow: Tensor, edge: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The network's inputs, as ``crop_view.crop_view``: composite, target low-passed inside (N, S, S, 3), mask
    (N, S, S), uint8. ``rows`` (N, B) from ``GpuRefinerSwapper._row``; ``slow`` and ``edge`` are matrices that
    blur columns."""
    numbers = numbers_of(rows)
    faces = cut_out(torch.cat([crops, swapped], 3).permute(0, 3, 1, 2).float(), numbers)
    target, source = faces[:, :3], faces[:, 3:]
    mask = cut_out(masks[:, None].float(), numbers, zero=True)
    inside = rows[:, 4 * NUMBERS :].view(-1, 1, SIZE, SIZE).float()
    lowered = low_passed(target, inside, slow, edge)
    composite = (target + mask / 255 * (source - target)).round()
    composite, lowered = (one.to(torch.uint8).permute(0, 2, 3, 1).contiguous() for one in (composite, lowered))
    return composite, lowered, mask[:, 0].to(torch.uint8)


def cut_out(planes: Tensor, numbers: Tensor, *, zero: bool = False) -> Tensor:
    """Cut (N, C, SIZE, SIZE) from ``planes`` (N, C, S, S), halving each as often as needed, as
    ``vision.crops.cut``."""
    found = pixels_seen(planes, numbers, SIZE, zero=zero)
    for halvings in range(1, 1 + min(MOST_HALVINGS, planes.shape[-1].bit_length() - 1)):
        planes = halve(planes)
        due = numbers[:, HALVINGS, None, None, None] == halvings
        found = torch.where(due, pixels_seen(planes, numbers, SIZE, zero=zero), found)
    return found.round()


def low_passed(target: Tensor, inside: Tensor, slow: Tensor, edge: Tensor) -> Tensor:
    """``crop_view.low_passed`` on planes, (N, 3, S, S)."""
    side = target.shape[-1]
    share = torch.nn.functional.avg_pool2d(inside, side // LOW_SIZE) / 255
    small = torch.nn.functional.avg_pool2d(target, side // LOW_SIZE).round() * share
    planes = slow @ torch.cat([small, share], 1) @ slow.T
    low = (planes[:, :3] / planes[:, 3:].clamp(min=1e-3)).clamp(0, 255).floor()
    full = torch.nn.functional.interpolate(low, size=(side, side), mode="bilinear", align_corners=False).round()
    shown = (edge @ inside @ edge.T).round() / 255
    return (target + shown * (full - target)).round()


def refined(swapped: Tensor, gains: Tensor, rows: Tensor, kept: Tensor) -> Tensor:
    """Multiply the crops (N, side, side, 3) by the network's ``gains`` (N, CELLS, CELLS, 3), as
    ``crop_view.draw_gains``. ``kept`` (T, CELLS, CELLS, 3): gains smoothed over time, updated here."""
    numbers = numbers_of(rows)
    slot, share = numbers[:, SLOT].long(), numbers[:, SHARE, None, None, None]
    past = kept.index_select(0, slot)
    now = gains.float().nan_to_num(1.0).clamp(math.exp(-MOST), math.exp(MOST))  # as ``swapper.bounded``
    followed = past + share * (now - past)
    kept.index_copy_(0, slot, followed)
    full = laid_over(followed.permute(0, 3, 1, 2), numbers, swapped.shape[1]).permute(0, 2, 3, 1)
    placed = numbers[:, PLACED, None, None, None] > 0
    return torch.where(placed, rounded(swapped.float() * full), swapped)


def laid_over(planes: Tensor, numbers: Tensor, side: int) -> Tensor:
    """Draw ``planes`` (N, C, S, S) over the crops, (N, C, side, side), by way of nodes as ``crop_view.draw_gains``; a
    crop's last pixels are repeated."""
    a, b, c, d, e, f = numbers[:, BACK:EXTENT].T[:, :, None, None]
    extents = numbers[:, EXTENT:SLOT].clamp(min=1).T[:, :, None, None]
    counts = extents.clamp(max=NODES)
    node, place = (torch.arange(count, device=planes.device, dtype=torch.float32) for count in (NODES, side))
    x, y = ((at + 0.5) * length / count - 0.5
            for at, length, count in zip((node[None], node[:, None]), extents, counts, strict=True))  # fmt: skip
    nodes = bilinear(planes, a * x + b * y + c, d * x + e * y + f)
    x, y = ((torch.minimum(at, length - 1) + 0.5) * count / length - 0.5
            for at, length, count in zip((place[None], place[:, None]), extents, counts, strict=True))  # fmt: skip
    x, y = torch.broadcast_tensors(torch.minimum(x, counts[0] - 1), torch.minimum(y, counts[1] - 1))
    return bilinear(nodes, x, y)
