"""Where one face of the swapper ``mesh`` goes in its crop: its grids, areas and openings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.core.types import Mask, Matrix, Points
from rtswap.swappers.mesh.uv_chart import SIZE, SKIRT
from rtswap.vision.raster import Map, fill
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, PROFILE, RIGHT_EYE

TEXELS_ACROSS = 0.75 * SIZE
"""Texels across a face seen from the front."""
MASK_STEP = 4
"""Pixels per node of the mask grid."""
LIGHT_SIGMA = 0.18
"""Standard deviation in face widths of the low-pass that separates light from features. 0.1 leaves more of the
target's features in the light (identity falls by 0.03); 0.2 follows the light less."""
LIGHT_STEP = 8
"""Pixels per node of the light grid. Crop sides are multiples of it: averaging complete blocks is five times as fast
as fractions."""
ERODE, ERODE_PROFILE, FEATHER = 0.015, 0.005, 0.018
"""In face widths: how far inside the oval the soft edge begins, where skin does not darken yet; inside the profile,
so that a turned nose is replaced; and its sigma."""
OUTLINES = tuple(map(np.array, (OVAL, [*OVAL[:18], *PROFILE[:0:-1]], [*OVAL[18:], *PROFILE[:-1]])))
"""The face, and either half of it: turned far, the nose and the mouth stand out beyond the oval."""
INSETS = tuple(np.where(np.isin(ring, OVAL), ERODE, ERODE_PROFILE)[:, None] for ring in OUTLINES)
LIDS = (
    [130, 25, 110, 24, 23, 22, 26, 112, 243, 190, 56, 28, 27, 29, 30, 247],
    [463, 341, 256, 252, 253, 254, 339, 255, 359, 467, 260, 259, 257, 258, 286, 414],
)
"""The points outside those of either eye's ring: where its lids end. What lies within is the target's own."""
LIDS_FEATHER = 0.014
"""Face widths by which the soft edge around an eye is wider than that of the mouth."""
LIDS_GROWN = 0.3
"""How much larger than its lids the area is that is the target's own around an eye that closes or smiles: what tells
how open an eye is are its lids and the skin that they push, more than the slit itself."""
AROUND_LIDS = 1.7
"""How much larger than its lids the area is around an eye in which the lids' skin is compared with the swap's."""

Extent = tuple[int, int, int, int]
"""Whole pixels ``x1 y1 x2 y2``."""


class Opening(NamedTuple):
    """An eye with its lids or the inside of the mouth, filled with the target's own pixels."""

    corner: tuple[int, int]
    """x, y of ``inside`` in the extent."""
    matrix: Matrix
    """(2, 3) pixels of the extent -> pixels of ``inside``."""
    inside: Mask
    """(h, w) 1 in the opening, 2 in the eye between its lids."""
    feather: float
    """Sigma of its soft edge, in pixels."""


