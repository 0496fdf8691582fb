"""The networks of faceswap-GAN.

Facts from shaoanlu/faceswap-GAN, ``networks/faceswap_gan_model.py`` at 17219d0, and alvinahmadov/faceswap-parts at
4b527b1: an encoder of stride-2 convolutions down to 4 x 4, a bottleneck of two dense layers, a decoder per person,
self-attention (Zhang et al. 2018) up to 64 x 64. A decoder makes a face and its attention mask alpha: what is shown
is alpha * face + (1 - alpha) * input. The critics look at patches of a picture beside the input.

Changed: the light decoder has activations between its convolutions, which the original forgot, and sides of 96, 192
and 384 px have a bottleneck of 6 x 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rtswap.training.layers import LeakyResidual

SLOPE = 0.2
LARGEST_ATTENTION = 64
"""Side of the largest maps in which the original looks everywhere at once."""


@dataclass(frozen=True)
class Dims:
    """Sizes of one network. The defaults are the original's."""

    resolution: int = 64
    """Side of a face in pixels: 64, 96, or one of these times a power of two."""
    lite: bool = False
    """Half as wide, with nearest-neighbour enlargement."""
    norm: str = "instance"
    """``none``, ``instance`` or ``hybrid``: half of the maps are normalised, the others pass a 1 x 1 convolution."""
    attention: int = LARGEST_ATTENTION
    """Side of the largest maps with self-attention; 0: none."""
    critic: int = 64
    """Width of the critics."""
    code: int = 1024
    """Numbers in the bottleneck; 2048 in the light network of faceswap-parts from 128 px on."""

    @property
    def lowest(self) -> int:
        """Side of the maps in the bottleneck: 4 or 6. Raises ValueError for other resolutions."""
        for side in (4, 6):
            times = self.resolution / (16 * side)
            if times >= 1 and math.log2(times).is_integer():
                return side
        raise ValueError(f"this network has no resolution {self.resolution}")

    @property
    def width(self) -> int:
        """Channels of the first layer."""
        return 32 if self.lite else 64

    @property
    def deep(self) -> int:
        """Channels of the bottleneck."""
        return 256 if self.lite else 1024


class Made(NamedTuple):
    """What a decoder makes."""

    alpha: Tensor
    """(N, 1, R, R) 0..1"""
    face: Tensor
    """(N, 3, R, R) BGR -1..1"""
    smaller: tuple[Tensor, ...]
    """The face at half its side, a quarter, ..., down to 64 or 96 px; the smallest first."""

    def apart(self) -> Made:
        """Without the graph that it came from, and without the smaller faces: for the critics."""
        return Made(self.alpha.detach(), self.face.detach(), ())

    def precise(self) -> Made:
        """In float32."""
        return Made(self.alpha.float(), self.face.float(), tuple(one.float() for one in self.smaller))

    def shown(self, given: Tensor) -> Tensor:
        """The face where alpha is 1, the input ``given`` where it is 0."""
        return self.alpha * self.face + (1 - self.alpha) * given


class Hybrid(nn.Module):
    """Half of the channels pass a 1 x 1 convolution, the others are normalised."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.mix = nn.Conv2d(self.half, self.half, 1)
        self.norm = nn.InstanceNorm2d(channels - self.half, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Run both."""
        first, second = x.split([self.half, x.shape[1] - self.half], 1)
        return torch.cat([self.mix(first), self.norm(second)], 1)


def norm_of(kind: str, channels: int) -> nn.Module:
    """The layer of a ``Dims.norm``."""
    if kind == "none":
        return nn.Identity()
    return Hybrid(channels) if kind == "hybrid" else nn.InstanceNorm2d(channels, affine=True)


class Down(nn.Sequential):
    """(N, C, H, W) -> (N, outputs, H / 2, W / 2)."""

    def __init__(self, inputs: int, outputs: int, norm: str) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.ReLU(), norm_of(norm, outputs))


class Up(nn.Sequential):
    """(N, C, H, W) -> (N, outputs, 2 H, 2 W)."""

    def __init__(self, inputs: int, outputs: int, dims: Dims) -> None:
        if dims.lite:
            pad = nn.ReflectionPad2d(1)
            layers = [nn.Upsample(scale_factor=2), pad, nn.Conv2d(inputs, outputs, 3), nn.LeakyReLU(SLOPE)]
            super().__init__(*layers, norm_of(dims.norm, outputs))
        else:
            spread = nn.Conv2d(inputs, 4 * outputs, 3, 1, 1)
            norm = norm_of(dims.norm, 4 * outputs)
            super().__init__(spread, nn.LeakyReLU(SLOPE), norm, nn.PixelShuffle(2))


