"""Lamps around a face: how bright each texel of the chart is in the light of each, shadows that the face casts on
itself included, and where it shines."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from rtswap.swappers.mesh.shape import to_canonical
from rtswap.swappers.mesh.uv_chart import COARSE, chart, coarse_points, skirted
from rtswap.vision.geometry import canonical, transform, vertex_normals
from rtswap.vision.raster import rasterize
from rtswap.vision.topology import OVAL
from training.arrays import Floats

MAP = 160
"""Side in pixels of the view from a lamp."""
REACH = 2.6
"""Half of what that view shows, in inter-ocular distances."""
BIAS, SOFT = 0.06, 0.04
"""By how much farther from the lamp than the nearest skin a texel may be before it lies in shadow, and over which
distance shadows begin, in inter-ocular distances: faces on the mesh are smoother than real ones."""


class Lamp(NamedTuple):
    """One lamp and one face."""

    shade: Floats
    """(128, 128) 0..1: Lambert's law, 0 in shadow."""
    shine: Floats
    """(128, 128) 0..1: cosine to the half-way vector where the lamp is seen, before its power."""


class Head:
    """One person's shape on the chart. ``mesh`` (468, 3) px as in a picture."""

    def __init__(self, mesh: Floats) -> None:
        points = skirted(transform(to_canonical(mesh), mesh))
        normals = vertex_normals(points[:468].astype(np.float64))
        normals *= -np.sign(normals[:, 2].sum()) or 1.0
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        self._points = points[:468].astype(np.float32)
        self.normals = 2 * _on_chart(_skirted_normals(normals) / 2 + 0.5) - 1
        """(128, 128, 3) of each texel, unit vectors in the canonical pose."""
        self.places = 2 * REACH * (_on_chart(points / (2 * REACH) + 0.5) - np.float32(0.5))
        """(128, 128, 3) of each texel there, in inter-ocular distances."""

    def under(self, towards: Floats) -> Lamp:
        """In a lamp that lies ``towards`` (3,), a unit vector; x right, y down, z away from the camera."""
        facing = np.maximum(self.normals @ towards, 0)
        seen = self._seen_from(towards)
        half = towards + np.array([0, 0, -1], np.float32)
        half /= max(float(np.linalg.norm(half)), 1e-6)
        shine = np.maximum(self.normals @ half, 0) * seen * (facing > 0)
        return Lamp(np.asarray(facing * seen, np.float32), np.asarray(shine, np.float32))

    def _seen_from(self, towards: Floats) -> Floats:
        """1 where a texel is seen from the lamp (128, 128), 0 where the face itself is before it."""
        across = np.cross(towards, [0.0, 1.0, 0.0]) if abs(towards[1]) < 0.9 else np.cross(towards, [1.0, 0.0, 0.0])
        across /= np.linalg.norm(across)
        frame = np.stack([across, np.cross(towards, across), -towards]).astype(np.float32)
        points, places = self._points @ frame.T, self.places @ frame.T
        scale = MAP / (2 * REACH)
        drawn = points * scale + np.array([MAP / 2, MAP / 2, 0], np.float32)
        depth = np.repeat(points[:, 2:] / (2 * REACH) + 0.5, 3, axis=1).astype(np.float32)
        nearest = rasterize(drawn.astype(np.float32), np.clip(depth, 0, 1), canonical().triangles, (MAP, MAP))[..., 0]
        nearest = np.where(nearest > 0, (nearest - 0.5) * (2 * REACH), 9).astype(np.float32)
        x, y = (np.ascontiguousarray(places[..., k] * scale + MAP / 2, np.float32) for k in (0, 1))
        before = cv2.remap(nearest, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=9.0)
        return np.asarray(1 - np.clip((places[..., 2] - before - BIAS) / SOFT, 0, 1), np.float32)


def _skirted_normals(normals: Floats) -> Floats:
    """(504, 3) with those of the oval once more for the skirt."""
    return np.concatenate([normals, normals[OVAL]]).astype(np.float32)


def _on_chart(values: Floats) -> Floats:
    """(128, 128, 3) values 0..1 of the points (504, 3), interpolated."""
    drawn = rasterize(coarse_points(), np.clip(values, 0, 1).astype(np.float32), chart().triangles, (COARSE, COARSE))
    return np.where(drawn.any(2, keepdims=True), drawn, np.float32(0.5)).astype(np.float32)


def random_direction(rng: np.random.Generator) -> Floats:
    """Towards a lamp: anywhere before the face or beside it, at times a little behind; mostly from above."""
    towards = np.array([rng.normal(0, 0.9), rng.normal(-0.35, 0.6), -abs(rng.normal(0.5, 0.5)) + 0.25])
    return np.asarray(towards / max(float(np.linalg.norm(towards)), 1e-6), np.float32)
