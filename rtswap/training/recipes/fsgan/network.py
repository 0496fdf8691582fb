"""The networks of FSGAN: reenactment, inpainting, blending, and the critic.

Facts from YuvalNirkin/fsgan at 05237f4: a U-Net at half the resolution whose skips have residual blocks and are
added, and an enhancer at the full one; pix2pixHD's critic at two scales. At the original's sizes the numbers of
weights are the original's.

Changed: the reenactment network also sees where the landmarks of the given view are; inpainting makes what is *added*
in the holes, so that nothing changes where nothing is hidden; blending begins from a solution of Poisson's equation
over the whole picture and learns what OpenCV's, within the face's box, has otherwise. The light variant is the
U-Net alone, on blocks of 2 x 2 pixels, without normalisation, and sees landmarks in eight groups. Segmentation is not
learnt: rtswap's occlusion network and the face's outline do that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.vision.topology import (
    LEFT_BROW,
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    NOSE_68,
    OVAL,
    RIGHT_BROW,
    RIGHT_EYE,
)

SLOPE = 0.2
RIM = 3
"""Pixels at the edge of a mask that OpenCV takes from the target."""
SIGMA = 1.2
"""Of a landmark's bell, in pixels of the maps that show it."""
GROUPS = (OVAL, LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, NOSE_68, LIPS_OUTER, LIPS_INNER)
SINGLE = (
    *OVAL[2:-1],
    *LEFT_BROW,
    *RIGHT_BROW,
    *NOSE_68,
    *LEFT_EYE[::2],
    *RIGHT_EYE[::2],
    *LIPS_OUTER[::2],
    *LIPS_INNER[::2],
)
"""98 landmarks, divided over the face as the original's: a map each."""


@dataclass(frozen=True)
class Dims:
    """Sizes of the networks."""

    resolution: int = 256
    """Side of a face in pixels, a multiple of 16."""
    lite: bool = False
    reenact: tuple[int, ...] = (128, 256, 512, 1024)
    fill: tuple[int, ...] = (128, 256, 512, 1024)
    """Channels of the networks that inpaint and blend: at the full resolution (lite: at half), at half of it, ..."""
    critic: int = 64

    @classmethod
    def of(cls, resolution: int, capacity: str) -> Dims:
        """``standard``: the original's; ``lite``: for two cores."""
        if capacity == "standard":
            return cls(resolution)
        return cls(resolution, True, (24, 48, 96, 160), (16, 32, 64, 128), 16)


