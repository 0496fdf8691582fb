"""The refiner's generator: a coarse field of gains for the face that ``mesh`` made; 0.9 M parameters, 0.2 GMAC.

Cells of 4 px of a crop of 128 px get a gain for each colour. Drawn bilinearly and multiplied onto the face, it mends
casts, shadows, gloss and the step at the seam; it cannot draw patterns, and keeps the photo's details.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtswap.swappers.refiner.crop_view import MOST
from rtswap.training.layers import Residual, conv, to_input

WIDTHS = 40, 80, 112
"""Channels at 32, 16 and 8 cells across."""


class Wider(nn.Module):
    """(N, C, H, W) -> (N, C', 2 H, 2 W)"""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.spread = nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 1, bias=False), nn.BatchNorm2d(4 * outputs))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.spread(x), 2)


class Refiner(nn.Module):
    """Composite and low-passed target (N, 3, 128, 128) -1..1, mask (N, 1, 128, 128) 0..1 -> logs of gains
    (N, 3, 32, 32) within +-MOST, 0 at first."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, deep = WIDTHS
        self.enter = nn.Sequential(conv(7, fine, 6, 4), Residual(fine, 0.5))
        self.down = nn.Sequential(conv(fine, middle, 3, 2), Residual(middle, 0.5))
        self.deep = nn.Sequential(conv(middle, deep, 3, 2), Residual(deep, 0.5), Residual(deep, 0.5))
        self.wider, self.middle = Wider(deep, middle), Residual(middle, 0.5)
        self.widest, self.fine = Wider(middle, fine), Residual(fine, 0.5)
        self.leave = nn.Conv2d(fine, 3, 3, 1, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("smooth", (line[:, None] * line).expand(3, 1, 3, 3).clone())
        """Knows no waves of two cells."""

    def forward(self, composite: Tensor, lowered: Tensor, mask: Tensor) -> Tensor:
        first = self.enter(torch.cat([composite, lowered, mask], 1))
        second = self.down(first)
        x = self.middle(torch.relu(self.wider(self.deep(second)) + second))
        x = self.fine(torch.relu(self.widest(x) + first))
        logs = nn.functional.pad(MOST * torch.tanh(self.leave(x).float()), (1, 1, 1, 1), mode="replicate")
        return nn.functional.conv2d(logs, self.smooth, groups=3)


class Deployed(nn.Module):
    """What is exported: ``composite``, ``lowered`` (N, 128, 128, 3) and ``mask`` (N, 128, 128) uint8 -> ``gains``
    (N, 32, 32, 3) float32."""

    def __init__(self, network: Refiner) -> None:
        super().__init__()
        self.network = network

    def forward(self, composite: Tensor, lowered: Tensor, mask: Tensor) -> Tensor:
        logs = self.network(to_input(composite), to_input(lowered), mask[:, None].float() / 255)
        return torch.exp(logs).permute(0, 2, 3, 1)
