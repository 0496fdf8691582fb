"""Continue the colour of skin over the complete chart, smoothly, from the places where it is known.

Two terms in log colour: a robust fit of the shading by second-order harmonics of the normals, in the median hue, and
what it leaves over, continued outwards from where it is known by pull-push (Gortler et al., The Lumigraph, 1996).
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from rtswap.swappers.mesh.uv_chart import Field, coarse_normals

LEAST = 60.0
"""Texels of known skin that the fit needs; with fewer only the leftover term is used."""
HUE = 0.06
"""Distance in log colour by which its hue may differ from the face's: cheeks are redder than a forehead."""
COARSEST = 2
"""Side of the coarsest level of the pyramid."""
FAINT = 1e-4


def smooth_skin(logs: Field, known: Field) -> Field:
    """Smooth log colour (H, W, 3) everywhere, equal on average to ``logs`` (128, 128, 3) where ``known`` (128, 128)
    is 1."""
    inside = known > 0.5
    fit = np.zeros_like(logs)
    if inside.sum() > LEAST:
        basis = harmonics()
        light = basis @ fitted(basis[inside], logs[inside].mean(1, keepdims=True))
        light = np.clip(light, *np.percentile(light[inside], (2, 98)))  # no glare beyond what is known
        fit = light + np.median(logs[inside] - logs[inside].mean(1, keepdims=True), axis=0)
    left = averaged(np.asarray(logs - fit, np.float32), known)
    shade = left.mean(2, keepdims=True)
    return np.asarray(fit + spread(shade + np.clip(left - shade, -HUE, HUE), known), np.float32)


def averaged(values: Field, known: Field, sigma: float = 2.0) -> Field:
    """Gaussian of ``values`` (H, W, C) over the places where ``known`` (H, W) is above 0."""
    planes = cv2.GaussianBlur(cv2.merge([values * known[..., None], known]), (0, 0), sigma)
    return np.asarray(planes[..., :-1] / (planes[..., -1:] + FAINT), np.float32)


def spread(values: Field, known: Field) -> Field:
    """Pull-push: ``values`` (H, W, C) where ``known`` (H, W) 0..1 is 1, elsewhere a smooth continuation. Sides are
    powers of two."""
    weight = np.clip(known, 0, 1)[..., None]
    if len(values) <= COARSEST:
        mean = (values * weight).sum((0, 1)) / (weight.sum() + FAINT)
        return np.asarray(values * weight + mean * (1 - weight), np.float32)
    planes = cv2.pyrDown(cv2.merge([values * weight, weight]))
    fewer = np.asarray(planes[..., :-1] / (planes[..., -1:] + FAINT), np.float32)
    below = cv2.pyrUp(spread(fewer, np.asarray(np.minimum(2 * planes[..., -1], 1), np.float32)))
    return np.asarray(values * weight + below * (1 - weight), np.float32)


@cache
def harmonics() -> Field:
    """Second-order harmonics of the normals at each texel, (128, 128, 9): nine terms hold 98 % of a matt surface's
    light (Ramamoorthi and Hanrahan 2001)."""
    x, y, z = (coarse_normals()[..., k] for k in range(3))
    terms = [np.ones_like(x), x, y, z + 0.8, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
    return np.stack(terms, 2).astype(np.float32)


def fitted(columns: Field, values: Field) -> Field:
    """Reweighted least squares, (K, C): stray hair, shine and cast shadows get little weight."""
    strong = np.ones(len(columns), np.float32)
    ridge = np.eye(columns.shape[1], dtype=np.float32) * (0.002 * len(columns))
    ridge[0, 0] = 0
    found = np.zeros((columns.shape[1], values.shape[1]), np.float32)
    for _ in range(4):
        weighted = columns * strong[:, None]
        found = np.linalg.solve(weighted.T @ columns + ridge, weighted.T @ values).astype(np.float32)
        misfit = (values - columns @ found).mean(1)
        strong = np.asarray(1 / (1 + (misfit / 0.15) ** 2), np.float32)
    return found
