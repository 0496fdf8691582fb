"""Bad photos out of good ones: light from a side, cast shadows, other cameras."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points
from rtswap.training.pictures import as_jpeg
from rtswap.vision.geometry import canonical, vertex_normals
from rtswap.vision.raster import rasterize


def badly_lit(image: Image, mesh: Points, rng: np.random.Generator, *, shadows: bool = True) -> Image:
    """``image`` (S, S, 3) of the face ``mesh`` (468, 3) px as another photographer might have taken it. ``shadows``:
    some are cast on it."""
    light = np.ones((*image.shape[:2], 3), np.float32)
    if rng.random() < 0.5:
        light *= from_a_side(mesh, image.shape[0], rng)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1])) if shadows else 0):
        light *= shadow(mesh, image.shape[0], rng)
    light *= np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.07, 3)).astype(np.float32)
    shone = np.clip(image * light * np.float32(1 / 255), 0, 1)
    shone = np.power(shone, np.float32(np.exp(rng.normal(0, 0.18))))
    picture = np.asarray((shone * 255).astype(np.uint8))
    if rng.random() < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.3))), np.uint8)
    if rng.random() < 0.3:
        picture = as_jpeg(picture, int(rng.integers(30, 90)))
    return picture


def normals(mesh: Points) -> Points:
    """(468, 3) unit normals, towards the camera z < 0."""
    total = vertex_normals(np.asarray(mesh, np.float64))
    total *= -np.sign(total[:, 2].sum()) or 1.0
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-6), np.float32)


def from_a_side(mesh: Points, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(S, S, 3) Lambert's law under one light and some from everywhere; about 1 on average, 1 outside the face."""
    towards = np.array([rng.choice([-1, 1]) * rng.uniform(0.3, 1.6), rng.uniform(-1.2, 0.6), -1.0])
    towards /= np.linalg.norm(towards)
    values = np.clip(normals(mesh) @ towards, 0, 1)[:, None].astype(np.float32)
    drawn = rasterize(
        mesh, np.hstack([values, np.ones_like(values), np.zeros_like(values)]), canonical().triangles, (side, side)
    )
    soft = cv2.GaussianBlur(drawn, (0, 0), float(rng.uniform(2, 5)))
    face = np.minimum(soft[..., 1:2], 1)
    shade = soft[..., :1] / np.maximum(soft[..., 1:2], 0.05)
    ambient = rng.uniform(0.25, 0.8)
    colour = np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
    lit = ambient + (1 - ambient) * shade / max(float(values.mean()), 0.2) * colour
    return np.asarray(1 + face * (np.clip(lit, 0.15, 1.9) - 1), np.float32)


def shadow(mesh: Points, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(S, S, 3) a cast shadow: half of the picture, a hat's brim, or a blob, with a hard or a soft edge."""
    mask = np.zeros((side, side), np.uint8)
    at = mesh[int(rng.integers(len(mesh))), :2]
    kind, angle = rng.random(), rng.uniform(0, 2 * np.pi)
    if kind < 0.5:
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        bend = rng.normal(0, 0.15, 9).cumsum() * 20
        edge = at + np.linspace(-1.5, 1.5, 9)[:, None] * side * along + bend[:, None] * across
        shape = np.concatenate([edge, edge[::-1] + 3 * side * across])
    else:
        turns = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        reach = np.ptp(mesh[:, 0]) * rng.uniform(0.1, 0.45) * rng.uniform(0.6, 1.4, 10)
        shape = at + reach[:, None] * np.stack([np.cos(turns), np.sin(turns)], 1)
    cv2.fillPoly(mask, [np.round(shape * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), float(np.exp(rng.uniform(np.log(0.7), np.log(9))))).astype(np.float32) / 255
    depth = rng.uniform(0.2, 0.65) * np.exp(rng.normal(0, 0.06, 3))
    return np.asarray(1 - soft[..., None] * np.clip(depth, 0, 0.8), np.float32)
