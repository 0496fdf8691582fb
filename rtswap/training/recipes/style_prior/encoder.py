"""Encoders of faces into rows of styles, and of what they show into landmarks.

Facts from pSp (Richardson et al. 2021): a trunk whose maps of three sides are added up from the smallest on (a
feature pyramid), and heads that each make a row from one of them. The full trunk is IR-SE-50; the small one has plain
residual layers and no normalisation, which would cost a third of the speed on a CPU, and few heads that make several
rows each.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log2

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.layers import LeakyResidual
from rtswap.vision.topology import POINTS_68

SLOPE = 0.2
REDUCTION = 16
"""Of the channels within squeeze-and-excitation."""


@dataclass(frozen=True)
class EncoderDims:
    """Sizes of one encoder."""

    unshuffle: int
    """Sides of the blocks of pixels that become channels, before the first layer."""
    stem: int
    """Channels before the stages."""
    stages: tuple[int, ...]
    """Channels of the stages, each of which halves the side. The last three are the pyramid's."""
    rows: tuple[int, int, int]
    """Rows that are made from each map of the pyramid, the smallest map first."""
    head: int
    """Channels of the heads."""
    side: int
    """Of the maps that heads flatten."""
    units: tuple[int, ...] = ()
    """Of IR-SE in each stage; none: plain layers."""
    inputs: int = 3
    size: int = 0
    """Side to which a face is reduced first; 0: as it is."""


PSP = EncoderDims(1, 64, (64, 128, 256, 512), (3, 4, 11), 512, 1, (3, 4, 14, 3), size=256)
"""pSp's for 1024 px."""


class Equalised(nn.Linear):
    """A dense layer whose weights are about 1 and are scaled when it runs (Karras et al. 2018): the step that Adam
    takes is then as large for wide layers as for narrow ones. Without it wide heads make the rows explode."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0) -> None:
        super().__init__(inputs, outputs)
        nn.init.normal_(self.weight)
        nn.init.constant_(self.bias, bias)
        self._scale = inputs**-0.5

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return functional.linear(x, self.weight * self._scale, self.bias)


class Encoder(nn.Module):
    """Pictures (N, inputs, R, R) -> rows (N, rows, style)."""

    def __init__(self, dims: EncoderDims, style: int) -> None:
        super().__init__()
        self._dims, self._style = dims, style
        self.stem = _stem(dims)
        widths = (dims.stem, *dims.stages)
        self.stages = nn.ModuleList(
            _irse(a, b, dims.units[k]) if dims.units else _plain(a, b) for k, (a, b) in enumerate(pairwise(widths))
        )
        top = dims.stages[-1]
        deepest = max(level for level in range(3) if dims.rows[level])
        self.laterals = nn.ModuleList(nn.Conv2d(dims.stages[-2 - k], top, 1) for k in range(deepest))
        self.heads = nn.ModuleList()
        lowest = _lowest(dims)
        for level, count in enumerate(dims.rows[: deepest + 1]):
            steps = int(log2((lowest << level) // dims.side))
            for rows in [1] * count if dims.units else [count]:
                self.heads.append(Head(top, dims.head, steps, dims.side, rows * style))
        self.apply(begin)

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode."""
        dims = self._dims
        if dims.size and pictures.shape[-1] != dims.size:
            pictures = functional.interpolate(pictures, size=(dims.size, dims.size), mode="area")
        x = self.stem(functional.pixel_unshuffle(pictures, dims.unshuffle) if dims.unshuffle > 1 else pictures)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        pyramid = [found[-1]]
        for lateral, maps in zip(self.laterals, reversed(found[:-1]), strict=False):
            up = functional.interpolate(pyramid[-1], scale_factor=2.0, mode="bilinear", align_corners=False)
            pyramid.append(up + lateral(maps))
        heads, rows = iter(self.heads), []
        for level, maps in enumerate(pyramid):
            for _ in range(dims.rows[level] if dims.units else 1):
                rows.append(next(heads)(maps))
        return torch.cat(rows, 1).view(pictures.shape[0], -1, self._style)


class Head(nn.Module):
    """Maps (N, inputs, S, S) -> (N, outputs): convolutions that halve the side until it is ``side``, and a layer."""

    def __init__(self, inputs: int, width: int, steps: int, side: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for step in range(steps):
            layers += [nn.Conv2d(width if step else inputs, width, 3, 2, 1), nn.LeakyReLU(SLOPE)]
        self.convs = nn.Sequential(*layers)
        self.last = Equalised((width if steps else inputs) * side**2, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Squeeze."""
        found: Tensor = self.last(self.convs(maps).flatten(1))
        return found


class Reader(nn.Module):
    """Pictures (N, 3, R, R), -1..1 -> ``POINTS_68`` (N, 68, 2), -1..1 from edge to edge. Watches what is made."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self._unshuffle = resolution // 32
        self.body = nn.Sequential(
            nn.Conv2d(3 * self._unshuffle**2, 32, 3, 1, 1), nn.LeakyReLU(SLOPE),
            nn.Conv2d(32, 64, 3, 2, 1), nn.LeakyReLU(SLOPE),
            nn.Conv2d(64, 96, 3, 2, 1), nn.LeakyReLU(SLOPE),
            nn.Conv2d(96, 64, 3, 1, 1), nn.LeakyReLU(SLOPE),
        )  # fmt: skip
        self.last = Equalised(64 * 64, 2 * len(POINTS_68))
        self.apply(begin)

    def forward(self, pictures: Tensor) -> Tensor:
        """Read."""
        small = functional.pixel_unshuffle(pictures, self._unshuffle)
        found: Tensor = self.last(self.body(small).flatten(1)).view(pictures.shape[0], -1, 2)
        return found


class IrSe(nn.Module):
    """A unit of IR-SE (ArcFace's residual unit with squeeze-and-excitation)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.squeeze = nn.Sequential(
            nn.Conv2d(outputs, outputs // REDUCTION, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs // REDUCTION, outputs, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Run the unit."""
        inner = self.body(x)
        found: Tensor = inner * self.squeeze(inner.mean((2, 3), keepdim=True)) + self.shortcut(x)
        return found


def begin(layer: nn.Module) -> None:
    """Initial weights of convolutions that keep the variance through leaky ReLUs (He et al. 2015)."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, SLOPE)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _stem(dims: EncoderDims) -> nn.Sequential:
    inputs = dims.inputs * dims.unshuffle**2
    if dims.units:
        return nn.Sequential(
            nn.Conv2d(inputs, dims.stem, 3, 1, 1, bias=False), nn.BatchNorm2d(dims.stem), nn.PReLU(dims.stem)
        )
    return nn.Sequential(nn.Conv2d(inputs, dims.stem, 3, 1, 1), nn.LeakyReLU(SLOPE))


def _plain(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(SLOPE), LeakyResidual(outputs))


def _irse(inputs: int, outputs: int, count: int) -> nn.Sequential:
    return nn.Sequential(IrSe(inputs, outputs, 2), *(IrSe(outputs, outputs, 1) for _ in range(count - 1)))


def _lowest(dims: EncoderDims) -> int:
    """Side of the smallest map: small encoders see 32 px after unshuffling, full ones 256."""
    return (dims.size or 32) >> len(dims.stages)
