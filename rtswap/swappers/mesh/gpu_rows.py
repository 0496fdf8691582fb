"""What the GPU must know to render one face of the swapper ``mesh``: its placement, packed into bytes on the host.

468 points, a coarse map and polygons that OpenCV draws, so that both swappers agree: 100 to 300 kB. All that has as
many values as the crop has pixels is the GPU's (``gpu_pixels``). Sizes depend on the side of the crop alone, so that
one captured graph serves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtswap.swappers.mesh.geometry import LIGHT_STEP, MAP_NODES, MASK_STEP, Extent, FacePlacement
from rtswap.vision.geometry import inverse

Row = NDArray[np.uint8]

NODES = MAP_NODES + 1
"""Side of the square in which the map lies; beyond the map it is never read."""
NUMBERS = 64
"""Floats per face."""
EXTENT, GRID, LEVEL, LIGHT, MASK, BLACK, RING = 0, 4, 6, 9, 11, 13, 20
"""Where they lie: x1 y1 x2 y2 of what is swapped; nodes across and down; the texture level's side, x, y in the atlas;
sigma and radius of the light's blur, and of the mask's; the black level's x1 y1 x2 y2, its slot, the past's share,
1 = due; for each ring 10: crop of the ring -> crop affine (6), x y width height, then sigma and radius."""
RING_NUMBERS = 10
RING_BLUR = RING + 3 * RING_NUMBERS


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a face's bytes begin, for crops of one side."""

    side: int

    @property
    def light(self) -> int:
        """Side of the light's grid."""
        return self.side // LIGHT_STEP

    @property
    def mask(self) -> int:
        """Side of the mask's grid."""
        return self.side // MASK_STEP

    @property
    def ring(self) -> int:
        """Side of the square in which an opening is drawn."""
        return self.side // 2

    @property
    def edges(self) -> tuple[int, int, int, int, int, int]:
        """Numbers, map, light, mask and rings lie between these, in bytes."""
        edges = [0]
        parts = (4 * NUMBERS, 8 * NODES * NODES, self.light**2, self.mask**2, 3 * self.ring**2)
        for part in parts:
            edges.append(edges[-1] + part)
        return edges[0], edges[1], edges[2], edges[3], edges[4], edges[5]

    @property
    def size(self) -> int:
        """Bytes per face, a multiple of 16."""
        return -(-self.edges[-1] // 16) * 16


def pack(layout: Layout, placed: FacePlacement) -> tuple[Row, NDArray[np.float32]]:
    """(B,) the bytes of one face, and a view of their numbers: level and black level are still to be written."""
    row = np.zeros(layout.size, np.uint8)
    edges = layout.edges
    numbers = row[: edges[1]].view(np.float32)
    nodes, extent = placed.nodes, placed.extent
    where = row[edges[1] : edges[2]].view(np.float32).reshape(NODES, NODES, 2)
    where[: nodes.shape[0], : nodes.shape[1]] = nodes
    numbers[EXTENT:LEVEL] = *extent, nodes.shape[1], nodes.shape[0]
    light = _part(row[edges[2] : edges[3]].reshape(layout.light, layout.light), extent, LIGHT_STEP)
    light[:], sigma = placed.light_area(light.shape[::-1])
    numbers[LIGHT:MASK] = max(sigma, 1e-3), max(1, round(3 * sigma))
    mask = _part(row[edges[3] : edges[4]].reshape(layout.mask, layout.mask), extent, MASK_STEP)
    mask[:], sigma = placed.oval(mask.shape[::-1])
    numbers[MASK:BLACK] = sigma, _radius(sigma, 3)
    _pack_openings(row[edges[4] : edges[5]].reshape(3, layout.ring, layout.ring), numbers, placed)
    return row, numbers


def pack_nothing(layout: Layout, slot: int) -> Row:
    """A face of which nothing is in its crop: an empty extent, so that the mask is 0. ``slot``: nobody's."""
    row = np.zeros(layout.size, np.uint8)
    numbers = row[: layout.edges[1]].view(np.float32)
    numbers[:] = 1
    numbers[:GRID] = 0
    numbers[BLACK:RING] = 0, 0, 0, 0, slot, 1, 0
    return row


def _part(grid: NDArray[np.uint8], extent: Extent, step: int) -> NDArray[np.uint8]:
    """The nodes of a grid over the crop that lie in the extent: a view."""
    x1, y1, x2, y2 = (edge // step for edge in extent)
    return grid[y1:y2, x1:x2]


def _pack_openings(rings: NDArray[np.uint8], numbers: NDArray[np.float32], placed: FacePlacement) -> None:
    """1 in each opening, and how the target's own is moved there."""
    feather = placed.opening_feather
    numbers[RING_BLUR : RING_BLUR + 2] = feather, _radius(feather, 4)
    for index, opening in enumerate(placed.openings(rings.shape[1])):
        if opening is None:
            continue
        height, width = opening.inside.shape
        begin = RING + index * RING_NUMBERS
        numbers[begin : begin + RING_NUMBERS] = *inverse(opening.matrix).ravel(), *opening.corner, width, height
        rings[index, :height, :width] = opening.inside


def _radius(sigma: float, reach: int) -> int:
    """Of the kernel that OpenCV takes: ``reach`` is 3 for bytes, 4 for floats."""
    return (round(sigma * reach * 2 + 1) | 1) // 2
