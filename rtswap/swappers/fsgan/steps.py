"""Reenactment in steps: how many, over which landmarks, and a face moved by its landmarks.

A network moves a face well over small angles only. From a view to a pose that is ``d`` degrees away it takes
n = ceil(d / ``THETA``) steps over landmarks between both; the paper (Nirkin et al. 2019, section 3.2) has the
half-way landmarks of two steps. No distance, no step: the view as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask, Points
from rtswap.vision.geometry import canonical, vertex_normals
from rtswap.vision.pose import Pose
from rtswap.vision.raster import fill, rasterize
from rtswap.vision.resample import blurred, looked_up, resized
from rtswap.vision.topology import OVAL, PROFILE

THETA = 30.0
"""Degrees that one step may turn a head."""
AROUND_STEP, AROUND, FADING = 4, 0.035, 0.01
"""How surroundings follow a moved face: pixels per node of the field; sigma of its blur, as a share of the side;
weight of no motion."""
GRAZING = 0.12
"""Cosine to the camera below which skin counts as turned away; seen well enough from twice that on."""
OUTLINES = (OVAL, [*OVAL[:18], *PROFILE[:0:-1]], [*OVAL[18:], *PROFILE[:-1]])
"""The face, and either half of it: of a head that is turned far, the nose stands out beyond the oval."""


def distance(one: Pose, other: Pose) -> float:
    """Euclidean distance in degrees between two poses' angles."""
    return math.dist(one, other)


def steps_between(one: Pose, other: Pose, theta: float = THETA) -> int:
    """How many steps of at most ``theta`` degrees lead from a pose to another; 0 between equal ones."""
    return math.ceil(distance(one, other) / theta)


def waypoints(begin: Points, end: Points, count: int) -> list[Points]:
    """Landmarks (468, 3) after each of ``count`` even steps; the last is ``end``."""
    shares = [np.float32(number / count) for number in range(1, count)]
    return [*((1 - share) * begin + share * end for share in shares), end][: max(count, 0)]


def reenacted(
    step: Callable[[Image, Points, Points], Image], view: Image, points: Points, goals: Sequence[Points]
) -> Image:
    """``view`` with the landmarks ``points``, led over ``goals`` by ``step`` (view, its landmarks, new ones)."""
    for goal in goals:
        view, points = step(view, points, goal), goal
    return view


def outline_of(points: Points, side: int, coverage: float = 1.0) -> Mask:
    """Mask (side, side): 255 inside the face's outline, ``coverage`` times as large. ``points``: (468, 2 or 3) px."""
    mask = np.zeros((side, side), np.uint8)
    near = np.clip(points[:, :2], -4 * side, 5 * side)
    near = near + np.float32(1 - coverage) * (near[OVAL].mean(0) - near)
    for ring in OUTLINES:
        fill(mask, [near[ring]], 255, smooth=False)
    return mask


def moved(picture: Image, points: Points, goal: Points) -> Image:
    """A square picture with its face moved: what is at ``points`` (468, 3) px comes to ``goal``. Where parts of the
    face overlap, the nearest is shown; hair and background follow, less and less."""
    side = picture.shape[0]
    size = (side, side)
    values = np.ones((len(points), 3), np.float32)
    values[:, :2] = np.clip((points[:, :2] + 0.5) / side, 0, 1)
    found = rasterize(goal, values, canonical().triangles, size)
    inside = found[..., 2:] > 0.5
    here = grid(side)
    field = np.concatenate([found[..., :2] * side - 0.5 - here, inside], 2, dtype=np.float32) * inside
    small = max(2, side // AROUND_STEP)
    slow = blurred(resized(field, (small, small), cv2.INTER_AREA), AROUND * small)
    around = resized(slow[..., :2] / (slow[..., 2:] + np.float32(FADING)), size)
    return looked_up(picture, np.where(inside, field[..., :2], around) + here)


@cache
def grid(side: int) -> NDArray[np.float32]:
    """(side, side, 2) x y of each pixel."""
    at = np.arange(side, dtype=np.float32)
    return np.stack(np.meshgrid(at, at), 2)


def seen_at(faces: NDArray[np.float32], goal: Points, side: int) -> Mask:
    """Mask (side, side): 255 where a view showed the face that has the landmarks ``goal`` now, 0 where it was turned
    away; 255 around it. ``faces``: what ``facing`` says of the view."""
    values = np.ascontiguousarray(np.broadcast_to(0.5 + 0.5 * faces[:, None], (len(faces), 3)), np.float32)
    found = rasterize(goal, values, canonical().triangles, (side, side))[..., 0]
    return np.where(found > 0.4, np.clip(510 * found - 255, 0, 255), 255).astype(np.uint8)


def facing(points: Points) -> NDArray[np.float32]:
    """How well the camera sees each of ``points`` (468, 3): (468,) 1 = squarely enough, 0 = turned away."""
    summed = vertex_normals(points)
    towards = summed[:, 2] / np.maximum(np.linalg.norm(summed, axis=1), np.float32(1e-6))
    return np.asarray(np.clip((towards - GRAZING) / GRAZING, 0, 1), np.float32)
