"""Which part of the unrolled photo is face: no fringe, no hair beside the cheeks, no background gets pasted.

Only the rim is judged, where hair and background come in; eyes, brows, lips and beard are never taken away. Skin is
what has the colour and, but for a plane of shading, the lightness of the cheeks and the nose of the same photo.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.geometry import canonical
from rtswap.raster import rasterize
from rtswap.sampling import blurred
from rtswap.topology import LEFT_BROW, LEFT_EYE, OVAL, RIGHT_BROW, RIGHT_EYE
from rtswap.types import Image, Mask, Points

RIM = 0.55
"""Inter-ocular distances from the oval inwards over which the judgement fades out."""
DARKER, MUCH_DARKER = 0.72, 0.5
"""Lightness relative to what the skin would have there, where doubt begins and where it ends."""
OTHER, QUITE_OTHER = 14.0, 26.0
"""Distance in OpenCV's 8-bit a, b from the skin's median, where doubt begins and where it ends."""


def face_mask(texture: Image, points: Points, triangles: NDArray[np.int32]) -> Mask:
    """(S, S) for a square texture (S, S, 3): 255 = face, 0 = something else. ``points`` (>= 468, 3) texels."""
    side = texture.shape[0]
    where = _canonical_positions(side, points, triangles)
    lab = np.asarray(cv2.cvtColor(blurred(texture, side / 100), cv2.COLOR_BGR2Lab), np.float32)
    x, y = where[..., 0], where[..., 1]
    core = (np.abs(x) < 0.6) & (y > -0.15) & (y < 0.35) & (np.abs(x) + 0.3 * (y < 0.1) > 0.1)
    if core.sum() < 16:
        return np.full((side, side), 255, np.uint8)
    light = _plane(lab[..., 0], x, y, core)
    ratio = lab[..., 0] / np.maximum(light, 8)
    median = np.median(lab[core], axis=0)
    tint = np.hypot(lab[..., 1] - median[1], lab[..., 2] - median[2])
    doubt = np.maximum(_ramp(-ratio, -DARKER, -MUCH_DARKER), _ramp(tint, OTHER, QUITE_OTHER))
    hair = blurred(_grown(doubt * _rim(where), side / 42), side / 70)
    mask = 1 - hair * (1 - _features(side, points))
    return np.asarray(np.clip(mask * 255, 0, 255), np.uint8)


def _canonical_positions(side: int, points: Points, triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """(S, S, 2) x and y in the canonical pose of each texel; far off where there is no face."""
    mesh = canonical().mesh
    values = np.full((len(points), 3), 0.5, np.float32)
    values[: len(mesh), :2] = mesh[:, :2] / 4 + 0.5
    values[len(mesh) :, :2] = mesh[OVAL, :2] * 1.18 / 4 + 0.5
    values[:, 2] = 1
    drawn = rasterize(points, values, triangles, (side, side))
    return np.asarray(np.where(drawn[..., 2:] > 0.5, (drawn[..., :2] - 0.5) * 4, 9), np.float32)


def _rim(where: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, S) 1 at the oval and outside, 0 from ``RIM`` inwards and all over the beard's place."""
    distance = np.full(where.shape[:2], 99.0, np.float32)
    for point in canonical().mesh[OVAL]:
        np.minimum(distance, np.hypot(where[..., 0] - point[0], where[..., 1] - point[1]), out=distance)
    x, y = np.abs(where[..., 0]), where[..., 1]
    beard = _ramp(y, 0.35, 0.6) * _ramp(-x, -0.85, -0.6)
    return np.asarray((1 - _ramp(distance, 0.6 * RIM, RIM)) * (1 - beard), np.float32)


def _features(side: int, points: Points) -> NDArray[np.float32]:
    """(S, S) 1 on brows and eyes, 0 beside them: what is dark there is no hair."""
    drawn = np.zeros((side, side), np.float32)
    for ring in (LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE):
        cv2.fillPoly(drawn, [np.round(points[ring, :2] * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    return blurred(_grown(drawn, side / 64), side / 160)


def _grown(share: NDArray[np.float32], texels: float) -> NDArray[np.float32]:
    """(S, S) with every value spread over the texels around it."""
    width = 2 * round(texels) + 1
    return np.asarray(cv2.dilate(share, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))), np.float32)


def _plane(
    light: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32], core: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The skin's lightness as a plane over the face, fitted to the core; its slope is halved beyond it."""
    columns = np.stack([np.ones(core.sum()), x[core], y[core]], 1)
    level, right, down = np.linalg.lstsq(columns, light[core], rcond=None)[0]
    plane = level + right * np.clip(x, -0.7, 0.7) + 0.5 * down * np.clip(y, -0.8, 0.8)
    return np.asarray(np.clip(plane, 0.5 * level, 1.5 * level), np.float32)


def _ramp(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