class Residual(nn.Module):
    """(N, C, H, W) -> the same."""

    def __init__(self, channels: int, *, lite: bool) -> None:
        super().__init__()
        self.first, self.second = (conv(channels, channels, lite=lite, active=part == 0) for part in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        return x + self.second(self.first(x))


def conv(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, lite: bool, active: bool = True
) -> nn.Sequential:
    """A convolution, normalised unless ``lite``, rectified if ``active``."""
    padding = {"padding_mode": "zeros" if lite else "reflect", "bias": lite}
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, **padding)]  # type: ignore[arg-type]
    if not lite:
        layers.append(nn.BatchNorm2d(outputs))
    if active:
        layers.append(nn.LeakyReLU(SLOPE, inplace=True) if lite else nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def up(x: Tensor) -> Tensor:
    """Twice as large."""
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Unet(nn.Module):
    """Planes (N, inputs, H, W) -> maps (N, widths[0], H, W). Each level halves the side."""

    def __init__(self, inputs: int, widths: tuple[int, ...], *, lite: bool) -> None:
        super().__init__()
        count = 1 if lite else 2
        self.begin = conv(inputs, widths[0], 3 if lite else 7, lite=lite)
        self.down = nn.ModuleList(
            nn.Sequential(conv(a, b, stride=2, lite=lite), conv(b, b, lite=lite)) for a, b in pairwise(widths)
        )
        self.across = nn.ModuleList(
            nn.Sequential(*(Residual(width, lite=lite) for _ in range(count))) for width in widths
        )
        self.up = nn.ModuleList(conv(b, a, lite=lite) for a, b in pairwise(widths))

    def forward(self, planes: Tensor) -> Tensor:
        """Encode to the smallest maps, and decode."""
        levels = [self.begin(planes)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = self.across[-1](levels[-1])
        for number in range(len(self.up) - 1, -1, -1):
            x = self.across[number](levels[number]) + self.up[number](up(x))
        return x


class Painter(nn.Module):
    """Planes (N, inputs, R, R) -> (N, 3, R, R), not limited. ``maps``: more planes, in lite networks
    of half the side."""

    def __init__(self, planes: int, maps: int, widths: tuple[int, ...], dims: Dims) -> None:
        super().__init__()
        self.lite = dims.lite
        if dims.lite:
            self.base = Unet(4 * planes + maps, widths, lite=True)
            self.end = nn.Conv2d(widths[0], 12, 3, 1, 1)
            nn.init.zeros_(self.end.bias)
            return
        self.base = Unet(planes + maps, widths[1:], lite=False)
        self.begin = conv(planes + maps, widths[0], 7, lite=False)
        self.join = conv(widths[1], widths[0], lite=False)
        self.fine = nn.Sequential(*(Residual(widths[0], lite=False) for _ in range(2)))
        self.end = nn.Conv2d(widths[0], 3, 7, 1, 3, padding_mode="reflect", bias=False)

    def forward(self, planes: Tensor, maps: Tensor | None = None) -> Tensor:
        """Paint."""
        if self.lite:
            planes = functional.pixel_unshuffle(planes, 2)
        if maps is not None:
            planes = torch.cat([planes, maps.to(planes.dtype)], 1)
        if self.lite:
            return functional.pixel_shuffle(self.end(self.base(planes)), 2)
        small = self.base(functional.avg_pool2d(planes, 2))
        return torch.tanh(self.end(self.fine(self.begin(planes) + self.join(up(small)))))


class Bells(nn.Module):
    """Landmarks (N, 468, 2 or 3), px of a picture of ``resolution`` -> maps (N, groups, side, side), 0..1."""

    def __init__(self, resolution: int, side: int, *, single: bool) -> None:
        super().__init__()
        self.scale, self.side = side / resolution, side
        groups = [[number] for number in SINGLE] if single else GROUPS
        self.lengths = [len(group) for group in groups]
        numbers = torch.tensor([number for group in groups for number in group])
        self.register_buffer("numbers", numbers, persistent=False)
        self.register_buffer("along", torch.arange(side, dtype=torch.float32), persistent=False)

    def __len__(self) -> int:
        return len(self.lengths)

    def forward(self, points: Tensor) -> Tensor:
        """Draw: a bell is a product of one along x and one along y, and their sum over a group a matrix product."""
        chosen = (points[:, self.numbers, :2].float() + 0.5) * self.scale - 0.5
        bells = torch.exp((self.along - chosen[..., None]).square() * (-0.5 / SIGMA**2))
        across, down = bells[:, :, 0], bells[:, :, 1]
        drawn = [
            y.transpose(1, 2) @ x
            for x, y in zip(across.split(self.lengths, 1), down.split(self.lengths, 1), strict=True)
        ]
        return torch.stack(drawn, 1).clamp(max=1.0)


class Reenact(nn.Module):
    """A view, -1..1, and its landmarks -> the same face with other landmarks. The original sees the latter alone.
    ``assisted``: the view has already been moved there, and what is made is added to it."""

    def __init__(self, dims: Dims, *, assisted: bool = False) -> None:
        super().__init__()
        self.assisted = assisted
        side = dims.resolution // 2 if dims.lite else dims.resolution
        self.bells, self.both = Bells(dims.resolution, side, single=not dims.lite), dims.lite
        self.painter = Painter(3, len(self.bells) * (2 if self.both else 1), dims.reenact, dims)
        if assisted:
            nn.init.zeros_(self.painter.end.weight)

    def forward(self, view: Tensor, points: Tensor, goal: Tensor) -> Tensor:
        """(N, 3, R, R), (N, 468, 3) px, (N, 468, 3) px -> (N, 3, R, R)."""
        maps = self.bells(goal)
        if self.both:
            maps = torch.cat([maps, self.bells(points)], 1)
        made = self.painter(view, maps)
        return view + made if self.assisted else made


class Inpaint(nn.Module):
    """A face, -1..1, and its holes (N, 1, R, R), 1 = hidden -> the face with the holes filled."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.painter = Painter(4, 0, dims.fill, dims)

    def forward(self, face: Tensor, hole: Tensor) -> Tensor:
        """Fill."""
        seen = face * (1 - hole)
        return seen + hole * self.painter(torch.cat([seen, hole], 1))


class Blend(nn.Module):
    """A face and a target, -1..1, and the face's mask (N, 1, R, R) -> the face in the light of the target."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.membrane = Membrane(dims.resolution)
        self.painter = Painter(7, 0, dims.fill, dims)
        nn.init.zeros_(self.painter.end.weight)

    def forward(self, face: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Blend. What the target shows ``RIM`` pixels inside the mask is not seen."""
        inner = 1 - functional.max_pool2d(1 - mask, 2 * RIM + 1, 1, RIM)
        begun = self.membrane(face, target, inner)
        added = self.painter(torch.cat([begun, target * (1 - inner), mask], 1))
        return target * (1 - mask) + mask * (begun + added)


class Membrane(nn.Module):
    """Poisson's equation over whole pictures (N, 3, R, R), solved by sine transforms: the gradients of a face within
    a mask (N, 1, R, R), of the target elsewhere; at the pictures' border the target. Nothing is learnt."""

    def __init__(self, side: int) -> None:
        super().__init__()
        at = torch.arange(1, side + 1, dtype=torch.float64)
        waves = torch.sin(math.pi * at[:, None] * at / (side + 1)) * math.sqrt(2 / (side + 1))
        eigen = 2 * torch.cos(math.pi * at / (side + 1)) - 2
        self.register_buffer("waves", waves.float(), persistent=False)
        self.register_buffer("inverse", (1 / (eigen[:, None] + eigen)).float(), persistent=False)

    def forward(self, face: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Solve, in float32."""
        with torch.autocast("cuda" if face.is_cuda else "cpu", enabled=False):
            off = (face - target).float()
            down = functional.pad((off[..., 1:, :] - off[..., :-1, :]) * mask[..., :-1, :], (0, 0, 1, 1))
            across = functional.pad((off[..., 1:] - off[..., :-1]) * mask[..., :-1], (1, 1))
            sources = down[..., 1:, :] - down[..., :-1, :] + across[..., 1:] - across[..., :-1]
            spectrum = self.waves @ sources @ self.waves * self.inverse
            return target + self.waves @ spectrum @ self.waves


class Critic(nn.Module):
    """Pictures (N, 3, R, R) -> scores of patches at either scale: 1 for real ones, 0 for made ones."""

    def __init__(self, dims: Dims, scales: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList(patches(dims.critic, lite=dims.lite) for _ in range(scales))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Judge, the full resolution first."""
        scores = []
        for judge in self.scales:
            scores.append(judge(pictures))
            pictures = functional.avg_pool2d(pictures, 3, 2, 1, count_include_pad=False)
        return scores


def patches(width: int, *, lite: bool) -> nn.Sequential:
    """pix2pixHD's critic of patches."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 2), nn.LeakyReLU(SLOPE)]
    for a, b, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
        layers.append(nn.Conv2d(a * width, b * width, 4, stride, 2))
        layers += [] if lite else [nn.InstanceNorm2d(b * width)]
        layers.append(nn.LeakyReLU(SLOPE))
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 2))


class Fsgan(nn.Module):
    """The three networks that swap."""

    def __init__(self, dims: Dims, *, assisted: bool = False) -> None:
        super().__init__()
        self.dims, self.assisted = dims, assisted
        self.reenact = Reenact(dims, assisted=assisted)
        self.inpaint, self.blend = Inpaint(dims), Blend(dims)
