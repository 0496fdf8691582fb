"""The networks of FaceShifter (Li et al. 2019, arXiv 1912.13457). Pictures are BGR -1..1.

Facts from taotaonice/FaceShifter at 376b09e and maum-ai/faceshifter at 1d4b25e. An encoder takes attribute maps of
the target at every scale. The generator begins with the source's identity alone and, at each scale, mixes two
denormalisations of its features: one by the target's attributes, one by the identity; a gate says where which
counts.

Beside the identity vector stand a code and maps of the source's photo, which texture and colours can pass through
(not in the paper): what a vector says of a person, some thousand people cannot teach. What depends on the source
alone is computed once (``Aei.bind``), so that a frame runs static layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.recipes.faceshifter.softening import Softened

SLOPE = 0.1
IDENTITY = 128
"""Length of an embedding of the recogniser."""


@dataclass(frozen=True)
class Dims:
    """Sizes of AEI-Net."""

    resolution: int = 128
    assisted: bool = False
    """Whether the encoder also sees a picture that has the source's face already, to which the generator adds."""
    unshuffle: int = 2
    """Pixels per side that a place holds which the encoders see."""
    encoder: tuple[int, ...] = (48, 80, 128, 144, 144)
    """Channels of the attribute encoder; each layer halves the side."""
    decoder: tuple[int, ...] = (112, 80, 64, 48)
    """Channels of its way up; each layer doubles the side, and the encoder's maps are put beside its own."""
    generator: tuple[int, ...] = (144, 144, 128, 96, 48)
    """Channels that go into each block; there is a block for each of the first attribute maps."""
    shuffle: int = 4
    """Pixels per side that a place of the last map holds. 1: the last block makes the picture."""
    photo: tuple[int, ...] = (32, 64, 96, 128)
    """Channels of the photo's encoder, whose layers halve the side; the last is the length of its code. Empty: the
    embedding alone."""
    identity: int = IDENTITY
    kernel: Literal[1, 3] = 1
    """Of the convolutions that make scales, shifts and gates."""
    gate: Literal["place", "channel"] = "place"
    norm: Literal["batch", "instance"] = "batch"
    bias: bool = False
    """Of the convolutions."""
    softened: bool = False
    """Whether the attribute encoder sees the face itself blurred."""
    template: str = "whole"
    """By which faces are aligned."""

    @property
    def maps(self) -> list[int]:
        """Channels of the attribute maps, the coarsest first."""
        beside = [up + down for up, down in zip(self.decoder, self.encoder[-2::-1], strict=False)]
        return [self.encoder[-1], *beside, *([beside[-1]] if self.shuffle == 1 else [])]

    @property
    def lowest(self) -> int:
        """Side of the coarsest map."""
        return self.resolution // self.unshuffle >> len(self.encoder)

    @property
    def seen(self) -> int:
        """Channels that the encoders see."""
        return 3 * self.unshuffle**2

    @property
    def shown(self) -> int:
        """Channels that the attribute encoder sees."""
        return self.seen * (2 if self.assisted else 1)

    @property
    def photo_maps(self) -> list[tuple[int, int]]:
        """Channels of the photo's map that each block of the generator sees, and its side; 0 channels: none."""
        first = self.resolution // self.unshuffle
        found = {first >> layer: channels for layer, channels in enumerate(self.photo, 1)}
        sides = [self.lowest << block for block in range(len(self.maps))]
        return [(found.get(side, 0), side) for side in sides]

    @property
    def code(self) -> int:
        """Length of what the generator knows of the source."""
        return self.identity + (self.photo[-1] if self.photo else 0)


class Bound(NamedTuple):
    """What the generator knows of a source."""

    identity: Tensor
    """(N, K) scales and shifts of all blocks, then the photo's maps."""
    start: Tensor
    """(N, C, S, S) the features that it begins with."""


def norm_of(channels: int, norm: str) -> nn.Module:
    """A normalisation without weights of its own: scales and shifts follow it."""
    return nn.InstanceNorm2d(channels) if norm == "instance" else nn.BatchNorm2d(channels, affine=False)


class Step(nn.Sequential):
    """Half the side or, ``up``, twice: convolution, normalisation, leaky rectifier."""

    def __init__(self, inputs: int, outputs: int, *, up: bool = False, bias: bool = False) -> None:
        kind = nn.ConvTranspose2d if up else nn.Conv2d
        super().__init__(kind(inputs, outputs, 4, 2, 1, bias=bias), nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE))


