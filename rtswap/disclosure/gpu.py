"""Watermark and badge on a GPU: the arithmetic of ``watermark`` and ``badge``, bit for bit.

State that changes from frame to frame (busy blocks, the choice of badge) stays on the GPU, without synchronisation.
The badge is chosen before the watermark is added, which does not change the frame's mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtswap.disclosure.badge import DEAD_BAND, MIDDLE_GREY, PATIENCE, Badge, render
from rtswap.disclosure.watermark import LEAST_SIDE, Payload, tiles
from rtswap.disclosure.watermark_gain import CLOSED, LEVELS, SAMPLES, Gain
from rtswap.disclosure.watermark_pattern import tile_side
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Device, Tensor, rounded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()


class GpuMarks:
    """Watermark and badge for the frames of one stream of ``size`` (width, height). No payload, or frames smaller
    than 160 px: no watermark. No badge given: no badge."""

    def __init__(self, badge: Badge | None, payload: Payload | None, size: tuple[int, int], device: Device) -> None:
        marked = payload is not None and min(size) >= LEAST_SIDE
        self.watermark = GpuWatermark(payload, size, device) if payload is not None and marked else None
        self.badge = GpuBadge(badge, size, device) if badge is not None else None

    def write(self, frame: Tensor) -> None:
        """Draw both into ``frame`` (H, W, 3) BGR uint8, in place."""
        for part in (self.watermark, self.badge):
            if part is not None:
                part.look_at(frame)
        if frame.device.type == "cuda":
            from rtswap.disclosure.triton_marks import write_marks

            write_marks(frame, self.watermark, self.badge)
        else:
            write_plain(frame, self.watermark, self.badge)


class GpuWatermark:
    """The pattern on the GPU and the strength of its blocks: the counterpart of ``watermark_gain.Gain``."""

    def __init__(self, payload: Payload, size: tuple[int, int], device: Device) -> None:
        side = tile_side(*size)
        gain = Gain(*size, side)
        self.tiles = torch.from_numpy(tiles(payload, side)).to(device)
        """(L, S, S) int8: the change of each of B, G and R, for every strength."""
        self.column_blocks, self.row_blocks = (
            torch.from_numpy(_blocks(edges)).to(device) for edges in (gain.x, gain.y)
        )
        """Index of the block of every column and row of the frame."""
        self.levels = torch.zeros((len(gain.y) - 1, len(gain.x) - 1), dtype=torch.uint8, device=device)
        self._own = self.levels.clone()
        self._columns, self._rows = (
            torch.from_numpy(_samples(length, count)).to(device)
            for length, count in zip(size, gain.samples, strict=True)
        )
        self.next_levels = Captured(_next_levels, 2, on_gpu=device.type == "cuda")

    def look_at(self, frame: Tensor) -> None:
        """Update the strength of each block."""
        own, levels = self.next_levels(frame[self._rows[:, None], self._columns, 1], self._own)
        self._own.copy_(own)
        self.levels.copy_(levels)


class GpuBadge:
    """The badge's styles on the GPU, and the selected one: the counterpart of ``badge.Patch``."""

    def __init__(self, badge: Badge, size: tuple[int, int], device: Device) -> None:
        patch = render(badge, *size)
        self.corner = patch.x, patch.y
        self.inks, self.keeps = (
            torch.from_numpy(np.stack(pictures)).to(device)
            for pictures in zip(*((layer.ink, layer.keep) for layer in patch.layers), strict=True)
        )
        """(L, h, w, 3) uint8 each: ``out = frame * keep / 255 + ink``."""
        self.chosen = torch.zeros((), dtype=torch.int32, device=device)
        self._against = torch.zeros((), dtype=torch.int32, device=device)
        self._first = True
        self.next_choice = Captured(_next_choice, 3, on_gpu=device.type == "cuda")

    def look_at(self, frame: Tensor) -> None:
        """Select the style by the background. The first frame decides at once."""
        if len(self.inks) == 1:
            return
        (x, y), (height, width) = self.corner, self.inks.shape[1:3]
        step = max(1, height // 10)
        beneath = frame[y : y + height : step, x : x + width : step, 1]
        if self._first:
            self._first = False
            self.chosen.copy_((beneath.double().mean() < MIDDLE_GREY).int())
            return
        chosen, against = self.next_choice(beneath, self.chosen, self._against)
        self.chosen.copy_(chosen)
        self._against.copy_(against)


def write_plain(frame: Tensor, watermark: GpuWatermark | None, badge: GpuBadge | None) -> None:
    """Draw with plain torch operations. The watermark first, so that it does not show through the badge."""
    if watermark is not None:
        height, width = frame.shape[:2]
        side = watermark.tiles.shape[1]
        levels = watermark.levels[watermark.row_blocks[:, None], watermark.column_blocks[None]].long()
        down, across = (torch.arange(length, device=frame.device) % side for length in (height, width))
        change = watermark.tiles[levels, down[:, None], across[None]]
        frame.copy_((frame.short() + change[..., None]).clamp(0, 255).to(torch.uint8))
    if badge is not None:
        (x, y), (height, width) = badge.corner, badge.inks.shape[1:3]
        region = frame[y : y + height, x : x + width]
        ink, keep = (layers.index_select(0, badge.chosen[None])[0] for layers in (badge.inks, badge.keeps))
        own = (region.float() * keep / 255).round()
        region.copy_(rounded(own + ink))


def _next_levels(samples: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Levels of the blocks (rows, columns) by their own samples, and those shown, from the green channel of every
    sample and the previous own levels."""
    rows, columns = last.shape
    missing = (0, columns * SAMPLES - samples.shape[1], 0, rows * SAMPLES - samples.shape[0])
    curved = {
        reach: torch.nn.functional.pad(_curve(samples, reach), missing, mode="replicate")
        for reach in {level.reach for level in LEVELS}
    }
    levels = torch.zeros_like(last)
    for number, level in enumerate(LEVELS, start=1):
        counts = (curved[level.reach].clamp(max=255) > level.busy).float() * 255
        share = torch.nn.functional.avg_pool2d(counts, SAMPLES)[0, 0].round()
        asked = torch.where(last >= number, 255 * level.stay, 255 * level.enter)
        levels = torch.where(share >= asked, number, levels)
    wide = torch.nn.functional.max_pool2d(levels.clamp(max=1).float()[None, None], CLOSED, 1, CLOSED // 2)
    between = -torch.nn.functional.max_pool2d(-wide, CLOSED, 1, CLOSED // 2)[0, 0]
    shown = torch.maximum(levels, between.to(levels.dtype)) + 1
    return levels, torch.where((levels > 0).any(), shown, levels)


def _curve(samples: Tensor, reach: int) -> Tensor:
    """The absolute Laplacian over ``reach`` samples, (1, 1, rows, columns)."""
    green = samples.float()[None, None]
    around = torch.nn.functional.pad(green, (reach,) * 4, mode="reflect")
    beside, twice = slice(reach, -reach), 2 * reach
    return (
        around[..., :-twice, beside] + around[..., twice:, beside]
        + around[..., beside, :-twice] + around[..., beside, twice:] - 4 * green
    ).abs()  # fmt: skip


def _next_choice(beneath: Tensor, chosen: Tensor, against: Tensor) -> tuple[Tensor, Tensor]:
    """The style to show from now on, and the number of consecutive frames that favour the other."""
    grey = beneath.double().mean()
    dark = (grey < MIDDLE_GREY).int()
    other = ((grey - MIDDLE_GREY).abs() > DEAD_BAND) & (dark != chosen)
    against = torch.where(other, against + 1, 0)
    turned = against >= PATIENCE
    return torch.where(turned, 1 - chosen, chosen), torch.where(turned, 0, against)


def _blocks(edges: Sequence[int]) -> NDArray[np.int64]:
    """Index of the block of every pixel."""
    return np.asarray(np.repeat(np.arange(len(edges) - 1), np.diff(edges)), np.int64)


def _samples(length: int, count: int) -> NDArray[np.int64]:
    """The ``count`` of ``length`` pixels that OpenCV's INTER_NEAREST samples."""
    return np.asarray(np.minimum(np.floor(np.arange(count) * (length / count)), length - 1), np.int64)
