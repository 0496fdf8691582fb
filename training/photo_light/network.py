"""The photo's light network: dense 3x3 convolutions at 128, 64, 32, 16 and 8 cells, there and back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from rtswap.networks.photo_light import OFFSET, SIZE
from rtswap.swappers.mesh.uv_chart import coarse_normals, inwards
from rtswap.training.layers import Residual, conv, double

BEGIN = 0.5
"""How much every residual block says before it has learned."""
WEIGHTS = {"pixels": 1.0, "edges": 4.0, "broad": 0.5}
SPREAD = 0.5
"""Standard deviation of log colours, about."""
BLOCK = 8
"""Side in texels of what counts as broad."""


class PhotoLightNetwork(nn.Module):
    """(N, 3, 128, 128) log colours of a face on the chart -> (N, 3, 128, 128) log of the light on it. It is told the
    mirrored half, and where each texel faces: skin is alike in both halves, light need not be."""

    def __init__(self, finest: int = 16, fine: int = 40, middle: int = 64, coarse: int = 96, deep: int = 128) -> None:
        super().__init__()
        normals = torch.from_numpy(np.ascontiguousarray(coarse_normals().transpose(2, 0, 1)))[None]
        self.register_buffer("normals", normals, persistent=False)
        inside = torch.from_numpy((inwards() > 0).astype(np.float32))
        self.register_buffer("inside", (inside / inside.sum())[None, None], persistent=False)
        self.finest = nn.Sequential(conv(9, finest), conv(finest, finest))
        self.fine = nn.Sequential(conv(finest, fine, stride=2), Residual(fine, BEGIN))
        self.middle = nn.Sequential(conv(fine, middle, stride=2), Residual(middle, BEGIN), Residual(middle, BEGIN))
        self.coarse = nn.Sequential(conv(middle, coarse, stride=2), Residual(coarse, BEGIN), Residual(coarse, BEGIN))
        self.deep = nn.Sequential(conv(coarse, deep, stride=2), Residual(deep, BEGIN), Residual(deep, BEGIN))
        self.to_coarse = nn.Conv2d(deep, coarse, 1)
        self.merge_coarse = conv(coarse, coarse)
        self.to_middle = nn.Conv2d(coarse, middle, 1)
        self.merge_middle = Residual(middle, BEGIN)
        self.to_fine = nn.Conv2d(middle, fine, 1)
        self.merge_fine = Residual(fine, BEGIN)
        self.to_finest = nn.Conv2d(fine, finest, 1)
        self.merge_finest = conv(finest, finest)
        self.head = nn.Conv2d(finest, 3, 3, 1, 1)

    def forward(self, logs: Tensor) -> Tensor:
        logs = (logs - (logs * self.inside).sum((2, 3), keepdim=True)) / SPREAD
        place = self.normals.expand_as(logs)
        finest = self.finest(torch.cat([logs, logs.flip(3), place], 1))
        fine = self.fine(finest)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        deep = self.deep(coarse)
        coarse = self.merge_coarse(coarse + double(self.to_coarse(deep)))
        middle = self.merge_middle(middle + double(self.to_middle(coarse)))
        fine = self.merge_fine(fine + double(self.to_fine(middle)))
        return self.head(self.merge_finest(finest + double(self.to_finest(fine))))


class Deployed(nn.Module):
    """What is exported: ``textures`` (N, 128, 128, 3) uint8 -> ``light`` (N, 128, 128, 3), logs of mean 0."""

    def __init__(self, network: PhotoLightNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, textures: Tensor) -> Tensor:
        light = self.network(to_logs(textures))
        light = light - (light * self.network.inside).sum((2, 3), keepdim=True)
        return light.permute(0, 2, 3, 1)


def to_logs(textures: Tensor) -> Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) logs."""
    return (textures.permute(0, 3, 1, 2).to(torch.float32) + OFFSET).log()


def losses(found: Tensor, truth: Tensor, seen: Tensor) -> dict[str, Tensor]:
    """How well each texel, each edge and what is broad are met; by how much all is lighter does not count. ``found``,
    ``truth`` (N, 3, 128, 128) logs; ``seen`` (N, 1, 128, 128) 0..1."""
    weight = seen / seen.sum((2, 3), keepdim=True).clamp_min(1)
    apart = found - truth
    apart = apart - (apart * weight).sum((2, 3), keepdim=True)
    rows, columns = (torch.minimum(seen[:, :, 1:], seen[:, :, :-1]), torch.minimum(seen[..., 1:], seen[..., :-1]))
    edges = (apart.diff(dim=2).abs() * rows).mean() + (apart.diff(dim=3).abs() * columns).mean()
    blocks = nn.functional.avg_pool2d(apart * seen, BLOCK)
    return {"pixels": (apart.abs() * seen).mean(), "edges": edges, "broad": blocks.abs().mean()}


assert SIZE % (2 * BLOCK) == 0
