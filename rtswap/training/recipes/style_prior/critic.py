"""The critic that looks on in the last part of each phase.

Facts from StyleGAN2 (Karras et al. 2020): residual blocks, and the deviation within the batch as a last map. Changed:
strides without a blur; the small one sees pictures in blocks of 2 x 2. With few faces it sees them varied, real and
made ones alike (Zhao et al. 2020).
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.recipes.style_prior.network import SLOPE, Dims
from rtswap.training.recipes.style_prior.samples import relight

SHIFT = 8
"""Pictures are shifted by at most a side / ``SHIFT``."""


class Block(nn.Module):
    """(N, inputs, S, S) -> (N, outputs, S / 2, S / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, inputs, 3, 1, 1)
        self.second = nn.Conv2d(inputs, outputs, 3, 2, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        y = functional.leaky_relu(self.second(functional.leaky_relu(self.first(x), SLOPE)), SLOPE)
        found: Tensor = (y + self.skip(x)) / sqrt(2)
        return found


class Critic(nn.Module):
    """Pictures (N, 3, R, R), -1..1 -> scores (N, 1): how real each looks."""

    def __init__(self, dims: Dims, *, full: bool = False) -> None:
        super().__init__()
        self._unshuffle = 1 if full else dims.resolution // 32
        widths = dims.widths[::-1][self._unshuffle.bit_length() - 1 :]
        self.first = nn.Conv2d(3 * self._unshuffle**2, widths[0], 1)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in pairwise(widths)))
        self.last = nn.Conv2d(widths[-1] + 1, widths[-1], 3, 1, 1)
        self.wide, self.score = nn.Linear(16 * widths[-1], widths[-1]), nn.Linear(widths[-1], 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Judge."""
        x = functional.leaky_relu(self.first(functional.pixel_unshuffle(pictures, self._unshuffle)), SLOPE)
        x = self.blocks(x)
        deviation = (x.float().var(0, unbiased=False) + 1e-8).sqrt().mean().to(x.dtype)
        x = torch.cat([x, deviation.expand(x.shape[0], 1, *x.shape[2:])], 1)
        x = functional.leaky_relu(self.last(x), SLOPE)
        found: Tensor = self.score(functional.leaky_relu(self.wide(x.flatten(1)), SLOPE))
        return found


def vary(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, R, R) in another light, all shifted alike and perhaps mirrored. Drawn on the processor."""
    reach = pictures.shape[-1] // SHIFT
    down, right = torch.randint(-reach, reach + 1, (2,)).tolist()
    shifted = functional.pad(relight(pictures), [reach] * 4, mode="replicate").roll((down, right), (2, 3))
    shifted = shifted[..., reach:-reach, reach:-reach]
    return shifted.flip(3) if float(torch.rand(())) < 0.5 else shifted
