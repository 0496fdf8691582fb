"""Damage to swapped faces that a real photo does too: uneven light, cast shadows, gloss, strands of hair, casts.

Everything is drawn per face on the batch's device, as smooth functions of the place, and shown where the swap was
pasted alone. Places go from -1 to 1 over the crop, light from 0 to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

UNEVEN, SHADED, GLOSSY, STRANDS, CAST, BLURRED = 0.4, 0.35, 0.25, 0.12, 0.5, 0.12
"""How many faces in one get each kind."""


def damaged(pictures: Tensor, mask: Tensor) -> Tensor:
    """``pictures`` (N, 3, S, S) -1..1, changed where ``mask`` (N, 1, S, S) 0..1 is."""
    dice = _Dice(pictures)
    light = (pictures + 1) / 2
    light = light * torch.exp(dice.some(UNEVEN) * dice.field(0.2) + dice.some(CAST) * dice.normal(3, 0.07))
    light = light * (1 - dice.some(SHADED) * dice.shadow())
    for share in (GLOSSY, GLOSSY):
        light = light + dice.some(share) * dice.blob() * dice.between(0.05, 0.45) * (1 - light)
    for _ in range(3):
        hair = dice.some(STRANDS) * dice.strand()
        light = light + hair * (dice.between(0.0, 0.7) - light)
    soft = nn.functional.avg_pool2d(light, 3, 1, 1, count_include_pad=False)
    light = light + dice.some(BLURRED) * dice.between(0.3, 1) * (soft - light)
    changed = pictures + mask * ((2 * light - 1).clamp(-1, 1) - pictures)
    return changed.contiguous(memory_format=torch.channels_last)


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

    def some(self, share: float) -> Tensor:
        """(N, 1, 1, 1) 1 for that share of the faces, else 0."""
        return (self.between(0, 1) < share).float()

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

    def strand(self) -> Tensor:
        """(N, 1, S, S) a thin bent line over a part of the face, 1 in its middle."""
        along, across = self.along()
        bent = across + self.between(-0.5, 0.5) * along**2 - self.between(-0.5, 0.5)
        reach = torch.sigmoid((self.between(0.2, 0.9) - (along - self.between(-0.5, 0.5)).abs()) / 0.05)
        return reach * self.between(0.4, 1) * torch.exp(-((bent / self.between(0.008, 0.03)) ** 2))
