"""MegaFS's transfer of styles, on a style prior.

Facts from zyainfal/One-Shot-Face-Swapping-on-Megapixels at f01b195: a swap keeps the target's first rows; each of the
others is made from the source's and the target's by three transfer cells of its own. Changed: the cells' leaky ReLU
has a slope of 0.2; the original's, by a slip, of 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.layers import to_input
from rtswap.training.recipes.style_prior.network import SLOPE, Dims, StylePrior

CELLS = 3
OPEN = 3.0
"""Bias of the gates before they have learned: nearly open."""


class RowLinear(nn.Module):
    """(rows, N, inputs) -> (rows, N, outputs): a layer of its own for each row, in one product."""

    def __init__(self, rows: int, inputs: int, outputs: int, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, inputs, outputs) / inputs**0.5)
        self.bias = nn.Parameter(torch.full((rows, 1, outputs), bias))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return x @ self.weight + self.bias


class Gate(nn.Module):
    """Two layers; reads both rows."""

    def __init__(self, rows: int, style: int, bias: float) -> None:
        super().__init__()
        self.first = RowLinear(rows, 2 * style, style // 2)
        self.second = RowLinear(rows, style // 2, style, bias)

    def forward(self, both: Tensor) -> Tensor:
        """(rows, N, 2 style) -> (rows, N, style)."""
        found: Tensor = self.second(torch.relu(self.first(both)))
        return found


class Cell(nn.Module):
    """A transfer cell of each row: both faces' rows are scaled and shifted, as both say."""

    def __init__(self, rows: int, style: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(Gate(rows, style, OPEN) for _ in range(2))
        self.shifts = nn.ModuleList(Gate(rows, style, 0.0) for _ in range(2))

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, N, style) of both."""
        both = torch.cat([source, target], 2)
        found = [
            functional.leaky_relu(row * torch.sigmoid(scale(both)) + torch.tanh(shift(both)), SLOPE)
            for row, scale, shift in zip((source, target), self.scales, self.shifts, strict=True)
        ]
        return found[0], found[1]


class Transfer(nn.Module):
    """Rows of source and target (N, rows, style) -> rows of the swap."""

    def __init__(self, rows: int, style: int) -> None:
        super().__init__()
        self.cells = nn.ModuleList(Cell(rows, style) for _ in range(CELLS))
        self.share = nn.Parameter(torch.zeros(rows, style))
        """Of the source in the end, before a sigmoid."""

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Transfer."""
        source, target = source.transpose(0, 1), target.transpose(0, 1)
        for cell in self.cells:
            source, target = cell(source, target)
        share = torch.sigmoid(self.share)
        return share * source.transpose(0, 1) + (1 - share) * target.transpose(0, 1)


class Megafs(nn.Module):
    """The prior and the transfer. ``kept``: how many of the first rows stay the target's."""

    def __init__(self, dims: Dims, kept: int) -> None:
        super().__init__()
        self.dims, self.kept = dims, kept
        self.prior = StylePrior(dims)
        self.transfer = Transfer(dims.rows - kept, dims.style)

    def mixed(self, source: Tensor, target_rows: Tensor) -> Tensor:
        """Rows of a swap. ``source`` (N, rows - kept, style): those of the source that are transferred. Where the
        generator begins is the target's."""
        rows = target_rows[:, self.kept : self.dims.rows]
        moved = self.transfer(source, rows)
        first, places = (
            part.to(moved.dtype) for part in (target_rows[:, : self.kept], target_rows[:, self.dims.rows :])
        )
        return torch.cat([first, moved, places], 1)

    def given(self, photo_rows: Tensor) -> Tensor:
        """What of a photo's rows is transferred."""
        return photo_rows[:, self.kept : self.dims.rows]

    def forward(self, photos: Tensor, faces: Tensor) -> Tensor:
        """Swap: photos and targets (N, 3, R, R), -1..1 -> (N, 3, R, R)."""
        source = self.given(self.prior.encode(photos))
        picture: Tensor = self.prior.generator(self.mixed(source, self.prior.encode(faces)))[1]
        return picture


class BindGraph(nn.Module):
    """``photo`` (1, R, R, 3) uint8 -> ``source`` (1, rows - kept, style)."""

    def __init__(self, network: Megafs) -> None:
        super().__init__()
        self.network = network

    def forward(self, photo: Tensor) -> Tensor:
        """Bind."""
        return self.network.given(self.network.prior.encode(to_input(photo)))


class FrameGraph(nn.Module):
    """``face`` (1, R, R, 3) uint8 and what was bound -> ``swapped`` (1, R, R, 3), 0..255."""

    def __init__(self, network: Megafs) -> None:
        super().__init__()
        self.network = network

    def forward(self, face: Tensor, source: Tensor) -> Tensor:
        """Swap."""
        network = self.network
        _, made = network.prior.generator(network.mixed(source, network.prior.encode(to_input(face))))
        return ((made.permute(0, 2, 3, 1) + 1) * 127.5).clamp(0, 255)