class Attention(nn.Module):
    """Self-attention: every place looks at all others. Begins as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.key, self.query = (nn.Conv2d(channels, channels // 8, 1) for _ in range(2))
        self.value = nn.Conv2d(channels, channels, 1)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        key, query, value = (layer(x).flatten(2) for layer in (self.key, self.query, self.value))
        weights = torch.softmax(query.transpose(1, 2) @ key, 2)
        return x + self.scale * (value @ weights.transpose(1, 2)).view_as(x)


def looking(dims: Dims, channels: int, side: int) -> list[nn.Module]:
    """Self-attention, where maps of ``side`` px have it. 96 px count as 64."""
    return [Attention(channels)] if side * 4 // dims.lowest <= dims.attention else []


class Encoder(nn.Module):
    """Faces (N, 3, R, R), BGR -1..1 -> maps (N, 8 W, 8, 8), or 12 x 12."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        w, side = dims.width, dims.resolution
        layers: list[nn.Module] = [nn.Conv2d(3, w, 5, 1, 2, bias=False), Down(w, 2 * w, "none")]
        layers += [Down(2 * w, 4 * w, dims.norm), *looking(dims, 4 * w, side // 4)]
        layers += [Down(4 * w, 8 * w, dims.norm), *looking(dims, 8 * w, side // 8)]
        layers += [Down(8 * w, dims.deep, dims.norm)]
        layers += [Down(dims.deep, dims.deep, dims.norm) for _ in range(round(math.log2(side / 16 / dims.lowest)))]
        self.layers = nn.Sequential(*layers)
        length = dims.deep * dims.lowest**2
        self.narrow, self.wide = nn.Linear(length, dims.code), nn.Linear(dims.code, length)
        self.up = Up(dims.deep, 8 * w, dims)

    def forward(self, faces: Tensor) -> Tensor:
        """Encode."""
        x = self.layers(faces)
        return self.up(self.wide(self.narrow(x.flatten(1))).view_as(x))


class Decoder(nn.Module):
    """Maps -> a face and its attention mask."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        w, side = dims.width, 16 * dims.lowest
        last = looking(dims, w, side) or [nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.ReLU()]
        layers = [Up(8 * w, 4 * w, dims), Up(4 * w, 2 * w, dims), *looking(dims, 2 * w, side // 2)]
        self.layers = nn.Sequential(*layers, Up(2 * w, w, dims), LeakyResidual(w, bias=False), *last)
        times = round(math.log2(dims.resolution / side))
        self.smaller = nn.ModuleList(nn.Conv2d(w, 3, 5, 1, 2) for _ in range(times))
        self.larger = nn.ModuleList(
            nn.Sequential(Up(w, w, dims), nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.ReLU()) for _ in range(times)
        )
        self.alpha, self.face = nn.Conv2d(w, 1, 5, 1, 2), nn.Conv2d(w, 3, 5, 1, 2)

    def forward(self, maps: Tensor) -> Made:
        """Decode."""
        x, smaller = self.layers(maps), []
        for look, up in zip(self.smaller, self.larger, strict=True):
            smaller.append(torch.tanh(look(x)))
            x = up(x)
        return Made(torch.sigmoid(self.alpha(x)), torch.tanh(self.face(x)), tuple(smaller))


class FaceswapGan(nn.Module):
    """One encoder for both people, a decoder for each."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        self.encoder = Encoder(dims)
        self.source, self.target = Decoder(dims), Decoder(dims)
        self.apply(begin)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Made, Made]:
        """Reconstruct both people from faces -1..1."""
        first, second = self.encoder(torch.cat([source, target])).split([len(source), len(target)])
        return self.source(first), self.target(second)

    def swap(self, faces: Tensor, *, back: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Targets, 0..1 -> the source's face 0..1, and where it is shown, twice: as a DFM's two masks. ``back``:
        sources -> the target's face."""
        made: Made = (self.target if back else self.source)(self.encoder(faces * 2 - 1))
        return (made.face + 1) / 2, made.alpha, made.alpha

    @torch.no_grad()
    def exchange_decoders(self) -> None:
        """Give each person the other's decoder, weight by weight."""
        for one, other in zip(self.source.parameters(), self.target.parameters(), strict=True):
            kept = one.clone()
            one.copy_(other)
            other.copy_(kept)


class Critic(nn.Module):
    """A picture and the input beside it (N, 6, R, R) -> (N, 1, S, S): 1 for real patches, 0 for made ones."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        c, side = dims.critic, dims.resolution // 8
        layers: list[nn.Module] = [look(6, c, "none"), look(c, 2 * c, dims.norm), look(2 * c, 4 * c, dims.norm)]
        layers += looking(dims, 4 * c, side)
        while side > 2 * dims.lowest:
            side //= 2
            layers += [look(4 * c, 4 * c, dims.norm), *looking(dims, 4 * c, side)]
        self.layers = nn.Sequential(*layers, nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(4 * c, 1, 4, bias=False))
        self.apply(begin)

    def forward(self, pictures: Tensor, given: Tensor) -> Tensor:
        """Judge ``pictures`` made of ``given``."""
        return self.layers(torch.cat([pictures, given], 1))


def look(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    """A critic's layer, which halves the side."""
    conv = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(conv, nn.LeakyReLU(SLOPE), norm_of(norm, outputs))


def begin(layer: nn.Module) -> None:
    """Initial weights: He et al. 2015; before a pixel shuffle the four pixels of a block alike (ICNR, Aitken et al.
    2017), so that no checker pattern has to be unlearnt."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        gain = "relu" if isinstance(layer, nn.Conv2d) and layer.kernel_size != (5, 5) else "linear"
        nn.init.kaiming_normal_(layer.weight, nonlinearity=gain)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    if isinstance(layer, Up) and isinstance(layer[-1], nn.PixelShuffle):
        spread = layer[0]
        with torch.no_grad():
            spread.weight.copy_(spread.weight[::4].repeat_interleave(4, 0))
