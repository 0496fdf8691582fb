"""The invisible mark and the badge where the frame is: the same arithmetic as in ``disclosure``, bit for bit.

What they look like comes as arrays, so that this room knows nothing of that one. What changes from frame to frame
(which blocks are busy, which of two badges stands out) stays on the device: nobody waits for it. The badge is chosen
before the mark is in the picture, whose mean it does not change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import Device, Tensor, rounded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """The invisible mark for frames of one size (docs/watermark.md)."""

    tiles: NDArray[np.int8]
    """(L, S, S) what is added to each of B, G and R, for every strength."""
    columns: tuple[int, ...]
    """Where blocks begin, and the frame's width."""
    rows: tuple[int, ...]
    samples: tuple[int, int]
    """(across, down) pixels that are looked at to find busy blocks."""
    per_block: int
    """How many of them per block, each way."""
    busy: tuple[float, ...]
    """What a sample's curvature must exceed, for each strength above the weakest."""
    enter: float
    stay: float
    """Share of a block's samples that must, to take a strength and to keep it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """The badge for frames of one size: ``out = frame * keep / 255 + ink``."""

    corner: tuple[int, int]
    """x, y"""
    inks: tuple[NDArray[np.uint8], ...]
    """(h, w, 3) each: on bright, then on dark; or one."""
    keeps: tuple[NDArray[np.uint8], ...]
    middle: float
    """The grey between bright and dark."""
    band: float
    """Greys on either side of it that change nothing."""
    patience: int
    """Frames in a row that must speak for the other one."""


class PatternState:
    """A pattern on the device, and how busy its blocks are. One per stream and size."""

    def __init__(self, pattern: Pattern, device: Device) -> None:
        self.pattern = pattern
        self.tiles = torch.from_numpy(pattern.tiles).to(device)
        self.column_blocks, self.row_blocks = (
            torch.from_numpy(_blocks(edges)).to(device) for edges in (pattern.columns, pattern.rows)
        )
        down, across = len(pattern.rows) - 1, len(pattern.columns) - 1
        self.levels = torch.zeros((down, across), dtype=torch.uint8, device=device)
        self._columns, self._rows = (
            torch.from_numpy(_samples(edges[-1], count)).to(device)
            for edges, count in zip((pattern.columns, pattern.rows), pattern.samples, strict=True)
        )
        self._busy = Captured(self._levels, 2, on_gpu=self.levels.device.type == "cuda")

    def look_at(self, frame: Tensor) -> None:
        """Find the busy blocks anew: what ``disclosure.watermark_gain`` does."""
        self.levels.copy_(self._busy(frame[self._rows[:, None], self._columns, 1], self.levels))

    def _levels(self, samples: Tensor, last: Tensor) -> Tensor:
        """From every sample's green, and the levels of the frame before."""
        pattern, green = self.pattern, samples.float()[None, None]
        around = torch.nn.functional.pad(green, (1, 1, 1, 1), mode="reflect")
        curved = (
            around[..., :-2, 1:-1]
            + around[..., 2:, 1:-1]
            + around[..., 1:-1, :-2]
            + around[..., 1:-1, 2:]
            - 4 * green
        ).abs()
        rows, columns = last.shape
        missing = (0, columns * pattern.per_block - green.shape[3], 0, rows * pattern.per_block - green.shape[2])
        curved = torch.nn.functional.pad(curved, missing, mode="replicate")
        levels = torch.zeros_like(last)
        for level, limit in enumerate(pattern.busy, start=1):
            counts = (curved.clamp(max=255) > limit).float() * 255
            share = torch.nn.functional.avg_pool2d(counts, pattern.per_block)[0, 0].round()
            asked = torch.where(last >= level, 255 * pattern.stay, 255 * pattern.enter)
            levels = torch.where(share >= asked, level, levels)
        return levels


class PlateState:
    """A badge on the device, and which of its looks is shown. One per stream and size."""

    def __init__(self, plate: Plate, device: Device) -> None:
        self.plate = plate
        self.inks, self.keeps = (
            torch.from_numpy(np.stack(pictures)).to(device) for pictures in (plate.inks, plate.keeps)
        )
        self.chosen = torch.zeros((), dtype=torch.int32, device=device)
        self._against = torch.zeros((), dtype=torch.int32, device=device)
        self._first = True
        self._next = Captured(self._decided, 3, on_gpu=self.chosen.device.type == "cuda")

    def look_at(self, frame: Tensor) -> None:
        """Choose by what lies beneath: what ``disclosure.badge`` does. The first frame decides at once."""
        if len(self.plate.inks) == 1:
            return
        (x, y), (height, width) = self.plate.corner, self.plate.inks[0].shape[:2]
        step = max(1, height // 10)
        beneath = frame[y : y + height : step, x : x + width : step, 1]
        if self._first:
            self._first = False
            self.chosen.copy_((beneath.double().mean() < self.plate.middle).int())
            return
        chosen, against = self._next(beneath, self.chosen, self._against)
        self.chosen.copy_(chosen)
        self._against.copy_(against)

    def _decided(self, beneath: Tensor, chosen: Tensor, against: Tensor) -> tuple[Tensor, Tensor]:
        """Which one is shown from now on, and for how many frames in a row the other would have been better."""
        plate, grey = self.plate, beneath.double().mean()
        dark = (grey < plate.middle).int()
        other = ((grey - plate.middle).abs() > plate.band) & (dark != chosen)
        against = torch.where(other, against + 1, 0)
        turned = against >= plate.patience
        return torch.where(turned, 1 - chosen, chosen), torch.where(turned, 0, against)


def mark_plain(frame: Tensor, pattern: PatternState | None, plate: PlateState | None) -> None:
    """Write both into the frame, in plain torch. The mark first: the badge is not to be seen through it."""
    if pattern is not None:
        height, width = frame.shape[:2]
        side = pattern.tiles.shape[1]
        levels = pattern.levels[pattern.row_blocks[:, None], pattern.column_blocks[None]].long()
        down, across = (torch.arange(length, device=frame.device) % side for length in (height, width))
        change = pattern.tiles[levels, down[:, None], across[None]]
        frame.copy_((frame.short() + change[..., None]).clamp(0, 255).to(torch.uint8))
    if plate is not None:
        (x, y), (height, width) = plate.plate.corner, plate.inks.shape[1:3]
        region = frame[y : y + height, x : x + width]
        ink, keep = (layers.index_select(0, plate.chosen[None])[0] for layers in (plate.inks, plate.keeps))
        own = (region.float() * keep / 255).round()
        region.copy_(rounded(own + ink))


def _blocks(edges: tuple[int, ...]) -> NDArray[np.int64]:
    """For every pixel the block in which it lies."""
    return np.asarray(np.repeat(np.arange(len(edges) - 1), np.diff(edges)), np.int64)


def _samples(length: int, count: int) -> NDArray[np.int64]:
    """The pixels that OpenCV's INTER_NEAREST takes of ``length`` to make ``count``."""
    return np.asarray(np.minimum(np.floor(np.arange(count) * (length / count)), length - 1), np.int64)
