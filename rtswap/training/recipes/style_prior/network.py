"""A generator whose layers are modulated by rows of styles, and an encoder that finds the rows of a face.

Facts from StyleGAN2 (Karras et al. 2020) and pSp (Richardson et al. 2021). Without noise and without the mapping of
random numbers to styles, for which an autoencoder has no use. Changed: a layer that doubles the side convolves first
and enlarges bilinearly then, which costs what a transposed convolution does and needs no blur.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log2, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.recipes.style_prior.encoder import PSP, Encoder, EncoderDims, Equalised, Reader
from rtswap.training.recipes.style_prior.hierfe import RESNET50, START, HieRfe, HieRfeDims

SLOPE, GAIN = 0.2, sqrt(2)
"""Of the leaky ReLU, and what keeps its variance: part of the demodulation."""


@dataclass(frozen=True)
class Dims:
    """Sizes of one prior."""

    resolution: int
    """Side of a face in pixels: a power of two."""
    style: int
    """Width of a row."""
    widths: tuple[int, ...]
    """Channels of the maps of 4 px, 8 px, and so on."""
    encoder: EncoderDims | HieRfeDims

    @property
    def rows(self) -> int:
        """Rows of styles: two for each side of the maps, one for the first."""
        return 2 * int(log2(self.resolution)) - 2

    @property
    def sides(self) -> tuple[int, ...]:
        """4, 8, and so on."""
        return tuple(4 << k for k in range(len(self.widths)))

    @classmethod
    def small(cls, resolution: int, *, hierfe: bool = False) -> Dims:
        """For CPUs: 64, 128 or 256 px. ``hierfe``: with a small encoder after MegaFS's."""
        widths = (128, 128, 128, 64, 32, 16, 8)[: int(log2(resolution)) - 1]
        rows = (3, 4, 2 * int(log2(resolution)) - 9)
        encoder: EncoderDims | HieRfeDims = EncoderDims(
            unshuffle=resolution // 32, stem=48, stages=(96, 128, 192), rows=rows, head=96, side=4
        )
        if hierfe:
            encoder = HieRfeDims(24, (12, 24, 32, 48, 48), (1, 1, 2, 1, 1), rows, 96, apart=False)
        return cls(resolution, 128, widths, encoder)

    @classmethod
    def full(cls, resolution: int = 1024, *, hierfe: bool = False) -> Dims:
        """StyleGAN2's and pSp's, or with MegaFS's encoder."""
        widths = tuple(min(512, 32768 // (4 << k)) for k in range(int(log2(resolution)) - 1))
        return cls(resolution, 512, widths, RESNET50 if hierfe else PSP)


class Modulated(nn.Module):
    """A convolution whose input channels are scaled by a style.

    Scales go to the activations, before and after one convolution for the whole batch, instead of to weights of
    each sample's own: the same arithmetic, without grouped convolutions. ``demodulated``: each output channel is
    divided by the length of its scaled weights.
    """

    def __init__(self, inputs: int, outputs: int, style: int, kernel: int = 3, *, demodulated: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) / sqrt(inputs * kernel**2))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.affine = Equalised(style, inputs, bias=1.0)
        self._demodulated = demodulated

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        """``x`` (N, inputs, H, W), ``row`` (N, style) -> (N, outputs, H, W), without the bias."""
        scale = self.affine(row)
        y = functional.conv2d(x * scale[..., None, None].to(x.dtype), self.weight, padding=self.weight.shape[-1] // 2)
        if self._demodulated:
            squares = self.weight.square().sum((2, 3))
            y = y * (GAIN * (scale.square() @ squares.T + 1e-8).rsqrt())[..., None, None].to(y.dtype)
        return y


class StyledLayer(nn.Module):
    """Modulated convolution, enlarged or not, with bias and leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, style: int, *, enlarged: bool = False) -> None:
        super().__init__()
        self.conv = Modulated(inputs, outputs, style)
        self._enlarged = enlarged

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        """(N, inputs, H, W), (N, style) -> (N, outputs, H, W), or twice as large."""
        y = self.conv(x, row)
        if self._enlarged:
            y = enlarge(y)
        return functional.leaky_relu(y + self.conv.bias[:, None, None].to(y.dtype), SLOPE)


class ToPicture(nn.Module):
    """(N, inputs, H, W), (N, style) -> (N, 3, H, W)."""

    def __init__(self, inputs: int, style: int) -> None:
        super().__init__()
        self.conv = Modulated(inputs, 3, style, 1, demodulated=False)

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        """Convert."""
        return self.conv(x, row) + self.conv.bias[:, None, None]


class Generator(nn.Module):
    """Rows (N, rows, style) -> maps of every side, 4 px first, and a picture (N, 3, R, R), about -1..1. 16 more rows
    are the places of the map that it begins with, instead of a constant one."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, dims.widths[0], 4, 4))
        self.first = StyledLayer(dims.widths[0], dims.widths[0], dims.style)
        self.ups = nn.ModuleList(StyledLayer(a, b, dims.style, enlarged=True) for a, b in pairwise(dims.widths))
        self.layers = nn.ModuleList(StyledLayer(b, b, dims.style) for b in dims.widths[1:])
        self.pictures = nn.ModuleList(ToPicture(width, dims.style) for width in dims.widths)

    def forward(self, rows: Tensor) -> tuple[list[Tensor], Tensor]:
        """Generate."""
        start, places = self.start.expand(rows.shape[0], -1, -1, -1), rows[:, 2 * len(self.pictures) :]
        if places.shape[1]:
            start = places.transpose(1, 2).unflatten(2, (START, START))
        x = self.first(start, rows[:, 0])
        maps, picture = [x], self.pictures[0](x, rows[:, 1])
        for k, (up, layer, to_picture) in enumerate(zip(self.ups, self.layers, self.pictures[1:], strict=True)):
            x = layer(up(x, rows[:, 2 * k + 1]), rows[:, 2 * k + 2])
            maps.append(x)
            picture = enlarge(picture) + to_picture(x, rows[:, 2 * k + 3])
        return maps, picture


class StylePrior(nn.Module):
    """Encoder and generator: a style autoencoder, and a reader of the landmarks of what they make."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        if isinstance(dims.encoder, HieRfeDims):
            self.encoder: nn.Module = HieRfe(dims.encoder, dims.resolution, dims.style)
        else:
            self.encoder = Encoder(dims.encoder, dims.style)
        self.generator = Generator(dims)
        places = START**2 if isinstance(dims.encoder, HieRfeDims) else 0
        self.mean = nn.Parameter(torch.zeros(dims.rows + places, dims.style))
        """What the encoder's rows are added to."""
        self.reader = Reader(dims.resolution)

    def encode(self, faces: Tensor) -> Tensor:
        """Faces (N, 3, R, R), BGR -1..1 -> rows (N, rows, style), and with ``HieRfe`` the 16 of the start."""
        found: Tensor = self.encoder(faces)
        return found + self.mean

    def forward(self, faces: Tensor) -> Tensor:
        """Faces, encoded and made again."""
        picture: Tensor = self.generator(self.encode(faces))[1]
        return picture


def enlarge(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2 H, 2 W), bilinear."""
    return functional.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
