"""The glasses network: dense 3x3 convolutions at 96, 48, 24 and 12 cells, there and back; 0.55 M parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtswap.training.layers import Residual, conv, double, to_input
from training.masks.network import missed

BEGIN = 0.5
"""How much every residual block says before it has learned."""
WEIGHTS = {"pixels": 1.0, "parts": 0.3, "worn": 0.2}
DOUBT, SURE = 0.3, 0.7
"""How sure the network must be that glasses are worn: up to the first it shows no frames, from the second all."""


class GlassesNetwork(nn.Module):
    """(N, 3, 96, 192) BGR -1..1 -> (N, 96, 192) logits, above 0 a frame lies there; (N,) logit of glasses worn."""

    def __init__(self, fine: int = 16, middle: int = 40, coarse: int = 64, deep: int = 80) -> None:
        super().__init__()
        self.stem = conv(3, fine, 4, 2)
        self.fine = conv(fine, fine)
        self.middle = nn.Sequential(conv(fine, middle, stride=2), Residual(middle, BEGIN))
        self.coarse = nn.Sequential(conv(middle, coarse, stride=2), Residual(coarse, BEGIN), Residual(coarse, BEGIN))
        self.deep = nn.Sequential(conv(coarse, deep, stride=2), Residual(deep, BEGIN), Residual(deep, BEGIN))
        self.worn = nn.Linear(deep, 1)
        self.to_coarse = nn.Conv2d(deep, coarse, 1)
        self.merge_coarse = conv(coarse, coarse)
        self.to_middle = nn.Conv2d(coarse, middle, 1)
        self.merge_middle = conv(middle, middle)
        self.to_fine = nn.Conv2d(middle, fine, 1)
        self.merge_fine = nn.Sequential(conv(fine, fine), conv(fine, fine))
        self.head = nn.Conv2d(fine, 4, 3, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        deep = self.deep(coarse)
        coarse = self.merge_coarse(coarse + double(self.to_coarse(deep)))
        middle = self.merge_middle(middle + double(self.to_middle(coarse)))
        fine = self.merge_fine(fine + double(self.to_fine(middle)))
        return nn.functional.pixel_shuffle(self.head(fine), 2)[:, 0], self.worn(deep.mean((2, 3)))[:, 0]


class Deployed(nn.Module):
    """What is exported: ``strips`` (N, 96, 192, 3) uint8 -> ``frames`` (N, 96, 192), 0..1; 0 where none are worn."""

    def __init__(self, network: GlassesNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, strips: Tensor) -> Tensor:
        frames, worn = self.network(to_input(strips))
        sure = ((torch.sigmoid(worn) - DOUBT) / (SURE - DOUBT)).clamp(0, 1)
        return torch.sigmoid(frames) * sure[:, None, None]


def losses(frames: Tensor, worn: Tensor, truth: Tensor, weights: Tensor, wears: Tensor) -> dict[str, Tensor]:
    """How well each pixel, the frames as a whole, and whether there are any, are met. ``frames``, ``truth``,
    ``weights``: (N, 96, 192), the last two 0..1; ``worn``, ``wears`` (N,)."""
    pixels, parts = missed(frames, truth, weights, 50)
    return {"pixels": 4 * pixels, "parts": parts, "worn": nn.functional.binary_cross_entropy_with_logits(worn, wears)}
