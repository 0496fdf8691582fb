"""Check the pixels of swapped faces on the device, before the picture leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtswap.compositing.renderer import (
    EVERY_ROW,
    TooHidden,
    at_stake,
    check_changed,
    check_replaced,
    check_shown,
    first_row,
    pixels_of,
    share_of,
)
from rtswap.core.types import DeviceTensor, SwappedBatch, TargetBatch, Tensor
from rtswap.gpu.graphs import Captured
from rtswap.gpu.resample import uploaded
from rtswap.gpu.torch_import import load_torch

torch = load_torch()

NOWHERE = -1


class PixelCounts:
    """Counts on a device, by captured graphs: a dozen small kernels for each of the two checks of a frame."""

    def __init__(self) -> None:
        self._made: tuple[Captured, Captured] | None = None

    def count(
        self, which: int, theirs: DeviceTensor, ours: DeviceTensor, masks: DeviceTensor, table: DeviceTensor
    ) -> DeviceTensor:
        """(N, 2) pixels that differ and landmarks that are replaced: of the swap (0), after the finishes (1)."""
        if self._made is None:
            on_gpu = theirs.device.type == "cuda"
            self._made = Captured(count_pixels, 4, on_gpu=on_gpu), Captured(count_pixels, 4, on_gpu=on_gpu)
        return self._made[which](theirs, ours, masks, table, which)


def count_pixels(
    theirs: DeviceTensor, ours: DeviceTensor, masks: DeviceTensor, table: DeviceTensor, which: int
) -> DeviceTensor:
    """As ``PixelCounts.count``. ``table`` (N, 2 K + 3): positions of the landmarks in the square for both checks,
    width, height and the first row to compare."""
    side, many = theirs.shape[1], (table.shape[1] - 3) // 2
    at = table[:, which * many : (which + 1) * many]
    replaced = (masks.reshape(len(masks), -1).gather(1, at.clamp(min=0)) >= 128) & (at != NOWHERE)
    width, height, first = table[:, -3:].T[:, :, None]
    rows = first + EVERY_ROW * torch.arange(-(-side // EVERY_ROW), device=theirs.device)
    within = (rows < height)[..., None] & (torch.arange(side, device=theirs.device) < width)[:, None]
    lines = rows.clamp(max=side - 1)[..., None, None].expand(-1, -1, side, 3)
    differ = (ours.gather(1, lines) != theirs.gather(1, lines)).any(3) & within
    return torch.stack([differ.sum((1, 2)), replaced.sum(1)], 1)


class RenderChecks:
    """The checks on the faces of one frame, by the rules of ``renderer``. ``told`` receives the counts from the
    device."""

    def __init__(self, targets: TargetBatch, *, partial: bool, counts: PixelCounts) -> None:
        self._targets, self._partial, self._pixel_counts = targets, partial, counts
        self._side = targets.crops.shape[1]
        sizes = np.array([face.size for face in targets.faces], np.int64)
        rows = np.array([first_row(height) for height in sizes[:, 1]], np.int64)
        everywhere = [pixels_of(face.landmarks, face.size) for face in targets.faces]
        staked = [pixels_of(at_stake(face.landmarks, face.visibility), face.size) for face in targets.faces]
        self._asked = [[asked for *_, asked in places] for places in (everywhere, staked)]
        places = [self._at(one) for one in (everywhere, staked)]
        self._table = uploaded(np.concatenate([*places, sizes, rows[:, None]], 1), targets.crops.device)
        self._counts: list[DeviceTensor] = []
        self._told: Tensor | None = None

    def look_at_swap(self, swapped: SwappedBatch) -> None:
        """Raises ValueError for a result that cannot be pasted."""
        self._look(swapped, 0)

    def look_at_finished(self, swapped: SwappedBatch) -> None:
        """As ``look_at_swap``."""
        self._look(swapped, 1)

    def counts(self) -> DeviceTensor:
        """(N, 2 or 4) pixels that differ from the target's and landmarks that are replaced, for each check."""
        return torch.cat(self._counts, 1)

    def told(self, counts: Tensor) -> None:
        """Receive the downloaded counts."""
        self._told = counts

    def refused(self) -> dict[int, Exception]:
        """Return index of a face -> reason why it cannot be shown; every face if no counts were received."""
        if self._told is None:
            return dict.fromkeys(range(len(self._targets.faces)), RuntimeError("the GPU returned no result"))
        found: dict[int, Exception] = {}
        for index, (changed, replaced, *finished) in enumerate(self._told.tolist()):
            try:
                check_changed(changed > 0)
                check_replaced(share_of(replaced, self._asked[0][index]), self._targets.faces[index].visibility)
                if finished:
                    check_changed(finished[0] > 0)
                if finished and not self._partial:
                    check_shown(share_of(finished[1], self._asked[1][index]))
            except (ValueError, TooHidden) as error:
                found[index] = error
        return found

    def without(self, swapped: SwappedBatch, kept: Sequence[bool]) -> SwappedBatch:
        """Return the masks with those of rejected faces emptied."""
        keep = uploaded(np.array(kept, np.uint8), swapped.masks.device)
        return SwappedBatch(swapped.crops, swapped.masks * keep[:, None, None])

    def _at(self, places: Sequence[tuple[Tensor, Tensor, int]]) -> Tensor:
        """Return (N, K) indices of the landmarks in a square: the same number for every frame, so that captured
        graphs can be reused."""
        found = np.full((len(places), len(self._targets.faces[0].landmarks)), NOWHERE, np.int64)
        for row, (x, y, _) in zip(found, places, strict=True):
            row[: len(x)] = y * self._side + x
        return found

    def _look(self, swapped: SwappedBatch, which: int) -> None:
        check_shapes(swapped, self._targets)
        crops = self._targets.crops
        self._counts.append(self._pixel_counts.count(which, crops, swapped.crops, swapped.masks, self._table))


def check_shapes(swapped: SwappedBatch, targets: TargetBatch) -> None:
    """Raises ValueError for a result that cannot be pasted."""
    crops = targets.crops
    for name, tensor, shape in (("crops", swapped.crops, crops.shape), ("masks", swapped.masks, crops.shape[:3])):
        if tensor.shape != shape or tensor.dtype != torch.uint8 or tensor.device != crops.device:
            raise ValueError(f"{name} of {tensor.dtype} {tuple(tensor.shape)}, expected uint8 {tuple(shape)}")
