"""The UV chart: the layout of the unwrapped skin, and a photo's pixels resampled to it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points
from rtswap.swappers.mesh.shape import to_canonical
from rtswap.vision.geometry import canonical, unwrap, vertex_normals
from rtswap.vision.raster import band, fill, fixed_point, rasterize
from rtswap.vision.resample import blurred, looked_up
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

SIZE = 512
"""Texels per side of the chart: 1.3 per pixel of a 512-px portrait, so that unwrapping loses no detail."""
COARSE = 128
"""Texels per side of the coarse chart, used for light and masks."""
FINE = 256
"""Texels per side of masks that follow single strands of hair."""
SKIRT = 0.18
"""How far the skirt reaches outwards, in distances from the face's centre."""

OFFSET = 6.0
"""Levels added before taking logarithms, so that black stays finite."""

Field = NDArray[np.float32]


class Chart(NamedTuple):
    """Positions of the face and its skirt on the unwrapped skin."""

    points: Points
    """(504, 3) texels: the canonical points, then those of the skirt."""
    triangles: NDArray[np.int32]
    """(970, 3)"""


def skirted(mesh: Points, reach: float = SKIRT) -> Points:
    """The mesh followed by its oval pushed outwards from the mesh's centre, (504, 3)."""
    middle = mesh.mean(0)
    return np.concatenate([mesh, mesh[OVAL] + reach * (mesh[OVAL] - middle)]).astype(np.float32)


@cache
def chart() -> Chart:
    """The chart that all textures share."""
    mesh = skirted(canonical().mesh)
    flat = np.zeros((len(mesh), 3), np.float32)
    flat[:, :2] = unwrap(mesh)
    flat[:, :2] -= (flat[:, :2].min(0) + flat[:, :2].max(0)) / 2
    flat[:, :2] = flat[:, :2] * (SIZE - 8) / np.ptp(flat[:, :2], axis=0).max() + (SIZE - 1) / 2
    skirt = band(np.array(OVAL), 468 + np.arange(len(OVAL)))
    return Chart(flat, np.concatenate([canonical().triangles, skirt]).astype(np.int32))


@cache
def coarse_points() -> Points:
    """The chart's points in coarse texels, (504, 3)."""
    points = chart().points.copy()
    points[:, :2] = (points[:, :2] + 0.5) * (COARSE / SIZE) - 0.5
    return points


@cache
def normals() -> Field:
    """Unit normals of the canonical mesh, (468, 3), towards the camera at z < 0."""
    found = vertex_normals(canonical().mesh)
    if found[:, 2].mean() > 0:
        found = -found
    return np.asarray(found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-9), np.float32)


@cache
def coarse_normals() -> Field:
    """Normal of the face at each coarse texel, (128, 128, 3), smooth over edges; 0 beyond the skirt."""
    values = np.concatenate([normals(), normals()[OVAL]]) * np.float32(0.5) + np.float32(0.5)
    drawn = rasterize(coarse_points(), values, chart().triangles, (COARSE, COARSE))
    return np.asarray(np.where(drawn.any(2, keepdims=True), drawn * 2 - 1, 0), np.float32)


@cache
def coarse_positions() -> Field:
    """x and y in the canonical pose of each coarse texel, (128, 128, 2); 9 beyond the skirt."""
    mesh = skirted(canonical().mesh)
    values = np.ones((len(mesh), 3), np.float32)
    values[:, :2] = mesh[:, :2] / 5 + 0.5
    drawn = rasterize(coarse_points(), values, chart().triangles, (COARSE, COARSE))
    return np.asarray(np.where(drawn[..., 2:] > 0.5, (drawn[..., :2] - 0.5) * 5, 9), np.float32)


@cache
def inwards() -> Field:
    """Distance of each coarse texel from the oval in inter-ocular distances, (128, 128); negative outside."""
    inside = np.zeros((COARSE, COARSE), np.uint8)
    fill(inside, [coarse_points()[OVAL, :2]], 1, smooth=False)
    per_unit = float(np.ptp(coarse_points()[:468, 1]) / np.ptp(canonical().mesh[:, 1]))
    away = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return np.asarray(away / per_unit, np.float32)


def rings_mask(rings: tuple[list[int], ...], grow: float = 0.0) -> Field:
    """1 inside the rings of landmarks, widened by ``grow`` coarse texels, (128, 128)."""
    picture = np.zeros((COARSE, COARSE), np.float32)
    for ring in rings:
        hull = cv2.convexHull(fixed_point(coarse_points()[ring, :2]))
        cv2.fillConvexPoly(picture, hull, 1.0, cv2.LINE_8, 4)
    width = 2 * round(grow) + 1
    return np.asarray(cv2.dilate(picture, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))), np.float32)


@cache
def features() -> Field:
    """1 on eyes, brows and lips (128, 128)."""
    return blurred(rings_mask((LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, LIPS_OUTER, LIPS_INNER), 1.0), 1.2)


def ramp(values: Field, low: float, high: float) -> Field:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


class ChartImage(NamedTuple):
    """One photo's pixels on the chart."""

    image: Image
    """(512, 512, 3)"""
    seen: Field
    """(128, 128) 0..1 how squarely the camera saw the skin; 0 where the head hides it or the photo ends."""


def to_chart(portrait: Image, landmarks: Points) -> ChartImage:
    """Resample a photo to the chart. ``landmarks`` (468, 3) px in the portrait."""
    mesh = skirted(landmarks)
    scale = np.array([portrait.shape[1], portrait.shape[0]], np.float32)
    shown = ((mesh[:, :2] > -1) & (mesh[:, :2] < scale)).all(1)
    values = np.column_stack([np.clip(mesh[:, :2] / scale, 0, 1), facing(landmarks) * shown]).astype(np.float32)
    where = rasterize(chart().points, values, chart().triangles, (SIZE, SIZE))
    image = looked_up(portrait, where[..., :2] * scale, cv2.INTER_CUBIC)
    seen = cv2.resize(where[..., 2], (COARSE, COARSE), interpolation=cv2.INTER_AREA)
    return ChartImage(image, np.asarray(seen, np.float32))


def facing(landmarks: Points) -> Field:
    """How squarely the camera saw each point, 0..1 (504,), from the head pose in the photo."""
    pose = to_canonical(landmarks)[:, :3]
    view = -pose @ np.array([0, 0, 1], np.float32)
    view = np.asarray(view / (np.linalg.norm(view) + 1e-9), np.float32)
    seen = np.clip(normals() @ view, 0, 1).astype(np.float32)
    return np.concatenate([seen, seen[OVAL]])
