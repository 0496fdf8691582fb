"""Scale the difference between the source and the mean face.

0 = the mean face in the source's colours, 1 = the source as in the photo, up to 1.3 = slightly caricatured. People
are recognised by their difference from the mean; exaggerating it makes them easier to recognise (Benson and Perrett
1991). Shape: the frontal mesh without the photo's expression. Texture: low and middle frequencies, as a factor per
place; finer detail, pores and noise, is never amplified.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask, Points
from rtswap.swappers.mesh.shape import SourceShape, measures, moved_by
from rtswap.swappers.mesh.texture import Texture
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, Field, inwards
from rtswap.vision.geometry import canonical
from rtswap.vision.resample import blurred, resized

MOST = 1.3
LIGHT = 10.0
"""Sigma in coarse texels of light and tone, which stay the source's."""
FINE = 1.0
"""Sigma in coarse texels of detail finer than a feature."""
FACTORS = (0.4, 2.5)
"""Limits of the difference from the mean face at a place: beyond them it is a beard or glasses."""
THINNEST = 0.15
"""Share of its area, in the mean face or the source, whichever is smaller, that a triangle must keep."""
ROUNDS = 16
HEADROOM = 0.5
"""Share of the way to black or white by which a place may move."""


def strengthened(shape: SourceShape, texture: Texture, strength: float) -> tuple[SourceShape, Texture]:
    """Scale shape and texture by ``strength`` 0..1.3; returns the same objects at 1."""
    if strength == 1:
        return shape, texture
    return strong_shape(shape, strength), strong_texture(texture, strength)


def strong_shape(shape: SourceShape, strength: float) -> SourceShape:
    """Move the mesh away from the mean face, or towards it, without turning a triangle over.

    The mean face has the photo's expression, so that the expression is not scaled.
    """
    mean = canonical().mesh + moved_by(shape.measured - shape.rest)
    strengths = _strengths(shape.frontal, mean, float(np.clip(strength, 0, MOST)))
    frontal = (mean + strengths * (shape.frontal - mean)).astype(np.float32)
    return SourceShape(frontal, measures(frontal))


def strong_texture(texture: Texture, strength: float) -> Texture:
    """Scale the difference from the mean texture in every level; the mask stays the same."""
    if strength == 1:
        return texture
    full = _with_strength(texture.full, texture.face, float(np.clip(strength, 0, MOST)))
    return Texture.of(full, texture.face, texture.shown)


def areas(frontal: Points) -> NDArray[np.float32]:
    """Twice the areas of the mesh's triangles as the camera sees them, (898,); negative if one shows its back."""
    a, b, c = (frontal[canonical().triangles[:, k], :2] for k in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return np.asarray(ux * vy - uy * vx, np.float32)


def _strengths(frontal: Points, mean: Points, strength: float) -> NDArray[np.float32]:
    """``strength`` per point (468, 1), reduced towards 1 around triangles that would turn over; 1 everywhere if that
    fails."""
    strengths = np.full((len(frontal), 1), strength, np.float32)
    triangles = canonical().triangles
    for round_ in range(ROUNDS):
        folded = _folded(frontal, (mean + strengths * (frontal - mean)).astype(np.float32), mean)
        if not folded.any():
            return strengths
        touched = np.zeros(len(frontal), np.float32)
        touched[triangles[folded]] = 1
        for _ in range(1 + round_ // 3):  # spread, so that strength does not jump between neighbours
            nearby = touched.copy()
            np.maximum.at(nearby, triangles, 0.7 * touched[triangles].max(1, keepdims=True))
            touched = nearby
        strengths = 1 + (1 - 0.5 * touched[:, None]) * (strengths - 1)
    return np.ones_like(strengths)


def _folded(frontal: Points, moved: Points, mean: Points) -> NDArray[np.bool_]:
    """Triangles (898,) that face the camera in the source and turn over after the move, or nearly."""
    sign = np.sign(areas(canonical().mesh))
    own, usual, now = (areas(np.asarray(one, np.float32)) * sign for one in (frontal, mean, moved))
    return np.asarray((now < THINNEST * np.minimum(own, np.abs(usual))) & (own > 0))


def _with_strength(image: Image, face: Mask, strength: float) -> Image:
    small = np.asarray(resized(image, (COARSE, COARSE), cv2.INTER_AREA), np.float32) + 4
    inside = _inside(face)
    weight = blurred(inside, LIGHT)[..., None] + np.float32(1e-3)
    light = blurred(np.asarray(small * inside[..., None], np.float32), LIGHT) / weight
    middle = blurred(small, FINE)
    factor = np.clip(middle / np.maximum(light * mean_features(), 1), *FACTORS)
    gain = np.exp(np.float32(strength - 1) * np.log(factor) * _faded(inside)[..., None])
    gain, middle = (resized(np.asarray(one, np.float32), (SIZE, SIZE)) for one in (gain, middle))
    finer = np.float32(1 - max(0.0, 1 - strength) ** 2)
    picture = image.astype(np.float32)
    plain = np.float32(1) if finer == 1 else resized(_faded(inside), (SIZE, SIZE))[..., None]
    smooth = picture + (1 - finer) * plain * (middle - 4 - picture)
    moved = (smooth + 4) * gain - 4
    low, high = picture * np.float32(1 - HEADROOM), picture + HEADROOM * (255 - picture)
    return np.asarray(np.round(np.clip(moved, low, high)), np.uint8)


def _inside(face: Mask) -> Field:
    """1 where the photo shows face and the chart has some, (128, 128)."""
    return np.asarray((inwards() > 0) * (face / np.float32(255)), np.float32)


def _faded(inside: Field) -> Field:
    """Fade out at the outlines of face and hair."""
    return np.asarray(blurred(inside, 2.0) * inside, np.float32)


@cache
def mean_features() -> Field:
    """The mean face's texture relative to its own light, (128, 128, 3) (``training/mean_texture.py``)."""
    data = resources.files("rtswap").joinpath("assets/mean_features.png").read_bytes()
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(stored, np.float32) / np.float32(128)
