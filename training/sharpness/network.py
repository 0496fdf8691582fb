"""The sharpness network: 65,000 parameters, 0.26 GMAC for 256 x 256 px. 3x3 convolutions at a quarter of the size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STEP = 4
"""Pixels per cell of the network, and side of the square of pixels that is one cell's channels."""
LUMA = (0.114, 0.587, 0.299)
"""Of BGR: the weights of BT.601, as in ``cv2.COLOR_BGR2GRAY``."""
WEIGHTS = {"pixels": 1.0, "edges": 1.0, "texture": 0.2, "steady": 0.3}
CELL = 8
"""Side in pixels of the squares whose detail must be as strong as the truth's."""


class SharpnessNetwork(nn.Module):
    """(N, 1, H, W) luma 0..1 -> (N, 1, H, W), what it lacks. H and W are multiples of ``STEP``."""

    def __init__(self, channels: int = 32, blocks: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(STEP**2, channels, 3, 1, 1)
        self.blocks = nn.ModuleList(_Block(channels) for _ in range(blocks))
        self.last = nn.Conv2d(channels, STEP**2, 3, 1, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, luma: Tensor) -> Tensor:
        x = torch.relu(self.first(nn.functional.pixel_unshuffle(luma - 0.5, STEP)))
        for block in self.blocks:
            x = block(x)
        return nn.functional.pixel_shuffle(self.last(x), STEP)


class _Block(nn.Module):
    """(N, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, 1, 1)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(x)))


class Deployed(nn.Module):
    """What is exported: ``crops`` (N, H, W, 3) uint8 BGR -> ``detail`` (N, H, W), levels of 255."""

    def __init__(self, network: SharpnessNetwork) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("luma", torch.tensor(LUMA), persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        luma = (crops.to(torch.float32) * self.luma).sum(3)[:, None] / 255
        return self.network(luma)[:, 0] * 255


def losses(made: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """``made`` (2N, 1, H, W): of each of N pictures two degraded versions, restored; all first ones stand before all
    second ones. ``truth`` (N, 1, H, W). Both luma, 0..1.

    Besides pixels and their differences, the strength of these differences in each small square must be the truth's
    (the mean of all that might be true is smooth), and both versions must become the same, or a film would flicker.
    """
    first, second = made.chunk(2)
    own, wanted = (_slopes(luma) for luma in (made, truth))
    return {
        "pixels": _apart(made, truth),
        "edges": torch.stack([_apart(a, b) for a, b in zip(own, wanted, strict=True)]).sum(),
        "texture": torch.stack([_apart(_strength(a), _strength(b)) for a, b in zip(own, wanted, strict=True)]).sum(),
        "steady": (first - second).abs().mean(),
    }


def _apart(made: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of both versions from the truth."""
    return (made.unflatten(0, (2, -1)) - truth).abs().mean()


def _slopes(luma: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbours across and down, as large as the picture less a pixel on two sides."""
    corner = luma[..., :-1, :-1]
    return luma[..., :-1, 1:] - corner, luma[..., 1:, :-1] - corner


def _strength(slopes: Tensor) -> Tensor:
    """Root of the mean square in squares of ``CELL`` px."""
    return (nn.functional.avg_pool2d(slopes.square(), CELL) + 1e-6).sqrt()
