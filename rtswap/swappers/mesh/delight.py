"""Remove the photo's own light from the unwrapped skin: side light, cast shadows, one-sided highlights.

A photo is albedo times shading. Shading varies slowly over the surface, so a robust fit of second-order spherical
harmonics of the mesh's normals (Ramamoorthi and Hanrahan 2001: nine terms hold 98 % of a matt surface's light)
estimates it from skin alone. Cast shadows and one-sided shine are found first, by comparison with the mirrored half:
faces are symmetric, light is not. Only differences wider than a mole are evened out; smaller ones belong to the
person.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, Field, coarse_normals, inwards, ramp, rings_mask
from rtswap.vision.resample import blurred, resized
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

SIDEWAYS, UPRIGHT = 0.8, 0.1
"""Share of the asymmetric and of the symmetric shading that is removed: the latter is partly albedo."""
GAINS = (0.55, 2.6)
"""Limits of the gain: beyond them grain and compression would show."""
SHINE = 0.16
"""Log lightness above the fit where skin counts as shiny. Shiny skin is never copied to the other half."""
EASY, SURE = 0.08, 0.26
"""Difference in log lightness from the mirrored half where correction begins, and where it is complete."""
PASSES = 2
"""The second pass fixes what the first leaves at the edge of a shadow."""
HARD = (0.35, 0.7)
"""Mean difference in log lightness between the halves: in even light, in hard light."""
SPOT = 9
"""Coarse texels: anything smaller is a mole, a scar or a wrinkle, and stays."""
OFFSET = 6.0
"""Added before taking logarithms, so that black stays finite."""


def remove_lighting(texture: Image, seen: Field, skin: Mask) -> Image:
    """Return the texture (512, 512, 3) as in even light. ``seen`` and ``skin`` (128, 128): where it can be
    trusted."""
    small = np.asarray(resized(texture, (COARSE, COARSE), cv2.INTER_AREA), np.float32)
    logs = np.log(small + OFFSET)
    trusted = (skin > 200) & (seen > 0.25) & (inwards() > 0.04)
    plain = trusted & (features() < 0.1)
    if plain.sum() < 400:
        return texture
    hard = _hardness(logs, trusted)
    if hard == 0:
        return texture
    removed = np.zeros_like(logs)
    for _ in range(PASSES):  # shadows first: a smooth fit would smear their edges over the face
        removed += _evened(logs + removed, trusted)
    removed += _smooth(logs + removed, plain)
    gains = np.clip(np.exp(hard * _continued(removed, trusted)), *GAINS)
    full = resized(np.asarray(gains, np.float32), (SIZE, SIZE), cv2.INTER_LINEAR)
    lit = np.multiply(texture, full)
    return np.asarray(np.clip(lit + OFFSET * (full - 1) * 0.5, 0, 255), np.uint8)


def _hardness(logs: Field, trusted: NDArray[np.bool_]) -> float:
    """How far the halves differ in lightness, 0..1. Below ``HARD[0]`` the face causes the difference, not the
    light."""
    both = trusted & trusted[:, ::-1]
    if both.sum() < 200:
        return 0.0
    light = _over(logs, both.astype(np.float32), 2.5).mean(2)
    differ = float(np.abs(light - light[:, ::-1])[both].mean())
    return float(np.clip((differ - HARD[0]) / (HARD[1] - HARD[0]), 0, 1))


def _smooth(logs: Field, plain: NDArray[np.bool_]) -> Field:
    """What to add to log colours to remove the fitted shading, (128, 128, 3)."""
    basis, lopsided = harmonics()
    found = fitted(basis[plain], logs[plain])
    share = np.where(lopsided, SIDEWAYS, UPRIGHT).astype(np.float32)
    share[0] = 0
    grey = found.mean(1, keepdims=True)
    found = np.where(lopsided[:, None], found, grey)  # symmetric colour belongs to the skin
    shading = basis.reshape(-1, basis.shape[2]) @ (found * share[:, None])
    shading -= shading.reshape(logs.shape)[plain].mean(0)
    return np.asarray(-np.clip(shading, -0.8, 0.8).reshape(logs.shape), np.float32)


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


@cache
def harmonics() -> tuple[Field, NDArray[np.bool_]]:
    """The harmonics at each texel (128, 128, 9), and which of them are odd from left to right."""
    x, y, z = (coarse_normals()[..., k] for k in range(3))
    terms = [np.ones_like(x), x, y, z + 0.8, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
    odd = np.array([False, True, False, False, True, True, False, False, False])
    return np.stack(terms, 2).astype(np.float32), odd


def _evened(logs: Field, trusted: NDArray[np.bool_]) -> Field:
    """The change (128, 128, 3) that brings a shadowed or shiny place to the level of the mirrored half."""
    both = (trusted & trusted[:, ::-1]).astype(np.float32)
    if both.sum() < 200:
        return np.zeros_like(logs)
    slow = _over(logs, both, 1.2)
    light = np.asarray(slow.mean(2), np.float32)
    basis, lopsided = harmonics()
    even = basis[..., ~lopsided]
    brighter = np.maximum(light, light[:, ::-1])[both > 0]
    light = light - even @ fitted(even[both > 0], brighter[:, None])[:, 0]
    other = light[:, ::-1]
    goal = np.minimum(np.maximum(light, other), np.maximum(light, SHINE))
    darker = np.maximum(goal - light, 0)
    shinier = np.maximum(light - np.maximum(other, SHINE), 0)
    lift = (ramp(darker, EASY, SURE) - 0.7 * ramp(shinier, EASY, SURE)) * both
    lift = _followed(_median(lift), light, both)
    change = (slow[:, ::-1] - slow) * lift[..., None]
    reach = np.abs(goal - light) + shinier + 0.05
    return np.asarray(np.clip(change, -reach[..., None], reach[..., None]), np.float32)


def _median(lift: Field) -> Field:
    """Remove everything smaller than ``SPOT``."""
    coded = np.asarray(np.round(lift * 100 + 128), np.uint8)
    return np.asarray((cv2.medianBlur(coded, SPOT) - np.float32(128)) / 100, np.float32)


def _followed(lift: Field, guide: Field, inside: Field) -> Field:
    """Align the edges of ``lift`` with those of ``guide``: a guided filter (He et al. 2010)."""

    def mean(field: Field) -> Field:
        return np.asarray(cv2.blur(field * inside, (11, 11)), np.float32) / weight

    weight = np.asarray(cv2.blur(inside, (11, 11)), np.float32) + 1e-4
    mean_guide, mean_lift = mean(guide), mean(lift)
    slope = (mean(guide * lift) - mean_guide * mean_lift) / (mean(guide * guide) - mean_guide**2 + 0.004)
    offset = mean_lift - slope * mean_guide
    return np.asarray(np.clip(mean(slope) * guide + mean(offset), -1, 1), np.float32) * inside


def _over(values: Field, inside: Field, sigma: float) -> Field:
    """Gaussian of ``values`` (H, W, C) normalised over ``inside``; other places keep their values."""
    share = blurred(inside, sigma)[..., None] + np.float32(1e-4)
    low = np.asarray(blurred(values * inside[..., None], sigma) / share, np.float32)
    return np.where(inside[..., None] > 0, low, values)


def _continued(change: Field, trusted: NDArray[np.bool_]) -> Field:
    """Extend the change smoothly beyond the skin, so that no edge appears where trust ends."""
    inside = trusted.astype(np.float32)
    near, far = over_all(change, inside, 3.0), over_all(change, inside, 12.0)
    close = np.clip(blurred(inside, 3.0) * 4, 0, 1)[..., None]
    outside = near * close + far * (1 - close)
    soft = blurred(np.asarray(cv2.erode(inside, np.ones((3, 3), np.uint8)), np.float32), 1.0)[..., None]
    return np.asarray(change * soft + outside * (1 - soft), np.float32)


def over_all(values: Field, inside: Field, sigma: float) -> Field:
    """Gaussian of ``values`` (H, W, C) normalised over ``inside``, continued beyond it."""
    share = blurred(inside, sigma)[..., None]
    return np.asarray(blurred(values * inside[..., None], sigma) / (share + 1e-3), np.float32)


@cache
def features() -> Field:
    """1 on eyes, brows and lips (128, 128): they are no evidence of the light."""
    inner = (LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, LIPS_OUTER, LIPS_INNER)
    return blurred(rings_mask(inner, 1.0), 1.2)
