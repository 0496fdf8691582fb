"""MegaFS's hierarchical encoder of faces into rows of styles and the map that the generator begins with.

Facts from zyainfal/One-Shot-Face-Swapping-on-Megapixels at f01b195: ResNet-50 with a fifth stage; maps of 8, 16 and
32 px added up from the smallest on; a head of its own for each row, which halves its map until one place is left; the
4 px map, without a non-linearity, in place of the generator's constant. Changed for the small sizes alone: pixels of
larger faces become channels, where the original's stem goes from 256 px to 64, and a head makes all rows of its map.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log2

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = 64
"""Side of the maps after the stem. The stages' are then 64, 32, 16, 8 and 4 px."""
EXPANSION = 4
"""Of a bottleneck's channels."""
START = 4
"""Side of the map that the generator begins with."""


@dataclass(frozen=True)
class HieRfeDims:
    """Sizes of one encoder."""

    stem: int
    stages: tuple[int, int, int, int, int]
    """Inner channels of the bottlenecks of the five stages."""
    blocks: tuple[int, int, int, int, int]
    rows: tuple[int, int, int]
    """Rows that are made from the maps of 8, 16 and 32 px."""
    head: int
    """Channels of the heads' convolutions but for the last."""
    apart: bool
    """A head for each row, and the original's stem."""


RESNET50 = HieRfeDims(64, (64, 128, 256, 512, 512), (3, 4, 6, 3, 2), (4, 6, 8), 512, apart=True)
"""MegaFS's, for faces that are reduced to 256 px."""


class HieRfe(nn.Module):
    """Pictures (N, 3, R, R), R a multiple of 64 -> rows (N, rows + 16, style): the last 16 are the start's places."""

    def __init__(self, dims: HieRfeDims, resolution: int, style: int) -> None:
        super().__init__()
        self._side = 4 * GRID if dims.apart else resolution
        self._style, self._unshuffle = style, 1 if dims.apart else resolution // GRID
        if dims.apart:
            pooled = nn.MaxPool2d(3, 2, 1)
            self.stem = nn.Sequential(*_norm_layer(nn.Conv2d(3, dims.stem, 7, 2, 3, bias=False)), nn.ReLU(), pooled)
        else:
            inputs = 3 * self._unshuffle**2
            self.stem = nn.Sequential(*_norm_layer(nn.Conv2d(inputs, dims.stem, 3, 1, 1, bias=False)), nn.ReLU())
        widths = [dims.stem, *(EXPANSION * inner for inner in dims.stages)]
        self.stages = nn.ModuleList(
            nn.Sequential(
                Bottleneck(a, inner, 2 if number else 1),
                *(Bottleneck(b, inner) for _ in range(dims.blocks[number] - 1)),
            )
            for number, ((a, b), inner) in enumerate(zip(pairwise(widths), dims.stages, strict=True))
        )
        self.laterals = nn.ModuleList(
            nn.Sequential(*_norm_layer(nn.Conv2d(width, style, 3, 1, 1)), nn.ReLU()) for width in widths[2:5]
        )
        self.start = nn.Sequential(*_norm_layer(nn.Conv2d(widths[5], style, 3, 1, 1)))
        self.heads = nn.ModuleList(
            nn.ModuleList(_head(style, dims.head, int(log2(8 << level)), made * style) for made in shares)
            for level, count in enumerate(dims.rows)
            if (shares := [1] * count if dims.apart else [count])
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode."""
        if pictures.shape[-1] != self._side:
            pictures = functional.interpolate(pictures, size=(self._side, self._side), mode="area")
        x, found = self.stem(functional.pixel_unshuffle(pictures, self._unshuffle)), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        maps = [self.laterals[2](found[3])]
        for lateral, own in ((self.laterals[1], found[2]), (self.laterals[0], found[1])):
            up = functional.interpolate(maps[-1], scale_factor=2.0, mode="bilinear", align_corners=True)
            maps.append(up + lateral(own))
        made = [head(one).flatten(1) for one, heads in zip(maps, self.heads, strict=True) for head in heads]
        rows = torch.cat(made, 1).view(len(pictures), -1, self._style)
        return torch.cat([torch.tanh(rows), self.start(found[4]).flatten(2).transpose(1, 2).to(rows.dtype)], 1)


class Bottleneck(nn.Module):
    """(N, inputs, S, S) -> (N, ``EXPANSION`` inner, S / stride, S / stride), residual."""

    def __init__(self, inputs: int, inner: int, stride: int = 1) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        self.body = nn.Sequential(
            *_norm_layer(nn.Conv2d(inputs, inner, 1, bias=False)), nn.ReLU(),
            *_norm_layer(nn.Conv2d(inner, inner, 3, stride, 1, bias=False)), nn.ReLU(),
            *_norm_layer(nn.Conv2d(inner, outputs, 1, bias=False)),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(*_norm_layer(nn.Conv2d(inputs, outputs, 1, stride, bias=False)))

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        return torch.relu(self.body(x) + self.shortcut(x))


def _norm_layer(layer: nn.Conv2d) -> tuple[nn.Module, nn.Module]:
    return layer, nn.BatchNorm2d(layer.out_channels)


def _head(inputs: int, width: int, steps: int, outputs: int) -> nn.Sequential:
    """Halves the side ``steps`` times."""
    layers: list[nn.Module] = []
    for a, b in pairwise((inputs, *[width] * (steps - 1), outputs)):
        layers += [*_norm_layer(nn.Conv2d(a, b, 3, 2, 1)), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers)
