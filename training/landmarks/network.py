"""The landmark network: 1.35 M parameters, 0.09 GMAC for a 128 px crop.

Dense 3x3 convolutions, most of them at 32, 16 and 8 px, where CPUs run them best. A narrow linear layer describes
the face; its last layer starts as a basis of meshes (principal components), so that the first step is already a
face, and stays trainable.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

POINTS = 468
SIZE = 128


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """(N, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        nn.init.constant_(self.second[1].weight, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class LandmarkNetwork(nn.Module):
    """(N, 3, 128, 128) BGR -1..1 -> points (N, 468, 3) in crop pixels, visibility and presence as logits."""

    def __init__(self, code: int = 160) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(3, 16, 2),
            _conv(16, 32, 2),
            Residual(32),
            _conv(32, 64, 2),
            Residual(64),
            _conv(64, 128, 2),
            Residual(128),
            Residual(128),
            nn.Conv2d(128, 20, 1),
            nn.BatchNorm2d(20),
            nn.ReLU(inplace=True),
        )
        self.code = nn.Linear(20 * (SIZE // 16) ** 2, code)
        self.points = nn.Linear(code, POINTS * 3)
        self.seen = nn.Linear(code, POINTS + 1)

    def start_from(self, mean: Tensor, basis: Tensor) -> None:
        """Begin with faces: ``mean`` (1404,) and as many rows of ``basis`` (K, 1404) as fit, in crop pixels."""
        rows = min(len(basis), self.code.out_features)
        with torch.no_grad():
            self.points.weight.mul_(0.1)
            self.points.weight[:, :rows] = basis[:rows].T
            self.points.bias.copy_(mean)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        code = self.code(self.body(x).flatten(1))
        seen = self.seen(code)
        return self.points(code).unflatten(1, (POINTS, 3)), seen[:, :POINTS], seen[:, POINTS]


class Deployed(nn.Module):
    """What is exported: ``crops`` (N, 128, 128, 3) uint8 BGR -> points, visibility 0..1, presence 0..1."""

    def __init__(self, network: LandmarkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points, visibility, presence = self.network(to_input(crops))
        return points, torch.sigmoid(visibility), torch.sigmoid(presence)


def to_input(crops: Tensor) -> Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) float32 -1..1."""
    return crops.permute(0, 3, 1, 2).to(torch.float32) * (2 / 255) - 1
