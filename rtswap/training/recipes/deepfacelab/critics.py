"""The two critics that DF and LIAE may have. Facts from DeepFaceLab, ``core/leras/models`` at 46fc239."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
BASE, DEEPEST = 16, 512
"""Channels of the patch critic's first layer, and at most."""


class CodeCritic(nn.Sequential):
    """Codes (N, C, S, S) -> how much each place looks like a code of the source (N, 1, S', S'), logits.

    With it DF's code of a target becomes one that the source's decoder knows ("true face").
    """

    def __init__(self, channels: int, side: int) -> None:
        layers: list[nn.Module] = []
        width = 256
        count = 1 + side // 8
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 4 if side > 2 else 1, 1, 1), nn.LeakyReLU(0.1)]
            channels, width = width, min(2 * width, 512)
        super().__init__(*layers, nn.Conv2d(channels, 1, 1))


class PatchCritic(nn.Module):
    """Pictures (N, 3, R, R) -> logits of what is real: of each patch, and of each pixel (a U-Net, Schoenfeld et al.
    2020). ``patch``: side in px that a place of the first map sees."""

    def __init__(self, patch: int, base: int = BASE) -> None:
        super().__init__()
        depth = max(2, patch.bit_length() - 1)
        widths = [min(base << k, DEEPEST) for k in range(depth + 1)]
        self.begin = nn.Conv2d(3, widths[0], 1)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.patches = nn.Conv2d(widths[-1], 1, 1)
        ups = list(reversed(widths))
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(a if k == 0 else 2 * a, b, 4, 2, 1) for k, (a, b) in enumerate(pairwise(ups))
        )
        self.pixels = nn.Conv2d(2 * widths[0], 1, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, r, r) and (N, 1, R, R)."""
        x = functional.leaky_relu(self.begin(pictures), SLOPE)
        passed = []
        for down in self.downs:
            passed.append(x)
            x = functional.leaky_relu(down(x), SLOPE)
        patches = self.patches(x)
        for up in self.ups:
            x = functional.leaky_relu(up(x), SLOPE)
            x = torch.cat([x, passed.pop()], 1)
        return patches, self.pixels(x)


def entropy_of_calling(answers: Tensor | tuple[Tensor, ...], real: bool) -> Tensor:
    """Mean cross-entropy of calling everything real, or nothing, over all maps of logits."""
    maps = answers if isinstance(answers, tuple) else (answers,)
    losses = [
        functional.binary_cross_entropy_with_logits(one.float(), torch.full_like(one.float(), real)) for one in maps
    ]
    return torch.stack(losses).mean()
