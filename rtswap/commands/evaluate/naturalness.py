"""Naturalness of a swap's tones: blotches of colour and of light on the skin, and the step in tone at the seam.

All in CIELAB, on the upright face at one size. A blotch is what lies between two blurs of the skin: smaller details
are pores and hairs, larger ones are the light.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import InputError
from rtswap.core.types import Image, Mask, Matrix, Points
from rtswap.vision.crops import cut_sharp, place_upright
from rtswap.vision.geometry import transform
from rtswap.vision.raster import fill
from rtswap.vision.resample import blurred, warped
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

SIDE, ROOM = 420, 1.5
"""Side of the crop in which everything is measured, px and in longest sides of the face."""
FINE, COARSE = 0.02, 0.12
"""Sigmas of the two blurs, in face widths."""
AWAY = 0.03
"""Distance from the seam at which tones are compared, in face widths."""
AVERAGED = 0.02
"""Sigma of the blur before tones are compared, in face widths."""
LID = 0.01
"""Reach of a lid above and below the landmarks' slit, in face widths."""
TOUCHED = 20
"""Least value of a mask, of 255, at which a swap shows: the seam is the outer rim."""
NO_LESS = 0.25
"""Least spread of a photo, in CIELAB units, so that a flat photo does not divide by zero."""

Map = NDArray[np.float32]
Places = NDArray[np.intp]
"""(N, 2) x y, px."""


class Spread(NamedTuple):
    """How uneven skin is: in CIELAB units, or as a ratio of two such figures."""

    chroma: float
    """Standard deviation of a and b together."""
    light: float
    """Standard deviation of L."""


class Tone(NamedTuple):
    """A colour of skin in CIELAB."""

    light: float
    a: float
    b: float

    @property
    def typology_angle(self) -> float:
        """The individual typology angle in degrees, high for light skin (Chardon et al. 1991)."""
        return math.degrees(math.atan2(self.light - 50, self.b))

    def distance(self, other: Tone) -> float:
        """Return the CIELAB distance (CIE 1976)."""
        return math.dist(self, other)


class _Crop(NamedTuple):
    matrix: Matrix
    points: Points
    """Landmarks (468, 2) in the crop."""
    width: float
    """Face width, px."""

    @classmethod
    def around(cls, mesh: Points) -> _Crop:
        matrix = place_upright(mesh, SIDE, margin=ROOM, middle=(SIDE - 1) / 2)
        if matrix is None:
            raise InputError("the landmarks do not form a face", do="Use photos that show a face from the front.")
        points = transform(matrix, mesh[:, :2])
        return cls(matrix, points, float(np.ptp(points[:, 0])))

    def lab(self, image: Image) -> Map:
        """Return (SIDE, SIDE, 3) CIELAB of the crop."""
        crop = cut_sharp(image, self.matrix, SIDE)
        return np.asarray(cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)


def skin_mask(points: Points, side: int) -> NDArray[np.bool_]:
    """Return (side, side) of the face's hull without eyes, brows and lips. ``points``: landmarks (468, 2) px."""
    mask = np.zeros((side, side), np.uint8)
    fill(mask, [_hull(points[OVAL])], 255, smooth=False)
    for part in (LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW, LIPS_OUTER):
        fill(mask, [_hull(points[part])], 0, smooth=False)
    return mask > 0


def skin_tone(image: Image, mesh: Points) -> Tone:
    """Return the median colour of the skin. ``mesh``: landmarks (468, 3) px. Raises InputError for landmarks that
    form no face."""
    crop = _Crop.around(mesh)
    return Tone(*np.median(crop.lab(image)[skin_mask(crop.points, SIDE)], axis=0).tolist())


def spread(image: Image, mesh: Points) -> Spread:
    """Return the spread of a, b and of L over the skin, between blurs of ``FINE`` and ``COARSE`` face widths.
    ``mesh``: landmarks (468, 3) px. Raises InputError for landmarks that do not form a face."""
    crop = _Crop.around(mesh)
    mask = skin_mask(crop.points, SIDE)
    lab = crop.lab(image)
    fine, coarse = (_blur_within(lab, mask, sigma * crop.width) for sigma in (FINE, COARSE))
    light, a, b = (fine - coarse)[mask].var(0).tolist()
    return Spread(math.sqrt(a + b), math.sqrt(light))


