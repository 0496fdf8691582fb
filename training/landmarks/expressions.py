"""Other expressions and other proportions for a mesh: blinks, an open mouth, brows, smiles, small lumps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.topology import LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_EYE

Floats = NDArray[np.float32]
_LOWER_LIDS = (LEFT_EYE[1:8][::-1], RIGHT_EYE[1:8][::-1])
_UPPER_LIDS = (LEFT_EYE[9:16], RIGHT_EYE[9:16])
_CREASES = ([190, 56, 28, 27, 29, 30, 247], [414, 286, 258, 257, 259, 260, 467])
"""The ring above the upper lids, in the order of ``_UPPER_LIDS``."""
_BROW_CENTRES = (105, 334)


def eye_distance(mesh: Floats) -> float:
    return float(np.linalg.norm(mesh[[33, 133]].mean(axis=0) - mesh[[362, 263]].mean(axis=0)))


def close_eyes(mesh: Floats, left: float, right: float) -> Floats:
    """Both eyes closed by a share of 0..1 each."""
    changed = mesh.copy()
    for amount, upper, lower, crease in zip((left, right), _UPPER_LIDS, _LOWER_LIDS, _CREASES, strict=True):
        gap = mesh[lower] - mesh[upper]
        changed[upper] += 0.88 * amount * gap
        changed[lower] -= 0.10 * amount * gap
        changed[crease] += 0.35 * amount * gap
    return changed


def open_mouth(mesh: Floats, amount: float) -> Floats:
    """The jaw lowered by ``amount`` inter-ocular distances at the chin, the upper lip raised a little."""
    unit = eye_distance(mesh)
    changed = mesh.copy()
    corners = mesh[[61, 291]]
    middle, width = corners.mean(axis=0), float(np.ptp(corners[:, 0]))
    below = np.clip((mesh[:, 1] - middle[1]) / (0.30 * unit), 0, 1)
    weight = below * below * (3 - 2 * below) * np.exp(-(((mesh[:, 0] - middle[0]) / (1.5 * unit)) ** 2))
    profile = np.clip(1 - ((mesh[:, 0] - middle[0]) / (0.52 * width)) ** 2, 0, 1) ** 0.6
    lower_lip = [*LIPS_OUTER[1:10], *LIPS_INNER[1:10]]
    weight[lower_lip] = np.maximum(weight[lower_lip], 0.25 + 0.75 * profile[lower_lip])
    weight[[61, 291, 78, 308]] = 0.22
    upper_lip = [*LIPS_OUTER[11:], *LIPS_INNER[11:]]
    weight[upper_lip] = 0.22 - 0.30 * profile[upper_lip]
    changed[:, 1] += weight * amount * unit
    changed[:, 2] += np.maximum(weight, 0) * amount * unit * 0.25
    return changed


def lump(mesh: Floats, centre: Floats, shift: Floats, reach: float) -> Floats:
    """Everything near ``centre`` moved by ``shift``, fading as a Gaussian of ``reach`` px."""
    distance = ((mesh[:, :2] - centre[:2]) ** 2).sum(axis=1)
    return np.asarray(mesh + np.exp(-distance / (2 * reach**2))[:, None] * shift, np.float32)


def random_expression(mesh: Floats, rng: np.random.Generator) -> tuple[Floats, float]:
    """A changed mesh, and by how many inter-ocular distances its mouth was opened."""
    unit = eye_distance(mesh)
    changed, opened = mesh, 0.0
    for _ in range(3):
        point = mesh[rng.integers(len(mesh))]
        push = np.asarray(rng.normal(0, (0.030, 0.030, 0.02), 3) * unit, np.float32)
        changed = lump(changed, point, push, unit * rng.uniform(0.3, 0.9))
    if rng.random() < 0.45:
        for point in (61, 291):
            shift = np.array([rng.normal(0, 0.05), rng.normal(0, 0.05), 0]) * unit
            changed = lump(changed, changed[point], shift.astype(np.float32), unit * 0.28)
    if rng.random() < 0.4:
        raise_by = rng.normal(0, 0.07)
        for point in _BROW_CENTRES:
            shift = np.array([0, raise_by + rng.normal(0, 0.02), 0], np.float32) * unit
            changed = lump(changed, changed[point], shift.astype(np.float32), unit * 0.3)
    if rng.random() < 0.35:
        both = rng.uniform(0.2, 1.0)
        one = rng.random() < 0.2
        changed = close_eyes(changed, both, 0.1 * both if one else both)
    if rng.random() < 0.4:
        opened = float(rng.uniform(0.03, 0.5))
        changed = open_mouth(changed, opened)
    return changed.astype(np.float32), opened