class AttributeEncoder(nn.Module):
    """Faces (N, 3, R, R), or (N, 6, R, R) with the assisting picture -> attribute maps, the coarsest first."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.downs = nn.ModuleList(Step(a, b, bias=dims.bias) for a, b in pairwise((dims.shown, *dims.encoder)))
        self.ups = nn.ModuleList(
            Step(a, b, up=True, bias=dims.bias) for a, b in zip(dims.maps, dims.decoder, strict=False)
        )
        self._doubled, self._unshuffle = dims.shuffle == 1, dims.unshuffle

    def forward(self, faces: Tensor) -> list[Tensor]:
        """Encode."""
        passed = [functional.pixel_unshuffle(faces, self._unshuffle)]
        for down in self.downs:
            passed.append(down(passed[-1]))
        found = [passed.pop()]
        for up in self.ups:
            found.append(torch.cat([up(found[-1]), passed.pop()], 1))
        if self._doubled:
            found.append(functional.interpolate(found[-1], scale_factor=2.0, mode="bilinear", align_corners=True))
        return found


class Aad(nn.Module):
    """Adaptive attentional denormalisation: features (N, C, S, S), an attribute map (N, A, S, S), scale and shift
    (N, 2 C) of the identity, to which a map of the photo (N, ``photo``, S, S) adds for each place -> features."""

    def __init__(self, channels: int, attributes: int, photo: int, dims: Dims) -> None:
        super().__init__()
        self._channels = channels
        self.norm = norm_of(channels, dims.norm)
        self.attributes = nn.Conv2d(attributes, 2 * channels, dims.kernel, 1, dims.kernel // 2, bias=dims.bias)
        gates = 1 if dims.gate == "place" else channels
        self.gate = nn.Conv2d(channels, gates, dims.kernel, 1, dims.kernel // 2, bias=dims.bias)
        self.photo = nn.Conv2d(photo, 2 * channels, 1, bias=False) if photo else None
        if self.photo is not None:  # begins with the identity alone
            nn.init.zeros_(self.photo.weight)

    def forward(self, h: Tensor, attributes: Tensor, identity: Tensor, photo: Tensor | None) -> Tensor:
        """Mix both denormalisations."""
        h = self.norm(h)
        of_target = self.attributes(attributes).split(self._channels, 1)
        source = identity[..., None, None].to(h.dtype)
        if self.photo is not None and photo is not None:
            source = source + self.photo(photo.to(h.dtype))
        return self.mixed(h, of_target, source.split(self._channels, 1), torch.sigmoid(self.gate(h)))

    @staticmethod
    def mixed(h: Tensor, target: tuple[Tensor, ...], source: tuple[Tensor, ...], gate: Tensor) -> Tensor:
        """``h`` by the scale and the shift of ``target`` where ``gate`` is 0, of ``source`` where it is 1."""
        scale, shift = (theirs + gate * (ours - theirs) for theirs, ours in zip(target, source, strict=True))
        return scale * h + shift


class AadBlock(nn.Module):
    """(N, inputs, S, S) -> (N, outputs, S, S): residual, with a denormalisation before each convolution."""

    def __init__(self, inputs: int, outputs: int, attributes: int, photo: int, dims: Dims) -> None:
        super().__init__()
        self.aads = nn.ModuleList(Aad(inputs, attributes, photo, dims) for _ in range(2 if inputs == outputs else 3))
        sizes = [inputs, outputs, outputs][: len(self.aads)]
        self.convs = nn.ModuleList(nn.Conv2d(inputs, size, 3, 1, 1, bias=dims.bias) for size in sizes)

    @property
    def widths(self) -> list[int]:
        """Numbers of the identity's scales and shifts that each denormalisation takes."""
        return [2 * self.convs[0].in_channels] * len(self.aads)

    def forward(self, h: Tensor, attributes: Tensor, identities: list[Tensor], photo: Tensor | None) -> Tensor:
        """``identities``: as many as there are denormalisations."""
        x = h
        for aad, layer, identity in zip(self.aads[:2], self.convs[:2], identities, strict=False):
            x = layer(torch.relu(aad(x, attributes, identity, photo)))
        if len(self.aads) == 3:
            h = self.convs[2](torch.relu(self.aads[2](h, attributes, identities[2], photo)))
        return x + h


