"""FSLSD's networks, around a style prior.

Facts from cnnlstm/FSLSD_HiRes at 4cf0869. The rows of a face are split: the first ones are its structure, the others
its appearance. A swap has the source's structure, moved in the direction that the landmarks of both faces give, and
the target's appearance. A decoder joins the generator's maps, within the target's face, with maps of the target,
around it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.layers import to_input
from rtswap.training.recipes.style_prior.encoder import PSP, Encoder, Equalised, begin
from rtswap.training.recipes.style_prior.network import SLOPE, Dims, StylePrior, enlarge
from rtswap.training.recipes.style_prior.points import heatmaps, normalise, outline
from rtswap.vision.topology import BROWS_68, LEFT_EYE, LIPS_OUTER, NOSE_68, OVAL, POINTS_68, RIGHT_EYE

POINTS_106 = [*OVAL, *LEFT_EYE, *RIGHT_EYE, *LIPS_OUTER, *BROWS_68, *NOSE_68[1:]]
"""As many landmarks as the original's heat maps show."""
HIDDEN = 256
"""Width of the small direction's layers."""
LAST = 16
"""Channels of the decoder before the picture."""
LEAST = 8
"""Side of the smallest maps that are joined."""


class Direction(nn.Module):
    """The direction that leads the source's structure to the target's pose and expression: E(l_s, l_t) - E(l_s, l_s),
    which is 0 where both are the same.

    ``full``: from heat maps, by an encoder like the prior's; else from coordinates.
    """

    def __init__(self, dims: Dims, structure: int, *, full: bool) -> None:
        super().__init__()
        self._structure, self._style = structure, dims.style
        self._full, self.rows = full, POINTS_106 if full else POINTS_68
        count = len(self.rows)
        if full:
            sizes = replace(PSP, inputs=2 * count, rows=(3, structure - 3, 0), size=256)
            self.body: nn.Module = Encoder(sizes, dims.style)
        else:
            self.body = nn.Sequential(
                nn.Linear(6 * count, HIDDEN), nn.LeakyReLU(SLOPE),
                nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(SLOPE),
                Equalised(HIDDEN, structure * dims.style),
            )  # fmt: skip

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        """E of two shapes (N, P, 3), -1..1: (N, structure, style)."""
        if self._full:
            given = torch.cat([heatmaps(source, PSP.size), heatmaps(target, PSP.size)], 1)
        else:
            given = torch.cat([source, target], 1).flatten(1)
        return self.body(given).view(-1, self._structure, self._style)  # type: ignore[no-any-return]

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """The direction."""
        return self.encode(source, target) - self.encode(source, source)


