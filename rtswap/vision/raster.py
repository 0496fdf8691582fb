"""Dense maps from meshes, by OpenCV's z-buffered triangle rasteriser (OpenCV 5's ``3d`` module); filled outlines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Points

Map = NDArray[np.float32]

EYE_DISTANCE = 50.0
"""Camera distance in picture sizes: so far that perspective moves no point by more than 0.01 px."""


@cache
def _settings() -> cv2.TriangleRasterizeSettings:
    settings = cv2.TriangleRasterizeSettings()
    settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
    settings.setCullingMode(cv2.RASTERIZE_CULLING_NONE)
    return settings


def rasterize(
    points: Points, values: NDArray[np.float32], triangles: NDArray[np.int32], size: tuple[int, int]
) -> Map:
    """Interpolate ``values`` (N, 3), each in 0..1, over the triangles at ``points`` (N, 3) px, nearest z in front.

    Returns (height, width, 3) for ``size`` = (width, height); 0 where no triangle lies. Pixel centres are at
    whole coordinates, as everywhere in OpenCV.
    """
    width, height = size
    distance = EYE_DISTANCE * max(size)
    depth = distance + points[:, 2]
    vertices = np.empty((len(points), 3), np.float32)
    vertices[:, 0] = (points[:, 0] + 0.5 - width / 2) * depth / distance
    vertices[:, 1] = (height / 2 - points[:, 1] - 0.5) * depth / distance
    vertices[:, 2] = -depth
    picture = np.zeros((height, width, 3), np.float32)
    filled = cv2.triangleRasterizeColor(
        vertices,
        triangles,
        values,
        picture,
        np.eye(4, dtype=np.float32),
        2 * np.arctan(height / 2 / distance),
        1.0,
        2 * distance,
        _settings(),
    )
    return np.asarray(filled, np.float32)


def fill(picture: NDArray[Any], rings: Sequence[NDArray[np.floating]], value: float, *, smooth: bool = True) -> None:
    """Fill the closed ``rings`` (N, 2) of sub-pixel points, in place. ``smooth``: with a soft edge, in 8 bits."""
    line = cv2.LINE_AA if smooth else cv2.LINE_8
    cv2.fillPoly(picture, [fixed_point(ring) for ring in rings], value, line, 4)


def band(inner: NDArray[np.integer], outer: NDArray[np.integer]) -> NDArray[np.int32]:
    """(2 N, 3) triangles between two closed rings of N points each, given by their numbers."""
    after, beyond = np.roll(inner, -1), np.roll(outer, -1)
    return np.concatenate([np.stack([inner, outer, after], 1), np.stack([after, outer, beyond], 1)]).astype(np.int32)


def fixed_point(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Sub-pixel points for OpenCV's drawing with 4 fractional bits."""
    return np.round(points * 16).astype(np.int32)
