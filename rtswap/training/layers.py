"""Layers that the networks share, and pictures as tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtswap.core.types import Image


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Padded by 1, batch normalised, rectified. Its sides are divided by ``stride``."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """(N, C, H, W) -> the same. With ``begin`` 0 it changes nothing before it has learned: one can be added to a
    trained network."""

    def __init__(self, channels: int, begin: float = 0.0) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        nn.init.constant_(self.second[1].weight, begin)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class LeakyResidual(nn.Module):
    """(N, C, H, W) -> the same: two convolutions beside the input, without normalisation."""

    def __init__(self, channels: int, *, bias: bool = True) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, 1, 1, bias=bias) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        inner = nn.functional.leaky_relu(self.first(x), 0.2)
        return nn.functional.leaky_relu(x + self.second(inner), 0.2)


def double(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2 H, 2 W), each value four times."""
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


def to_input(crops: Tensor) -> Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) float32 -1..1."""
    return crops.permute(0, 3, 1, 2).to(torch.float32) * (2 / 255) - 1


def to_pictures(faces: Tensor) -> list[Image]:
    """(N, 1 or 3, H, W) 0..1 -> N pictures (H, W, 3) uint8."""
    found = (faces.float().clamp(0, 1) * 255).round().to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    return list(found.cpu().numpy())
