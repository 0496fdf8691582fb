"""Vary a face and warp it, in one look-up per picture.

A sample is varied (turned, enlarged, shifted, mirrored), which is what is to be reconstructed; the network sees it
warped by a random grid, too, so that it must know the face instead of copying it. Facts from DeepFaceLab,
``core/imagelib/warp.py`` at 46fc239: +-10 degrees, 1/1.15 to 1.15, +-5 %; cells of a half, a quarter or an eighth of
the side, inner nodes moved by N(0, 0.24 cells).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtswap.vision.geometry import canonical
from rtswap.vision.resample import looked_up

Map = NDArray[np.float32]
"""(R, R, 2): which pixel x y of the stored picture each pixel shows."""
TURN, ZOOM, SHIFT = 10.0, 0.15, 0.05
"""Degrees; largest enlargement - 1; share of the side."""
CELLS = (2, 4, 8)
"""Cells per side of the warp grid."""
NODE_SIGMA = 0.24
"""Of the moves of the grid's inner nodes, in cells."""


@dataclass(frozen=True)
class Variation:
    """How much samples vary. 0 everywhere: the stored picture, only scaled."""

    turn: float = TURN
    zoom: float = ZOOM
    shift: float = SHIFT
    mirrored: float = 0.4
    """Share of the samples."""
    warp: float = NODE_SIGMA
    """Sigma of the grid's nodes in cells."""
    cells: tuple[int, ...] = CELLS
    """Cells per side of the grid; one of these numbers is drawn."""


def draw_maps(rng: np.random.Generator, variation: Variation, stored: int, side: int) -> tuple[Map, Map]:
    """Maps (side, side, 2) to a stored picture of ``stored`` px: of the warped input, and of what it shall become."""
    straight = grid(side)
    warped = straight + warp_field(rng, side, variation.warp, variation.cells)
    turn = math.radians(rng.uniform(-variation.turn, variation.turn))
    zoom = (1 + variation.zoom) ** rng.uniform(-1, 1)
    shift = rng.uniform(-variation.shift, variation.shift, 2) * side
    flip = -1.0 if rng.random() < variation.mirrored else 1.0
    cos, sin = math.cos(turn) / zoom, math.sin(turn) / zoom
    linear = np.array([[flip * cos, -flip * sin], [sin, cos]]) * (stored / side)
    middle, goal = (side - 1) / 2, (stored - 1) / 2
    offset = goal - linear @ (middle + shift)
    return _place(warped, linear, offset), _place(straight, linear, offset)


def _place(where: Map, linear: NDArray[np.float64], offset: NDArray[np.float64]) -> Map:
    return where @ linear.T.astype(np.float32) + offset.astype(np.float32)


def grid(side: int) -> Map:
    """Return the identity map (side, side, 2): each pixel's own x y."""
    along = np.arange(side, dtype=np.float32)
    return np.stack(np.meshgrid(along, along), 2)


def warp_field(rng: np.random.Generator, side: int, sigma: float, cells_of: tuple[int, ...] = CELLS) -> Map:
    """Shifts (side, side, 2) in px of a random grid, 0 at the border."""
    cells = int(rng.choice(cells_of))
    nodes = np.zeros((cells + 1, cells + 1, 2), np.float32)
    nodes[1:-1, 1:-1] = rng.normal(0, sigma * side / cells, (cells - 1, cells - 1, 2))
    at = grid(side) * np.float32(cells / (side - 1))
    return looked_up(nodes, at)


def placed(points: NDArray[np.float32], shown: Map) -> NDArray[np.float32]:
    """Landmarks (468, 3) px of a stored picture, in a sample. ``shown``: which of its pixels each pixel of the sample
    shows, an affine map."""
    origin = shown[0, 0].astype(np.float64)
    linear = np.stack([shown[0, 1] - shown[0, 0], shown[1, 0] - shown[0, 0]], 1).astype(np.float64)
    turned = np.linalg.det(linear)
    moved = np.empty_like(points)
    moved[:, :2] = (points[:, :2] - origin) @ np.linalg.inv(linear).T
    moved[:, 2] = points[:, 2] / np.sqrt(abs(turned))
    return moved[canonical().mirror] if turned < 0 else moved
