"""The networks of DF and LIAE.

Facts from DeepFaceLab, ``core/leras/archis/DeepFakeArchi.py`` at 46fc239: an encoder of stride-2 convolutions, one or
two dense layers as a bottleneck ("inter"), and decoders that double the resolution by pixel shuffling. DF has one
bottleneck and a decoder per person. LIAE has one decoder and two bottlenecks, ``inter_ab`` for both people and
``inter_b`` for the target alone; a swap decodes the target's code of ``inter_ab`` twice.

Options: ``u`` normalises the encoder's code, ``d`` computes the decoder at half the resolution, ``t`` adds a fifth
stride and residual blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.layers import LeakyResidual

SLOPE = 0.1


@dataclass(frozen=True)
class Dims:
    """Sizes of one network. The defaults are those of DeepFaceLab."""

    resolution: int = 128
    """Side of a face in pixels: a multiple of 16, with ``d`` or ``t`` of 32, with both of 64."""
    options: str = "ud"
    code: int = 256
    """Width of the bottleneck ("ae_dims")."""
    encoder: int = 64
    decoder: int = 64
    mask: int = 22
    """Width of the decoder's mask branch."""

    @property
    def lowest(self) -> int:
        """Side of the maps that the bottleneck makes."""
        return self.resolution // (32 if "d" in self.options else 16)

    @property
    def multiple(self) -> int:
        """What the resolution must be a multiple of."""
        return 64 if {"d", "t"} <= set(self.options) else 32 if {"d", "t"} & set(self.options) else 16


class Downscale(nn.Sequential):
    """(N, C, H, W) -> (N, outputs, H / 2, W / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 5, 2, 2), nn.LeakyReLU(SLOPE))


class Upscale(nn.Sequential):
    """(N, C, H, W) -> (N, outputs, 2 H, 2 W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, 4 * outputs, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.PixelShuffle(2))


class Encoder(nn.Module):
    """Faces (N, 3, R, R), BGR 0..1 -> codes (N, length)."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        e, deep = dims.encoder, "t" in dims.options
        if deep:
            self.layers = nn.Sequential(
                Downscale(3, e),
                LeakyResidual(e),
                *(Downscale(e << k, e << k + 1) for k in range(3)),
                Downscale(8 * e, 8 * e),
                LeakyResidual(8 * e),
            )
        else:
            self.layers = nn.Sequential(Downscale(3, e), *(Downscale(e << k, e << k + 1) for k in range(3)))
        self.length = 8 * e * (dims.resolution // (32 if deep else 16)) ** 2
        self._normalised = "u" in dims.options

    def forward(self, faces: Tensor) -> Tensor:
        """Encode."""
        code = self.layers(faces).flatten(1)
        if self._normalised:
            code = code * (code.float().square().mean(1, keepdim=True) + 1e-6).rsqrt().to(code.dtype)
        return code


class Inter(nn.Module):
    """Codes (N, length) -> maps (N, outputs, S, S)."""

    def __init__(self, dims: Dims, length: int, outputs: int) -> None:
        super().__init__()
        self.outputs, self.side = outputs, dims.lowest
        self.narrow = nn.Linear(length, dims.code)
        self.wide = nn.Linear(dims.code, self.side**2 * outputs)
        self.up = nn.Identity() if "t" in dims.options else Upscale(outputs, outputs)

    def forward(self, code: Tensor) -> Tensor:
        """Squeeze the code through the bottleneck."""
        maps = self.wide(self.narrow(code)).view(-1, self.outputs, self.side, self.side)
        return self.up(maps)


class Decoder(nn.Module):
    """Maps (N, inputs, S, S) -> faces (N, 3, R, R), BGR 0..1, and their masks (N, 1, R, R), 0..1."""

    def __init__(self, dims: Dims, inputs: int) -> None:
        super().__init__()
        d, m = dims.decoder, dims.mask
        face, mask = [inputs, 8 * d, 4 * d, 2 * d], [inputs, 8 * m, 4 * m, 2 * m]
        if "t" in dims.options:
            face.insert(1, 8 * d)
            mask.insert(1, 8 * m)
        steps = [(Upscale(a, b), LeakyResidual(b)) for a, b in pairwise(face)]
        self.face = nn.Sequential(*(layer for step in steps for layer in step))
        self.quarters = nn.ModuleList(
            nn.Conv2d(2 * d, 3, k, 1, k // 2) for k in ((1, 3, 3, 3) if "d" in dims.options else (1,))
        )
        ups = [Upscale(a, b) for a, b in pairwise(mask)]
        if "d" in dims.options:
            ups.append(Upscale(2 * m, m))
        self.mask = nn.Sequential(*ups, nn.Conv2d(m if "d" in dims.options else 2 * m, 1, 1))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Decode."""
        x = self.face(maps)
        face, *more = (layer(x) for layer in self.quarters)
        if more:  # the four pictures are the pixels of each block of 2 x 2
            face = functional.pixel_shuffle(torch.stack([face, *more], 2).flatten(1, 2), 2)
        return torch.sigmoid(face), torch.sigmoid(self.mask(maps))


class DF(nn.Module):
    """One code for both people, a decoder for each."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        self.encoder = Encoder(dims)
        self.inter = Inter(dims, self.encoder.length, dims.code)
        self.source = Decoder(dims, dims.code)
        self.target = Decoder(dims, dims.code)

    def code(self, faces: Tensor) -> Tensor:
        """(N, code, S, S)."""
        return self.inter(self.encoder(faces))

    def forward(self, source: Tensor, target: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Reconstruct both people: (face, mask) of each."""
        maps = self.code(torch.cat([source, target]))
        first, second = maps.split([len(source), len(target)])
        return self.source(first), self.target(second)

    def swap(self, faces: Tensor, *, back: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Targets -> the source's face, the source's mask, the target's mask. ``back``: sources -> the target's."""
        maps = self.code(faces)
        made, given = (self.target, self.source) if back else (self.source, self.target)
        face, mask = made(maps)
        return face, mask, given(maps)[1]


class LIAE(nn.Module):
    """One decoder; two codes, one of which only the target has."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        self.encoder = Encoder(dims)
        self.inter_ab = Inter(dims, self.encoder.length, 2 * dims.code)
        self.inter_b = Inter(dims, self.encoder.length, 2 * dims.code)
        self.decoder = Decoder(dims, 4 * dims.code)
        self.register_buffer("resets", torch.zeros((), dtype=torch.int64))
        """How often ``inter_ab`` was begun anew."""

    def forward(self, source: Tensor, target: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Reconstruct both people: (face, mask) of each."""
        first, second = self.encoder(torch.cat([source, target])).split([len(source), len(target)])
        shared = self.inter_ab(torch.cat([first, second]))
        shared_first, shared_second = shared.split([len(source), len(target)])
        both = torch.cat([shared_first, self.inter_b(second)]), torch.cat([shared_first, shared_second])
        faces, masks = self.decoder(torch.cat(both, 1))
        counts = [len(source), len(target)]
        (a, b), (mask_a, mask_b) = faces.split(counts), masks.split(counts)
        return (a, mask_a), (b, mask_b)

    def swap(self, faces: Tensor, *, back: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Targets -> the source's face, the source's mask, the target's mask. ``back``: sources -> the target's."""
        code = self.encoder(faces)
        shared = self.inter_ab(code)
        source, target = torch.cat([shared, shared], 1), torch.cat([self.inter_b(code), shared], 1)
        (face, mask), (_, given) = (self.decoder(maps) for maps in ((target, source) if back else (source, target)))
        return face, mask, given