@dataclass(frozen=True, slots=True)
class FacePlacement:
    """The placement of one face in one frame."""

    extent: Extent
    """Box outside which the mask is 0, in pixels of the crop; multiples of ``LIGHT_STEP``, or the crop's edge."""
    destination: Points
    """(468, 3) position of the source's face, in pixels of the extent."""
    landmarks: Points
    """(468, 3) the target's landmarks, in pixels of the extent."""
    nodes: Map
    """(h, w, 2) texture coordinates 0..1 of each node of a coarse grid over the extent."""
    wrinkles: Map | None
    """(h, w) share of the target's wrinkles 0..1 on the same grid; None if there are none."""
    hull: bool
    """True: the swap ends at the face oval. False: it reaches to the texture's skirt."""
    face_px: float
    """Width of the target's face."""
    narrowed: tuple[float, ...]
    """How far either eye of the target closes or smiles, 0..1."""
    own_eyes: bool
    """True: the eyes are the photo's, not the target's."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the extent."""
        x1, y1, x2, y2 = self.extent
        return x2 - x1, y2 - y1

    @property
    def texels_per_pixel(self) -> float:
        return TEXELS_ACROSS / max(self.face_px, 1.0)

    @property
    def opening_feather(self) -> float:
        """Sigma of the mouth's soft edge, in pixels."""
        return max(0.6, 0.006 * self.face_px)

    def _outlines(self, size: tuple[int, int]) -> list[Points]:
        """The rings (N, 2) of ``OUTLINES`` on a grid of ``size`` over the extent."""
        return [scaled(self.destination[ring], self.size, size)[:, :2] for ring in OUTLINES]

    def light_area(self, size: tuple[int, int]) -> tuple[Mask, float]:
        """Area in which light is measured, 1 inside, on a grid of ``size`` over the extent; and sigma of its
        low-pass, in nodes."""
        rings = self._outlines(size)
        oval = rings[0]
        inside = np.zeros(size[::-1], np.uint8)
        for ring in rings:
            fill(inside, [ring], 1, smooth=False)
        eroded = cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=0)
        return np.asarray(eroded, np.uint8), LIGHT_SIGMA * float(np.ptp(oval[:, 0]))

    def around_eyes(self, size: tuple[int, int]) -> Mask:
        """255 around the lids of both eyes, on a grid of ``size`` over the extent."""
        points = scaled(self.destination, self.size, size)[:, :2]
        around = np.zeros(size[::-1], np.uint8)
        for lids in LIDS:
            ring = points[lids]
            middle = ring.mean(0)
            fill(around, [middle + np.float32(AROUND_LIDS) * (ring - middle)], 255)
        fill(around, [points[lids] for lids in LIDS], 0)
        return around

    def oval(self, size: tuple[int, int]) -> tuple[Mask, float]:
        """Mask 0..255 of the face, with a turned face's profile, on a grid of ``size`` over the extent, and sigma of
        its feather in nodes, by which it is eroded. Without the hull it extends to the texture's skirt."""
        sigma = max(0.7, FEATHER * self.face_px / MASK_STEP)
        rings = self._outlines(size)
        middle = rings[0].mean(0)
        outwards = 1 if self.hull else 1 + SKIRT
        masks = np.zeros((len(rings), *size[::-1]), np.uint8)
        for mask, ring, inset in zip(masks, rings, INSETS, strict=True):
            reach = np.maximum(np.linalg.norm(ring - middle, axis=1, keepdims=True), 1e-6)
            inwards = (inset * self.face_px / MASK_STEP + sigma) / reach
            grown = middle + (ring - middle) * np.maximum(0, outwards - inwards)
            fill(mask, [grown], 255)
        return np.asarray(cv2.max(masks[0], cv2.add(masks[1], masks[2])), np.uint8), sigma

    def openings(self, most_px: int | None = None) -> list[Opening | None]:
        """An ``Opening`` for either eye with its lids and for the mouth, None if too small to show or the photo's
        own. Openings larger than ``most_px`` are cropped.

        The inside of the mouth is moved by the affine map that best fits the target's lips to the destination's, and
        an eye with its lids by the one that fits the edge of its lids: irises stay round and teeth straight. The ring
        of the eye itself does not count, since landmarks see less of its motion than pixels show.
        """
        around = self.opening_feather + LIDS_FEATHER * self.face_px
        eyes = [
            None if self.own_eyes else self._opening(lids, 1 + LIDS_GROWN * narrowed, around, most_px, eye)
            for lids, eye, narrowed in zip(LIDS, (LEFT_EYE, RIGHT_EYE), self.narrowed, strict=True)
        ]
        return [*eyes, self._opening(LIPS_INNER, 1.0, self.opening_feather, most_px)]

    def _opening(
        self, ring: list[int], grown: float, feather: float, most_px: int | None, eye: Sequence[int] = ()
    ) -> Opening | None:
        goal = self.destination[ring, :2]
        matrix = affine(self.landmarks[ring, :2], goal)
        middle = goal.mean(0)
        goal = middle + np.float32(grown) * (goal - middle)
        room = 3 * feather
        low = np.maximum(np.floor(goal.min(0) - room), 0).astype(int)
        high = np.minimum(np.ceil(goal.max(0) + room) + 1, self.size).astype(int)
        if most_px is not None:
            high = np.minimum(high, low + most_px)
        if (high - low < 2).any():
            return None
        inside = np.zeros((high - low)[::-1], np.uint8)
        fill(inside, [goal - low], 1, smooth=False)
        if eye:
            fill(inside, [self.destination[eye, :2] - low], 2, smooth=False)
        matrix[:, 2] -= low
        return Opening((int(low[0]), int(low[1])), matrix, inside, feather)


def grid(size: tuple[int, int], step: float) -> tuple[int, int]:
    """(width, height) of a grid with about one node every ``step`` pixels."""
    return max(2, math.ceil(size[0] / step)), max(2, math.ceil(size[1] / step))


_CENTRE = np.array([0.5, 0.5, 0], np.float32)
"""Of a pixel, from its corner."""


def scaled(points: Points, size: tuple[int, ...], to: tuple[int, ...]) -> Points:
    """Convert points between two sizes of the same image (pixel centres at integers); z is scaled likewise."""
    across, down = np.float32(to[0] / size[0]), np.float32(to[1] / size[1])
    factor = np.array([across, down, (across + down) / 2], np.float32)
    return np.asarray((points + _CENTRE) * factor - _CENTRE, np.float32)


def affine(moving: Points, fixed: Points) -> Matrix:
    """Least-squares affine map (2, 3) of points (N, 2), regularised for points that are nearly collinear (a shut
    mouth)."""
    mean_a, mean_b = moving.mean(0), fixed.mean(0)
    a, b = moving - mean_a, fixed - mean_b
    (p, q), (_, r) = (a.T @ a).tolist()
    (e, f), (g, h) = (b.T @ a).tolist()
    floor = 0.02 * (p + r + 1e-4)
    p, r, e, h = p + floor, r + floor, e + floor, h + floor
    area, (x, y), (u, v) = p * r - q * q, mean_a.tolist(), mean_b.tolist()
    across = (e * r - f * q) / area, (f * p - e * q) / area
    down = (g * r - h * q) / area, (h * p - g * q) / area
    return np.array(
        [[*across, u - across[0] * x - across[1] * y], [*down, v - down[0] * x - down[1] * y]], np.float32
    )