class Generator(nn.Module):
    """Attribute maps and a bound source -> (N, 3, R, R) of any range."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        last = 3 if dims.shuffle == 1 else dims.generator[-1]
        sizes = [*dims.generator, last]
        self.start = nn.ConvTranspose2d(dims.code, sizes[0], dims.lowest)
        self.blocks = nn.ModuleList(
            AadBlock(a, b, maps, photo, dims)
            for (a, b), maps, (photo, _) in zip(pairwise(sizes), dims.maps, dims.photo_maps, strict=True)
        )
        self._widths = [block.widths for block in self.blocks]
        self._photo = dims.photo_maps
        self.identity = nn.Linear(dims.code, sum(map(sum, self._widths)))
        self.picture = nn.Identity() if dims.shuffle == 1 else nn.Conv2d(last, 3 * dims.shuffle**2, 3, 1, 1)
        self.shuffled = nn.Identity() if dims.shuffle == 1 else nn.PixelShuffle(dims.shuffle)
        if dims.shuffle > 1:  # begins without a grid (ICNR, Aitken et al. 2017)
            first = self.picture.weight.data[:: dims.shuffle**2]
            self.picture.weight.data = first.repeat_interleave(dims.shuffle**2, 0)
            nn.init.zeros_(self.picture.bias)
        if dims.assisted:  # begins by adding nothing
            for layer in self.blocks[-1].convs[1:] if dims.shuffle == 1 else [self.picture]:
                for weight in layer.parameters():
                    nn.init.zeros_(weight)

    def bind(self, code: Tensor, photo: Sequence[Tensor] = ()) -> Bound:
        """(N, code) and the photo's maps by ``Dims.photo_maps`` -> what the blocks take of it."""
        shares = [self.identity(code), *(one.flatten(1).to(code.dtype) for one in photo)]
        return Bound(torch.cat(shares, 1), self.start(code[..., None, None]))

    def forward(self, attributes: list[Tensor], bound: Bound) -> Tensor:
        """Make the picture."""
        sizes = [*map(sum, self._widths), *(channels * side**2 for channels, side in self._photo if channels)]
        shares, h = iter(bound.identity.split(sizes, 1)), bound.start
        identities = [list(next(shares).split(widths, 1)) for widths in self._widths]
        for number, (block, maps, (channels, side)) in enumerate(
            zip(self.blocks, attributes, self._photo, strict=True)
        ):
            if number:
                h = functional.interpolate(h, scale_factor=2.0, mode="bilinear", align_corners=False)
            photo = next(shares).reshape(-1, channels, side, side) if channels else None
            h = block(h, maps, identities[number], photo)
        made: Tensor = self.shuffled(self.picture(h))
        return made


class PhotoEncoder(nn.Module):
    """Photos (N, 3, R, R) -> codes (N, C), and the maps that ``Dims.photo_maps`` tells."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        length, side = dims.photo[-1], dims.resolution // dims.unshuffle >> len(dims.photo)
        steps = (Step(a, b) for a, b in pairwise((dims.seen, *dims.photo)))
        self.layers = nn.Sequential(nn.PixelUnshuffle(dims.unshuffle), *steps)
        self.code = nn.Linear(length * side**2, length)
        first = dims.resolution // dims.unshuffle
        self._shown = [(first // side).bit_length() - 1 for channels, side in dims.photo_maps if channels]

    def forward(self, photos: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encode."""
        found = []
        for layer in self.layers:
            photos = layer(photos)
            found.append(photos)
        return self.code(photos.flatten(1)), [found[layer] for layer in self._shown]


class Aei(nn.Module):
    """AEI-Net: the source's identity in the target's attributes."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        self.softened = Softened(dims.template, dims.resolution) if dims.softened else nn.Identity()
        self.encoder = AttributeEncoder(dims)
        self.photo = PhotoEncoder(dims) if dims.photo else None
        self.generator = Generator(dims)

    def bind(self, photos: Tensor, embeddings: Tensor) -> Bound:
        """Photos (N, 3, R, R) and embeddings (N, E) of unit length."""
        code = embeddings * embeddings.shape[1] ** 0.5
        if self.photo is None:
            return self.generator.bind(code)
        of_photo, maps = self.photo(photos)
        return self.generator.bind(torch.cat([code, of_photo.to(code.dtype)], 1), maps)

    def attributes(self, faces: Tensor, warped: Tensor | None = None) -> list[Tensor]:
        """Maps of pictures (N, 3, R, R) and, assisted, of those of the source's face in place of the target's."""
        faces = self.softened(faces)
        return self.encoder(faces if warped is None else torch.cat([faces, warped], 1))

    def made(self, attributes: list[Tensor], bound: Bound, warped: Tensor | None = None) -> Tensor:
        """(N, 3, R, R) the swapped face."""
        made = self.generator(attributes, bound)
        return torch.tanh(made) if warped is None else warped + made

    def forward(self, faces: Tensor, bound: Bound, warped: Tensor | None = None) -> Tensor:
        """Targets (N, 3, R, R) -> swapped."""
        return self.made(self.attributes(faces, warped), bound, warped)


TAO = Dims(
    resolution=256,
    unshuffle=1,
    encoder=(32, 64, 128, 256, 512, 1024, 1024),
    decoder=(1024, 512, 256, 128, 64, 32),
    generator=(1024, 1024, 1024, 1024, 512, 256, 128, 64),
    shuffle=1,
    photo=(),
    identity=512,
    norm="instance",
)
MAUM = replace(TAO, identity=256, kernel=3, gate="channel", norm="batch", bias=True)
PAPER = MappingProxyType({"tao": TAO, "maum": MAUM})
"""The paper's network as taotaonice and as maum built it."""


class FaceShifter(nn.Module):
    """AEI-Net and, if there is one, the network that mends what it makes."""

    def __init__(self, aei: Aei, hear: nn.Module | None = None) -> None:
        super().__init__()
        self.aei, self.hear = aei, hear
        self.register_buffer("mending", torch.zeros((), dtype=torch.int64))
        """1 as soon as AEI-Net has learnt and HEAR-Net learns."""
