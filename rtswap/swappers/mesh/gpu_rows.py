"""Pack the placement of one face of the swapper ``mesh`` into bytes for the GPU.

The host packs 468 points, a coarse map and polygons drawn by OpenCV, so that both swappers agree: 100 to 300 kB.
Everything with one value per pixel of the crop is computed on the GPU (``gpu_pixels``). Sizes depend only on the side
of the crop, so that one captured graph serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from rtswap.swappers.mesh.geometry import MAP_NODES
from rtswap.swappers.mesh.placement import LIGHT_STEP, MASK_STEP, Extent, FacePlacement
from rtswap.swappers.mesh.wrinkles import FINE, FINE_STEP, SIGMA, STEP
from rtswap.vision.geometry import inverse

Row = NDArray[np.uint8]

NODES = MAP_NODES + 1
"""Side of the square that holds the map; nothing beyond the map is read."""
NUMBERS = 64
"""Floats per face."""
EXTENT, GRID, LEVEL, LIGHT, MASK, BLACK, RING, WRINKLES, FOLDS = 0, 4, 6, 9, 11, 13, 20, 56, 58
"""Offsets of the floats: x1 y1 x2 y2 of the extent; nodes across and down; the texture level's side, x, y in the
atlas; sigma and radius of the light's blur, and of the mask's; the black level's x1 y1 x2 y2, its slot, the weight of
the past value, 1 = due; for each ring 12: affine from the ring's crop to the crop (6), x y width height, sigma and
radius of its blur; sigma and radius of the blur for the
surroundings of wrinkles, and for the folds themselves."""
RING_NUMBERS = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte offsets of the parts of a face's row, for crops of one side."""

    side: int

    @property
    def light(self) -> int:
        """Side of the light grid."""
        return self.side // LIGHT_STEP

    @property
    def mask(self) -> int:
        """Side of the mask grid."""
        return self.side // MASK_STEP

    @property
    def ring(self) -> int:
        """Side of the square in which an opening is drawn."""
        return self.side // 2

    @property
    def edges(self) -> tuple[int, ...]:
        """Byte offsets (7,) that separate numbers, map (with the share of wrinkles), light, mask, rings and the
        surroundings of the eyes on the light's grid."""
        parts = 4 * NUMBERS, 12 * NODES * NODES, self.light**2, self.mask**2, 3 * self.ring**2, self.light**2
        return 0, *accumulate(parts)

    @property
    def size(self) -> int:
        """Bytes per face, a multiple of 16."""
        return -(-self.edges[-1] // 16) * 16


def pack(layout: Layout, placed: FacePlacement) -> tuple[Row, NDArray[np.float32]]:
    """Return the bytes of one face (B,) and a view of their numbers; the caller writes texture level and black
    level."""
    row = np.zeros(layout.size, np.uint8)
    edges = layout.edges
    numbers = row[: edges[1]].view(np.float32)
    nodes, extent = placed.nodes, placed.extent
    where = row[edges[1] : edges[2]].view(np.float32).reshape(NODES, NODES, 3)[: nodes.shape[0], : nodes.shape[1]]
    where[..., :2] = nodes
    if placed.wrinkles is not None:
        where[..., 2] = placed.wrinkles
    for offset, sigma in ((WRINKLES, SIGMA / STEP), (FOLDS, FINE * SIGMA / FINE_STEP)):
        numbers[offset : offset + 2] = sigma * placed.face_px, _radius(sigma * placed.face_px, 4)
    numbers[EXTENT:LEVEL] = *extent, nodes.shape[1], nodes.shape[0]
    light = _part(row[edges[2] : edges[3]].reshape(layout.light, layout.light), extent, LIGHT_STEP)
    light[:], sigma = placed.light_area(light.shape[::-1])
    eyes = _part(row[edges[5] : edges[6]].reshape(layout.light, layout.light), extent, LIGHT_STEP)
    eyes[:] = placed.around_eyes(eyes.shape[::-1])
    numbers[LIGHT:MASK] = max(sigma, 1e-3), max(1, round(3 * sigma))
    mask = _part(row[edges[3] : edges[4]].reshape(layout.mask, layout.mask), extent, MASK_STEP)
    mask[:], sigma = placed.oval(mask.shape[::-1])
    numbers[MASK:BLACK] = sigma, _radius(sigma, 3)
    _pack_openings(row[edges[4] : edges[5]].reshape(3, layout.ring, layout.ring), numbers, placed)
    return row, numbers


def pack_nothing(layout: Layout, slot: int) -> Row:
    """A row for a face outside its crop: an empty extent, so that the mask is 0. ``slot``: the slot for faces without
    a track."""
    row = np.zeros(layout.size, np.uint8)
    numbers = row[: layout.edges[1]].view(np.float32)
    numbers[:] = 1
    numbers[:GRID] = 0
    numbers[BLACK:RING] = 0, 0, 0, 0, slot, 1, 0
    return row


def _part(grid: NDArray[np.uint8], extent: Extent, step: int) -> NDArray[np.uint8]:
    """View of the nodes of a grid over the crop that lie in the extent."""
    x1, y1, x2, y2 = (edge // step for edge in extent)
    return grid[y1:y2, x1:x2]


def _pack_openings(rings: NDArray[np.uint8], numbers: NDArray[np.float32], placed: FacePlacement) -> None:
    """Write a mask with 1 in each opening and 2 in eyes, and the map that moves the target's pixels there."""
    for index, opening in enumerate(placed.openings(rings.shape[1])):
        begin = RING + index * RING_NUMBERS
        numbers[begin + 10 : begin + 12] = 1
        if opening is None:
            continue
        height, width = opening.inside.shape
        numbers[begin : begin + 10] = *inverse(opening.matrix).ravel(), *opening.corner, width, height
        numbers[begin + 10 : begin + 12] = opening.feather, _radius(opening.feather, 4)
        rings[index, :height, :width] = opening.inside


def _radius(sigma: float, reach: int) -> int:
    """Radius of the kernel that OpenCV uses: ``reach`` is 3 for bytes, 4 for floats."""
    return (round(sigma * reach * 2 + 1) | 1) // 2