def blotches(result: Spread, source: Spread, target: Spread) -> Spread:
    """Return the result's spread over the larger of the two photos': above 1, blotches that neither photo had."""
    own = (max(one, other, NO_LESS) for one, other in zip(source, target, strict=True))
    return Spread(*(value / most for value, most in zip(result, own, strict=True)))


def lid_darkness(image: Image, mesh: Points) -> float:
    """Return how much darker than the skin the eyes are, as a share of the skin's L, 0..1: little for closed lids,
    much for a dark slit. ``mesh``: landmarks (468, 3) px. Raises InputError for landmarks that do not form a face."""
    crop = _Crop.around(mesh)
    light = crop.lab(image)[..., 0]
    eyes = np.zeros((SIDE, SIDE), np.uint8)
    for ring in (LEFT_EYE, RIGHT_EYE):
        fill(eyes, [_hull(crop.points[ring])], 255, smooth=False)
    reach = max(1, round(LID * crop.width))
    lids = cv2.dilate(eyes, np.ones((2 * reach + 1, 1), np.uint8)) > 0
    skin = float(np.median(light[skin_mask(crop.points, SIDE) & ~lids]))
    return 1 - float(light[lids].mean()) / max(skin, 1.0)


def step(before: Image, after: Image, mask: Mask, mesh: Points) -> float:
    """Return the mean jump of L / 2, a and b across the seam of ``after``, less the jump of ``before`` at the same
    place. ``mask`` (H, W): 0 where nothing was replaced. ``mesh``: the target's landmarks (468, 3) px. NaN without a
    seam in the picture. Raises InputError for landmarks that do not form a face."""
    crop = _Crop.around(mesh)
    inside = (warped(mask, crop.matrix, (SIDE, SIDE), zero=True) >= TOUCHED).astype(np.uint8)
    outer, inner = _sides(inside, AWAY * crop.width)
    if not len(outer):
        return math.nan
    jumps = []
    for image in (before, after):
        tone = blurred(crop.lab(image), AVERAGED * crop.width) * np.array([0.5, 1, 1], np.float32)
        apart = tone[_at(inner)] - tone[_at(outer)]
        jumps.append(float(np.abs(apart).mean()))
    return jumps[1] - jumps[0]


def _sides(inside: NDArray[np.uint8], away: float) -> tuple[Places, Places]:
    """Return the places outside and inside the contour of a mask of 0 and 1, ``away`` px from it, in pairs."""
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return (np.zeros((0, 2), np.intp),) * 2
    seam = np.asarray(max(contours, key=len)[:, 0], np.intp)
    field = blurred(inside.astype(np.float32), away)
    slope = np.stack([cv2.Sobel(field, cv2.CV_32F, *order)[_at(seam)] for order in ((1, 0), (0, 1))], 1)
    normal = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    outer, inner = (np.rint(seam + way * away * normal).astype(np.intp) for way in (-1, 1))
    keep = np.all([(side >= 0) & (side < inside.shape[::-1]) for side in (outer, inner)], axis=(0, 2))
    outer, inner = outer[keep], inner[keep]
    keep = (inside[_at(outer)] == 0) & (inside[_at(inner)] == 1)
    return outer[keep], inner[keep]


def _at(places: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    return places[:, 1], places[:, 0]


def _blur_within(lab: Map, mask: NDArray[np.bool_], sigma: float) -> Map:
    """Blur inside a mask only: what lies outside has no weight."""
    weight = mask.astype(np.float32)
    total = blurred(lab * weight[..., None], sigma, zero=True)
    return np.asarray(total / np.maximum(blurred(weight, sigma, zero=True), 1e-6)[..., None], np.float32)


def _hull(points: Points) -> NDArray[np.float32]:
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], np.float32)
