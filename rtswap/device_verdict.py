"""What must be known of the pixels of swapped faces before they leave, counted on the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtswap.tensors import uploaded
from rtswap.torch_door import load_torch
from rtswap.types import DeviceFaces, DeviceSwapped, DeviceTensor, Tensor
from rtswap.workshop import (
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

torch = load_torch()

NOWHERE = -1


class Verdict:
    """On the faces of one frame, by the rules of ``workshop``. ``told`` hears what was counted on the device."""

    def __init__(self, targets: DeviceFaces, *, partial: bool) -> None:
        self._targets, self._partial = targets, partial
        self._side = targets.crops.shape[1]
        sizes = np.array([face.size for face in targets.faces], np.int64)
        rows = np.array([first_row(height) for height in sizes[:, 1]], np.int64)
        everywhere = [pixels_of(face.landmarks, face.size) for face in targets.faces]
        staked = [pixels_of(at_stake(face.landmarks, face.visibility), face.size) for face in targets.faces]
        self._asked = [[asked for *_, asked in places] for places in (everywhere, staked)]
        places = [self._at(one) for one in (everywhere, staked)]
        table = uploaded(np.concatenate([*places, sizes, rows[:, None]], 1), targets.crops.device)
        first, second = (one.shape[1] for one in places)
        self._places = table[:, :first], table[:, first : first + second]
        self._sizes, self._first_row = table[:, -3:-1], table[:, -1]
        self._counts: list[DeviceTensor] = []
        self._told: Tensor | None = None

    def look_at_swap(self, swapped: DeviceSwapped) -> None:
        """Raises ValueError for an answer that cannot be pasted."""
        self._look(swapped, 0)

    def look_at_finished(self, swapped: DeviceSwapped) -> None:
        """As ``look_at_swap``."""
        self._look(swapped, 1)

    def counts(self) -> DeviceTensor:
        """(N, 2 or 4) pixels that differ from the target's and landmarks that are replaced, for each look."""
        return torch.stack(self._counts, 1)

    def told(self, counts: Tensor) -> None:
        """``counts`` have come down."""
        self._told = counts

    def refused(self) -> dict[int, Exception]:
        """Index of a face -> why it cannot be shown. All of them where nothing was told."""
        if self._told is None:
            return dict.fromkeys(range(len(self._targets.faces)), RuntimeError("the GPU has not said what it did"))
        found: dict[int, Exception] = {}
        for index, (changed, replaced, *finished) in enumerate(self._told.tolist()):
            try:
                check_changed(changed > 0)
                check_replaced(share_of(replaced, self._asked[0][index]))
                if finished:
                    check_changed(finished[0] > 0)
                if finished and not self._partial:
                    check_shown(share_of(finished[1], self._asked[1][index]))
            except (ValueError, TooHidden) as error:
                found[index] = error
        return found

    def without(self, swapped: DeviceSwapped, kept: Sequence[bool]) -> DeviceSwapped:
        """The masks of the others empty."""
        keep = uploaded(np.array(kept, np.uint8), swapped.masks.device)
        return DeviceSwapped(swapped.crops, swapped.masks * keep[:, None, None])

    def _at(self, places: Sequence[tuple[Tensor, Tensor, int]]) -> Tensor:
        """(N, K) where the landmarks lie in a square."""
        most = max(len(x) for x, _, _ in places)
        found = np.full((len(places), most), NOWHERE, np.int64)
        for row, (x, y, _) in zip(found, places, strict=True):
            row[: len(x)] = y * self._side + x
        return found

    def _look(self, swapped: DeviceSwapped, which: int) -> None:
        crops, masks = self._targets.crops, swapped.masks
        for name, tensor, shape in (("crops", swapped.crops, crops.shape), ("masks", masks, crops.shape[:3])):
            if tensor.shape != shape or tensor.dtype != torch.uint8 or tensor.device != crops.device:
                raise ValueError(f"{name} of {tensor.dtype} {tuple(tensor.shape)}, expected uint8 {tuple(shape)}")
        at = self._places[which]
        replaced = (masks.reshape(len(masks), -1).gather(1, at.clamp(min=0)) >= 128) & (at != NOWHERE)
        self._counts += [self._changed(swapped.crops), replaced.sum(1)]

    def _changed(self, crops: DeviceTensor) -> DeviceTensor:
        """(N,) pixels of some rows that are not the target's."""
        steps = EVERY_ROW * torch.arange(-(-self._side // EVERY_ROW), device=crops.device)
        rows = self._first_row[:, None] + steps
        width, height = self._sizes[:, 0, None, None], self._sizes[:, 1, None, None]
        counted = (rows[..., None] < height) & (torch.arange(self._side, device=crops.device) < width)
        at = rows.clamp(max=self._side - 1)[..., None, None].expand(-1, -1, self._side, 3)
        ours, theirs = (picture.gather(1, at) for picture in (crops, self._targets.crops))
        return ((ours != theirs).any(3) & counted).sum((1, 2))
