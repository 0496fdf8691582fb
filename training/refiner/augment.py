"""What is done to a batch anew each time: mirrored, toned, and its swapped faces damaged. All on the batch's device,
without waiting for it.

The damage is what a real photo does too: uneven light, cast shadows, gloss, strands of hair, casts. It is drawn per
face, as smooth functions of the place, and shown only where the swap was pasted. Places go from -1 to 1 over the
crop, light from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from training.refiner.pool import PICTURES, SHARES, Batch

NEARLY_RIGHT = 0.3
SOMEBODY = 0.6
"""How many of the photos are somebody else's."""
UNEVEN, SHADED, GLOSSY, STRANDS, CAST, BLURRED = 0.4, 0.35, 0.25, 0.12, 0.5, 0.12
"""How many faces in one get each kind."""


def augmented(batch: Batch) -> Batch:
    """A batch that nobody has seen before. ``clean`` is its composite before it was damaged."""
    right = _nearly_right(_toned(_mirrored(_strange(batch))))
    return replace(right, composite=damaged(right.composite, right.mask), clean=right.composite)


def _strange(batch: Batch) -> Batch:
    """Some photos are of another pair: whether photo and target are one person must not tell how much is to be
    mended, or of two people's pairs, which have no truth, little is."""
    others = torch.rand(len(batch), 1, 1, 1, device=batch.mask.device) < SOMEBODY
    return replace(batch, photo=torch.where(others, batch.photo.roll(len(batch) // 2, 0), batch.photo))


def _mirrored(batch: Batch) -> Batch:
    """Half of them the other way round; the crops of the watching networks then show what they showed before."""
    turn = torch.rand(len(batch), device=batch.mask.device) < 0.5

    def turned(name: str) -> Tensor:
        picture = getattr(batch, name)
        return torch.where(turn[:, None, None, None], picture.flip(3), picture)

    def seen(matrix: Tensor) -> Tensor:
        x, y, at = matrix.unbind(2)
        return torch.where(turn[:, None, None], torch.stack([-x, y, at + (batch.mask.shape[-1] - 1) * x], 2), matrix)

    changed = {name: turned(name) for name in (*PICTURES, *SHARES)}
    return replace(batch, **changed, known=seen(batch.known), mesh=seen(batch.mesh))


def _toned(batch: Batch) -> Batch:
    """Another exposure, veil and colour cast for everything; the source's photo gets its own."""

    def normal(channels: int, spread: float) -> Tensor:
        return spread * torch.randn(len(batch), channels, 1, 1, device=batch.mask.device)

    def shown(names: tuple[str, ...]) -> dict[str, Tensor]:
        gain = torch.exp(normal(1, 0.12) + normal(3, 0.05))
        offset = gain - 1 + normal(1, 0.04)
        return {name: torch.addcmul(offset, getattr(batch, name), gain).clamp_(-1, 1) for name in names}

    return replace(batch, **shown(PICTURES[:-1]), **shown(PICTURES[-1:]))


def _nearly_right(batch: Batch) -> Batch:
    """Some faces are given as good as they should become: what is right is to be left alone."""
    share = 0.3 + 0.7 * torch.rand(len(batch), device=batch.mask.device)
    chosen = (torch.rand_like(share) < NEARLY_RIGHT) & batch.known_truth
    share = (chosen * share)[:, None, None, None]
    return replace(
        batch, composite=batch.composite + share * (batch.truth - batch.composite) * batch.mask * batch.visible
    )


def damaged(pictures: Tensor, mask: Tensor, *, all_of_them: bool | None = None) -> Tensor:
    """``pictures`` (N, 3, S, S) -1..1, changed where ``mask`` (N, 1, S, S) 0..1 is.

    ``all_of_them``: compute each kind of damage for all pictures and take what is wanted; nothing then waits for a
    GPU, where this is the default. Else it is computed for those alone that get it."""
    some = _all if (pictures.is_cuda if all_of_them is None else all_of_them) else _some
    light = (pictures + 1) / 2
    light = some(CAST, light, lambda x, dice: x * torch.exp(dice.normal(3, 0.07)))
    light = some(UNEVEN, light, lambda x, dice: x * torch.exp(dice.field(0.2)))
    light = some(SHADED, light, lambda x, dice: x * (1 - dice.shadow()))
    for share in (GLOSSY, GLOSSY):
        light = some(share, light, lambda x, dice: x + dice.blob() * dice.between(0.05, 0.45) * (1 - x))
    for _ in range(3):
        light = some(STRANDS, light, lambda x, dice: x + dice.strand() * (dice.between(0.0, 0.7) - x))
    light = some(BLURRED, light, lambda x, dice: x + dice.between(0.3, 1) * (_soft(x) - x))
    changed = pictures + mask * ((2 * light - 1).clamp(-1, 1) - pictures)
    return changed.contiguous(memory_format=torch.channels_last)


def _soft(light: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(light, 3, 1, 1, count_include_pad=False)


Change = Callable[[Tensor, "_Dice"], Tensor]
"""Pictures and random numbers for each of them -> changed pictures."""


def _all(share: float, light: Tensor, change: Change) -> Tensor:
    dice = _Dice(light)
    return torch.where(dice.between(0, 1) < share, change(light, dice), light)


def _some(share: float, light: Tensor, change: Change) -> Tensor:
    rows = (torch.rand(len(light), device=light.device) < share).nonzero()[:, 0]
    chosen = light[rows]
    return light.index_copy(0, rows, change(chosen, _Dice(chosen))) if len(rows) else light


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

    def strand(self) -> Tensor:
        """(N, 1, S, S) a thin bent line over a part of the face, 1 in its middle."""
        along, across = self.along()
        bent = across + self.between(-0.5, 0.5) * along**2 - self.between(-0.5, 0.5)
        reach = torch.sigmoid((self.between(0.2, 0.9) - (along - self.between(-0.5, 0.5)).abs()) / 0.05)
        return reach * self.between(0.4, 1) * torch.exp(-((bent / self.between(0.008, 0.03)) ** 2))
