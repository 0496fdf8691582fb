"""The network that says where heads may be: 0.3 M parameters, fully convolutional, one map of cells for each of three
ranges of sizes. It sees light and colour as ratios, so that neither dark nor a coloured lamp changes much."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rtswap.networks.heads import CELLS, RANGES
from rtswap.training.layers import Residual, conv

BEGIN = 0.5
"""How much every residual block says before it has learned."""
WEIGHTS = {"found": 1.0, "place": 0.5}
RARE = 0.02
"""Share of cells with a head that the network expects before it has learned."""
NEAR, AROUND = 0.3, 0.85
"""Cells nearer to a head's middle than ``NEAR`` of its height shall find it; those up to ``AROUND`` may."""
HARD = 2.0
"""Exponent of the focal loss (Lin et al. 2017)."""
MISSED = 2.0
"""How much worse a missed head is than one that is not there."""


class HeadNetwork(nn.Module):
    """(N, 3, H, W) ratios, sides multiples of 32 -> for each of ``CELLS`` (N, 4, H / cell, W / cell): logit, offset
    of the middle in cells (x, y), log2 of the height in cells."""

    def __init__(self, fine: int = 16, middle: int = 32, coarse: int = 48, top: int = 64) -> None:
        super().__init__()
        self.stem = conv(3, fine, 6, 4)
        self.eighth = nn.Sequential(conv(fine, middle, stride=2), Residual(middle, BEGIN))
        self.sixteenth = nn.Sequential(conv(middle, coarse, stride=2), Residual(coarse, BEGIN))
        self.thirtieth = nn.Sequential(conv(coarse, top, stride=2), Residual(top, BEGIN), Residual(top, BEGIN))
        self.to_coarse = nn.Conv2d(top, coarse, 1)
        self.to_middle = nn.Conv2d(coarse, middle, 1)
        self.merge_middle = conv(middle, middle)
        self.merge_coarse = conv(coarse, coarse)
        self.heads = nn.ModuleList(nn.Conv2d(width, 4, 1) for width in (middle, coarse, top))
        for head in self.heads:
            assert isinstance(head, nn.Conv2d)
            assert head.bias is not None
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
            nn.init.constant_(head.bias[:1], -math.log(1 / RARE - 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        eighth = self.eighth(self.stem(x))
        sixteenth = self.sixteenth(eighth)
        top = self.thirtieth(sixteenth)
        coarse = self.merge_coarse(sixteenth + _double(self.to_coarse(top)))
        middle = self.merge_middle(eighth + _double(self.to_middle(coarse)))
        return [head(part) for head, part in zip(self.heads, (middle, coarse, top), strict=True)]


class Deployed(nn.Module):
    """What is exported: ``picture`` (N, H, W, 3) uint8 -> ``fine``, ``middle``, ``coarse`` (N, 4, rows, columns):
    score 0..1, the middle's offset in cells, the height in cells."""

    def __init__(self, network: HeadNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        return tuple(
            torch.cat(
                [torch.sigmoid(part[:, :1]), part[:, 1:3], torch.exp(math.log(2) * part[:, 3:].clamp(-4, 6))], 1
            )
            for part in self.network(to_ratios(picture))
        )


def to_ratios(pictures: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W): the logarithm of the light, and two differences of colours over it, each
    with mean 0 over the picture and a deviation of about 1."""
    blue, green, red = (pictures[..., k].to(torch.float32) for k in range(3))
    light = blue + green + red
    mean = light.mean((1, 2), keepdim=True) + 0.5
    floor = light + 0.08 * mean + 1
    planes = torch.stack([torch.log(floor / mean), (red - green) / floor, (blue - green) / floor], 1)
    planes = planes - planes.mean((2, 3), keepdim=True)
    spread = torch.sqrt(planes.square().mean((2, 3), keepdim=True))
    return planes / (spread + 0.05)


def losses(answers: list[Tensor], heads: Tensor) -> dict[str, Tensor]:
    """``heads`` (N, K, 4): x, y of the middle, height in pixels; 1: shall be found, 0.5: may be, 0: no head.

    ``found``: focal cross entropy over all cells that count; ``place``: how far middle and height are off where a
    head is found, in cells and octaves."""
    found, place, count = [], [], torch.zeros((), device=heads.device)
    for answer, cell, (least, most) in zip(answers, CELLS, RANGES, strict=True):
        wanted, doubtful, offsets = _targets(heads, answer.shape[-2:], cell, least, most)
        sure = torch.sigmoid(answer[:, 0])
        each = nn.functional.binary_cross_entropy_with_logits(answer[:, 0], wanted, reduction="none")
        right = torch.where(wanted > 0, sure, 1 - sure)
        weight = torch.where(wanted > 0, MISSED, 1.0) * (1 - right) ** HARD
        found.append((each * weight * (1 - doubtful)).sum())
        off = nn.functional.smooth_l1_loss(answer[:, 1:], offsets, reduction="none", beta=0.3).sum(1)
        place.append((off * wanted).sum())
        count = count + wanted.sum()
    scale = count.clamp(min=1)
    return {"found": torch.stack(found).sum() / scale, "place": torch.stack(place).sum() / scale}


def _targets(
    heads: Tensor, shape: tuple[int, int] | torch.Size, cell: int, least: float, most: float
) -> tuple[Tensor, Tensor, Tensor]:
    """For cells (N, rows, columns): 1 where a head shall be found; 1 where nobody says; and (N, 3, rows, columns)
    offsets x, y in cells and log2 of the height in cells of the nearest head."""
    rows, columns = ((torch.arange(n, device=heads.device) + 0.5) * cell for n in shape)
    x, y, height, kind = (heads[..., k][..., None, None] for k in range(4))
    dx, dy = x - columns, y - rows[:, None]
    dx, dy = torch.broadcast_tensors(dx, dy)
    far = torch.hypot(dx, dy)
    there = (kind > 0) & (height > 0)
    fits, almost = (height >= least) & (height < most), (height >= least / 1.5) & (height < most * 1.5)
    home = (dx.abs() <= cell / 2) & (dy.abs() <= cell / 2)
    near = there & (home | (far < NEAR * height))
    wanted = near & fits & (kind == 1)
    around = there & (home | (far < AROUND * height) | (far < 1.1 * cell))
    doubtful = around & (almost | (height < most))
    far = torch.where(wanted, far, 1e6)
    nearest = far.argmin(1, keepdim=True)
    chosen = [torch.gather(part.expand_as(far), 1, nearest)[:, 0] for part in (dx, dy, height)]
    offsets = torch.stack([chosen[0] / cell, chosen[1] / cell, torch.log2(chosen[2].clamp(min=1) / cell)], 1)
    shall = wanted.any(1)
    return shall.float(), (doubtful.any(1) & ~shall).float(), offsets


def _double(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