class TargetEncoder(nn.Module):
    """Faces (N, 3, R, R) -> their maps of every side from ``LEAST`` on, as wide as the generator's."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        widths = [width for width, side in zip(dims.widths, dims.sides, strict=True) if side >= LEAST]
        widths.reverse()
        self.first = nn.Conv2d(3, widths[0], 1)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(widths))
        self.apply(begin)

    def forward(self, faces: Tensor) -> list[Tensor]:
        """Encode; the smallest map comes first."""
        x = functional.leaky_relu(self.first(faces), SLOPE)
        maps = [x]
        for down in self.downs:
            x = functional.leaky_relu(down(x), SLOPE)
            maps.append(x)
        return maps[::-1]


class Decoder(nn.Module):
    """Maps of the swap, maps of the target and the target's mask -> the swapped face (N, 3, R, R)."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        widths = [width for width, side in zip(dims.widths, dims.sides, strict=True) if side >= LEAST]
        self.ups = nn.ModuleList(
            nn.Conv2d(a if k == 0 else 2 * a, b, 3, 1, 1) for k, (a, b) in enumerate(pairwise(widths))
        )
        self.last = nn.Sequential(
            nn.Conv2d(2 * widths[-1], LAST, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(LAST, 3, 3, 1, 1)
        )
        self.apply(begin)

    def forward(self, swap: list[Tensor], target: list[Tensor], mask: Tensor) -> Tensor:
        """``mask`` (N, 1, R, R), 0..1: 1 shows the swap's maps, 0 the target's."""
        x = None
        for k, (a, b) in enumerate(zip(swap, target, strict=True)):
            m = functional.avg_pool2d(mask, mask.shape[-1] // a.shape[-1]).to(a.dtype)
            joined = m * a + (1 - m) * b
            x = joined if x is None else torch.cat([joined, x], 1)
            if k < len(self.ups):
                x = functional.leaky_relu(enlarge(self.ups[k](x)), SLOPE)
        picture: Tensor = self.last(x)
        return picture


@dataclass(frozen=True)
class Made:
    """One swap."""

    face: Tensor
    """(N, 3, R, R) what the decoder joined."""
    side: Tensor
    """(N, 3, R, R) what the generator made of the rows: the paper's side output."""
    rows: Tensor
    """(N, rows, style)."""


class Fslsd(nn.Module):
    """The prior and what is around it. ``structure``: how many of the rows are structure."""

    def __init__(self, dims: Dims, structure: int, *, full: bool = False) -> None:
        super().__init__()
        self.dims, self.structure = dims, structure
        self.prior = StylePrior(dims)
        self.direction = Direction(dims, structure, full=full)
        self.target = TargetEncoder(dims)
        self.decoder = Decoder(dims)
        self._skipped = sum(side < LEAST for side in dims.sides)

    def shape_of(self, points: Tensor) -> Tensor:
        """Landmarks (N, 468, 3) px -> the points that the direction reads, -1..1."""
        return normalise(points, self.dims.resolution)[:, self.direction.rows]

    def mixed(self, structure: Tensor, target_rows: Tensor) -> Tensor:
        """Rows of a swap: a structure (N, structure, style), and the appearance of ``target_rows``."""
        return torch.cat([structure, target_rows[:, self.structure :].to(structure.dtype)], 1)

    def make(self, faces: Tensor, rows: Tensor, mask: Tensor) -> Made:
        """The face of ``rows`` in the targets ``faces`` (N, 3, R, R), within ``mask`` (N, 1, R, R)."""
        maps, side = self.prior.generator(rows)
        face = self.decoder(maps[self._skipped :], self.target(faces), mask)
        return Made(face, side, rows)

    def forward(self, photos: Tensor, photo_points: Tensor, faces: Tensor, points: Tensor) -> Made:
        """Swap: photos and targets (N, 3, R, R), -1..1, and the landmarks (N, 468, 3) px of both."""
        source, target = self.shape_of(photo_points), self.shape_of(points)
        structure = self.prior.encode(photos)[:, : self.structure] + self.direction(source, target)
        mask = outline(points, self.dims.resolution)
        return self.make(faces, self.mixed(structure, self.prior.encode(faces)), mask)


class BindGraph(nn.Module):
    """``photo`` (1, R, R, 3) uint8, ``photo_points`` (1, 468, 3) px -> the structure, less E(l_s, l_s), and the
    shape."""

    def __init__(self, network: Fslsd) -> None:
        super().__init__()
        self.network = network

    def forward(self, photo: Tensor, photo_points: Tensor) -> tuple[Tensor, Tensor]:
        """Bind."""
        network = self.network
        shape = network.shape_of(photo_points)
        rows = network.prior.encode(to_input(photo))[:, : network.structure]
        return rows - network.direction.encode(shape, shape), shape


class FrameGraph(nn.Module):
    """``face`` (1, R, R, 3) uint8, ``points`` (1, 468, 3) px, and what was bound -> ``swapped`` (1, R, R, 3)
    0..255."""

    def __init__(self, network: Fslsd) -> None:
        super().__init__()
        self.network = network

    def forward(self, face: Tensor, points: Tensor, structure: Tensor, shape: Tensor) -> Tensor:
        """Swap."""
        network, faces = self.network, to_input(face)
        moved = structure + network.direction.encode(shape, network.shape_of(points))
        rows = network.mixed(moved, network.prior.encode(faces))
        made = network.make(faces, rows, outline(points, network.dims.resolution))
        return ((made.face.permute(0, 2, 3, 1) + 1) * 127.5).clamp(0, 255)
