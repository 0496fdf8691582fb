"""The occlusion network: 0.4 M parameters, 0.1 GMAC. Dense 3x3 convolutions at 32, 16 and 8 px, there and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtswap.networks.occlusion import SIZE
from rtswap.training.layers import Residual, conv, double

OUT = 64
BEGIN = 0.5
"""How much every residual block says before it has learned."""
WEIGHTS = {"pixels": 1.0, "parts": 0.3}


class OcclusionNetwork(nn.Module):
    """(N, 4, 128, 128) BGR and guide, -1..1 -> (N, 64, 64) logits: above 0 the face can be seen there."""

    def __init__(self, fine: int = 32, middle: int = 64, coarse: int = 80) -> None:
        super().__init__()
        self.stem = conv(4, fine, 6, 4)
        self.fine = conv(fine, fine)
        self.middle = nn.Sequential(conv(fine, middle, stride=2), Residual(middle, BEGIN), Residual(middle, BEGIN))
        self.coarse = nn.Sequential(conv(middle, coarse, stride=2), Residual(coarse, BEGIN))
        self.to_middle = nn.Conv2d(coarse, middle, 1)
        self.merge_middle = conv(middle, middle)
        self.to_fine = nn.Conv2d(middle, fine, 1)
        self.merge_fine = nn.Sequential(conv(fine, fine), conv(fine, fine))
        self.head = nn.Conv2d(fine, (OUT * 4 // SIZE) ** 2, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.merge_middle(middle + double(self.to_middle(coarse)))
        fine = self.merge_fine(fine + double(self.to_fine(middle)))
        return nn.functional.pixel_shuffle(self.head(fine), OUT * 4 // SIZE)[:, 0]


class Deployed(nn.Module):
    """What is exported: ``crops`` (N, 128, 128, 3) and ``guides`` (N, 128, 128), uint8 -> ``visible`` (N, 64, 64)."""

    def __init__(self, network: OcclusionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor, guides: Tensor) -> Tensor:
        return torch.sigmoid(self.network(to_input(crops, guides)))


def losses(logits: Tensor, visible: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """How well each pixel, and the hidden part as a whole, are met. ``visible``, ``weights``: (N, S, S) 0..1."""
    pixels, parts = missed(-logits, 1 - visible, weights, 20)
    return {"pixels": pixels, "parts": parts}


def missed(logits: Tensor, truth: Tensor, weights: Tensor, softened: float) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of each pixel, and 1 - the overlap of the whole. Where there is nothing the latter says
    nothing but "a little": as many pixels as ``softened`` soften it. All (N, H, W); the last two 0..1."""
    each = nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none") * weights
    guess, there = torch.sigmoid(logits) * weights, truth * weights
    both, either = (guess * there).sum((1, 2)), (guess + there - guess * there).sum((1, 2))
    return each.sum() / weights.sum().clamp(min=1), (1 - (both + softened) / (either + softened)).mean()


def to_input(crops: Tensor, guides: Tensor) -> Tensor:
    """(N, S, S, 3) and (N, S, S) uint8 -> (N, 4, S, S) float32 -1..1."""
    whole = torch.cat([crops.permute(0, 3, 1, 2), guides[:, None]], 1)
    return whole.to(torch.float32) * (2 / 255) - 1
