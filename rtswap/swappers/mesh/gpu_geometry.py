"""What the device must know to render one face of the swapper ``mesh``: geometry, worked out on the host, in bytes.

468 points, a coarse map and polygons that OpenCV draws, so that both swappers agree: 100 to 300 kB. All that has as
many values as the crop has pixels is the device's (``mesh_pixels``). Sizes depend on the side of the crop alone, so
that one captured graph serves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Points
from rtswap.swappers.mesh.swapper import (
    ERODE,
    FEATHER,
    LIGHT_SIGMA,
    LIGHT_STEP,
    MAP_NODES,
    MASK_STEP,
    _affine,
    _fixed,
    _scaled,
)
from rtswap.swappers.mesh.texture import SKIRT
from rtswap.vision.geometry import inverse
from rtswap.vision.raster import Map
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

RINGS = (LEFT_EYE, RIGHT_EYE, LIPS_INNER)
NODES = MAP_NODES + 1
"""Side of the square in which the map lies; beyond the map it is never read."""
NUMBERS = 64
"""Floats per face, see ``Numbers``."""
EXTENT, GRID, LEVEL, LIGHT, MASK, VEIL, RING = 0, 4, 6, 9, 11, 13, 20
"""Where they lie: x1 y1 x2 y2 of what is swapped; nodes across and down; the texture level's side, x, y in the atlas;
sigma and radius of the light's blur, and of the mask's; the veil's x1 y1 x2 y2, its slot, the past's share, 1 = due;
for each ring 10: crop of the ring -> crop affine (6), x y width height, then sigma and radius."""
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


def drawn(
    layout: Layout,
    extent: tuple[int, int, int, int],
    destination: Points,
    landmarks: Points,
    nodes: Map,
    *,
    hull: bool,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(B,) the bytes of one face, and a view of their numbers: level and veil are still to be written.

    ``extent``: x1 y1 x2 y2 in the crop, multiples of LIGHT_STEP; ``destination`` and ``landmarks`` (468, 3) and
    ``nodes`` (h, w, 2) are in pixels of it, as ``MeshSwapper`` has them.
    """
    row = np.zeros(layout.size, np.uint8)
    edges = layout.edges
    numbers = row[: edges[1]].view(np.float32)
    height, width = extent[3] - extent[1], extent[2] - extent[0]
    face_px = float(np.ptp(landmarks[:, 0]))
    where = row[edges[1] : edges[2]].view(np.float32).reshape(NODES, NODES, 2)
    where[: nodes.shape[0], : nodes.shape[1]] = nodes
    numbers[EXTENT:LEVEL] = *extent, nodes.shape[1], nodes.shape[0]
    inside = row[edges[2] : edges[3]].reshape(layout.light, layout.light)
    numbers[LIGHT:MASK] = _draw_light(_part(inside, extent, LIGHT_STEP), destination[OVAL], (width, height))
    mask = row[edges[3] : edges[4]].reshape(layout.mask, layout.mask)
    region = _part(mask, extent, MASK_STEP)
    numbers[MASK:VEIL] = _draw_oval(region, destination[OVAL], (width, height), face_px, hull=hull)
    rings = row[edges[4] : edges[5]].reshape(3, layout.ring, layout.ring)
    _draw_rings(rings, numbers, destination, landmarks, (width, height), face_px)
    return row, numbers


def _part(grid: NDArray[np.uint8], extent: tuple[int, int, int, int], step: int) -> NDArray[np.uint8]:
    """The nodes of a grid over the crop that lie in the extent: a view."""
    x1, y1, x2, y2 = (edge // step for edge in extent)
    return grid[y1:y2, x1:x2]


def _draw_light(inside: NDArray[np.uint8], oval: Points, size: tuple[int, int]) -> tuple[float, float]:
    """1 where the light is looked at; sigma and radius of its blur, in nodes."""
    height, width = inside.shape
    points = _scaled(oval, size, (width, height))[:, :2]
    filled = np.zeros(inside.shape, np.uint8)
    cv2.fillPoly(filled, [_fixed(points)], 1, cv2.LINE_8, 4)
    inside[:] = cv2.erode(filled, np.ones((3, 3), np.uint8), borderValue=0)
    sigma = LIGHT_SIGMA * float(np.ptp(points[:, 0]))
    return max(sigma, 1e-3), max(1, round(3 * sigma))


def _draw_oval(
    mask: NDArray[np.uint8], oval: Points, size: tuple[int, int], face_px: float, *, hull: bool
) -> tuple[float, float]:
    """255 in the oval that is swapped; sigma and radius of its feather, in nodes. As ``MeshSwapper._mask``."""
    height, width = mask.shape
    sigma = max(0.7, FEATHER * face_px / MASK_STEP)
    points = _scaled(oval, size, (width, height))[:, :2]
    middle = points.mean(0)
    reach = np.linalg.norm(points - middle, axis=1, keepdims=True)
    inset = ERODE * face_px / MASK_STEP + sigma
    outwards = 0.0 if hull else SKIRT
    points = middle + (points - middle) * np.maximum(0, 1 + outwards - inset / np.maximum(reach, 1e-6))
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(filled, [_fixed(points)], 255, cv2.LINE_AA, 4)
    mask[:] = filled
    return sigma, _radius(sigma, 3)


def _draw_rings(
    rings: NDArray[np.uint8],
    numbers: NDArray[np.float32],
    destination: Points,
    landmarks: Points,
    size: tuple[int, int],
    face_px: float,
) -> None:
    """1 in each opening, and how the target's own is moved there. As ``mesh._keep_openings``."""
    feather = max(0.6, 0.006 * face_px)
    numbers[RING_BLUR : RING_BLUR + 2] = feather, _radius(feather, 4)
    for index, ring in enumerate(RINGS):
        goal = destination[ring, :2]
        low = np.maximum(np.floor(goal.min(0) - 3 * feather), 0).astype(int)
        high = np.minimum(np.ceil(goal.max(0) + 3 * feather) + 1, size).astype(int)
        high = np.minimum(high, low + rings.shape[1])
        if (high - low < 2).any():
            continue
        back = inverse(_affine(landmarks[ring, :2], goal - low))
        begin = RING + index * RING_NUMBERS
        numbers[begin : begin + RING_NUMBERS] = *back.ravel(), *low, *(high - low)
        filled = np.zeros((high - low)[::-1], np.uint8)
        cv2.fillPoly(filled, [_fixed(goal - low)], 1, cv2.LINE_8, 4)
        rings[index, : filled.shape[0], : filled.shape[1]] = filled


def _radius(sigma: float, reach: int) -> int:
    """Of the kernel that OpenCV takes: ``reach`` is 3 for bytes, 4 for floats."""
    return (round(sigma * reach * 2 + 1) | 1) // 2
