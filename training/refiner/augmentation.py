"""Random changes to each batch, on its device: mirroring, another tone, damage to the swapped faces.

The damage is what a real photo does too: uneven light, cast shadows, gloss, casts, another tone towards the seam. It
is drawn per face, as smooth functions of the place in cells of 2 px, and shown only where the swap was pasted. Places
go from -1 to 1 over the crop, light from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from training.refiner.pool import PICTURES, SHARES, Batch

UNEVEN, SHADED, GLOSSY, CAST, RIMMED = 0.3, 0.3, 0.2, 0.4, 0.25
"""How many faces in one get each kind."""
RIM = 9
"""Width, in cells of 2 px, of the box by which it is told what is near the seam."""

Change = Callable[[Tensor, "_Dice"], Tensor]
"""Gains and offsets of some faces (N, 6, S, S) and random numbers for each -> changed ones."""


def augment(batch: Batch) -> Batch:
    """Return a randomly changed batch. ``clean`` is its composite before it was damaged."""
    right = _tone(_mirror(batch) if torch.rand(()) < 0.5 else batch)
    return replace(right, composite=damage(right.composite, right.mask), clean=right.composite)


def _mirror(batch: Batch) -> Batch:
    """Mirror a batch; the crops of the watching network still show what they showed before."""
    x, y, at = batch.known.unbind(2)
    known = torch.stack([-x, y, at + (batch.mask.shape[-1] - 1) * x], 2)
    return replace(batch, **{name: getattr(batch, name).flip(3) for name in (*PICTURES, *SHARES)}, known=known)


def _tone(batch: Batch) -> Batch:
    """Change exposure, black level and colour cast of everything alike."""

    def normal(channels: int, spread: float) -> Tensor:
        return spread * torch.randn(len(batch), channels, 1, 1, device=batch.mask.device)

    gain = torch.exp(normal(1, 0.12) + normal(3, 0.05))
    offset = gain - 1 + normal(1, 0.04)
    return replace(
        batch, **{name: torch.addcmul(offset, getattr(batch, name), gain).clamp_(-1, 1) for name in PICTURES}
    )


def damage(pictures: Tensor, mask: Tensor) -> Tensor:
    """``pictures`` (N, 3, S, S) -1..1, changed where ``mask`` (N, 1, S, S) 0..1 is."""
    small = nn.functional.avg_pool2d(mask, 2)
    near = 2 - 2 * nn.functional.avg_pool2d(small, RIM, 1, RIM // 2).clamp(0.5, 1)
    change = torch.zeros(len(mask), 6, *small.shape[2:], device=mask.device)
    change[:, :3] = 1
    change = _some(CAST, change, lambda x, dice: x * torch.exp(dice.normal(3, 0.07)).repeat(1, 2, 1, 1))
    change = _some(UNEVEN, change, lambda x, dice: x * torch.exp(dice.field(0.2)))
    change = _some(SHADED, change, lambda x, dice: x * (1 - dice.shadow()).repeat(1, 2, 1, 1))
    for _ in range(2):
        change = _some(GLOSSY, change, _glossy)
    rim = _some(RIMMED, torch.zeros_like(small).expand(-1, 3, -1, -1).contiguous(), _rim)
    change = change * torch.exp(rim * near).repeat(1, 2, 1, 1)
    gain, offset = nn.functional.interpolate(change, pictures.shape[2:], mode="bilinear").split(3, 1)
    changed = ((pictures + 1) * gain + 2 * offset).clamp(0, 2) - 1
    return torch.lerp(pictures, changed, mask)


def _glossy(change: Tensor, dice: _Dice) -> Tensor:
    shine = dice.blob() * dice.between(0.05, 0.45)
    return torch.cat([change[:, :3] * (1 - shine), change[:, 3:] * (1 - shine) + shine], 1)


def _rim(nothing: Tensor, dice: _Dice) -> Tensor:
    return nothing + dice.normal(3, 0.05) + dice.field(0.12)


def _some(share: float, change: Tensor, how: Change) -> Tensor:
    rows = (torch.rand(len(change), device=change.device) < share).nonzero()[:, 0]
    chosen = change[rows]
    return change.index_copy(0, rows, how(chosen, _Dice(chosen))) if len(rows) else change


class _Dice:
    """Random numbers and shapes, one for each of N faces."""

    def __init__(self, pictures: Tensor) -> None:
        self._count, self._side, self._device = len(pictures), pictures.shape[-1], pictures.device
        line = torch.linspace(-1, 1, self._side, device=self._device)
        self._x, self._y = line[None, None, None, :], line[None, None, :, None]

    def between(self, low: float, high: float) -> Tensor:
        """(N, 1, 1, 1)"""
        return low + (high - low) * torch.rand(self._count, 1, 1, 1, device=self._device)

    def normal(self, channels: int, spread: float) -> Tensor:
        """(N, C, 1, 1)"""
        return spread * torch.randn(self._count, channels, 1, 1, device=self._device)

    def field(self, spread: float) -> Tensor:
        """(N, 1, S, S) a smooth random field about 0."""
        coarse = spread * torch.randn(self._count, 1, 4, 4, device=self._device)
        return nn.functional.interpolate(coarse, (self._side, self._side), mode="bicubic", align_corners=True)

    def along(self) -> tuple[Tensor, Tensor]:
        """(N, 1, S, S) each: places along and across a line of any direction through the middle."""
        angle = self.between(0, 2 * math.pi)
        cos, sin = torch.cos(angle), torch.sin(angle)
        return cos * self._x + sin * self._y, cos * self._y - sin * self._x

    def shadow(self) -> Tensor:
        """(N, 3, S, S) how much light a cast shadow with a bent edge, hard or soft, takes away."""
        along, across = self.along()
        bent = across + self.between(0, 0.15) * torch.sin(self.between(1, 7) * along + self.between(0, 6.3))
        softness = torch.exp(self.between(math.log(0.008), math.log(0.15)))
        covered = torch.sigmoid((bent - self.between(-0.5, 0.5)) / softness)
        return covered * (self.between(0.15, 0.65) * torch.exp(self.normal(3, 0.06))).clamp(0, 0.8)

    def blob(self) -> Tensor:
        """(N, 1, S, S) an oval spot, 1 in its middle."""
        along, across = self.along()
        wide, tall = self.between(0.05, 0.3), self.between(0.05, 0.3)
        return torch.exp(
            -(((along - self.between(-0.5, 0.5)) / wide) ** 2 + ((across - self.between(-0.5, 0.5)) / tall) ** 2)
        )
