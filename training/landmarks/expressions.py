"""Other expressions and other proportions for a mesh: blinks, an open mouth, brows, smiles, small lumps.

What moves together in a yawn moves apart in speech. A network that has only seen yawns guesses the lips from the chin
(it read half of an opening that the jaw did not make), so that here lips part with and without the jaw.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.swappers.mesh.shape import OPENINGS, measures, moved_by, to_canonical
from rtswap.vision.geometry import transform
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_EYE

Floats = NDArray[np.float32]
LOWER_LIDS = (LEFT_EYE[1:8][::-1], RIGHT_EYE[1:8][::-1])
UPPER_LIDS = (LEFT_EYE[9:16], RIGHT_EYE[9:16])
CREASES = ([190, 56, 28, 27, 29, 30, 247], [414, 286, 258, 257, 259, 260, 467])
"""The ring above the upper lids, in the order of ``UPPER_LIDS``."""
_BROW_CENTRES = (105, 334)


def eye_distance(mesh: Floats) -> float:
    return float(np.linalg.norm(mesh[[33, 133]].mean(axis=0) - mesh[[362, 263]].mean(axis=0)))


def close_eyes(mesh: Floats, left: float, right: float) -> Floats:
    """Both eyes closed by a share of 0..1 each."""
    changed = mesh.copy()
    for amount, upper, lower, crease in zip((left, right), UPPER_LIDS, LOWER_LIDS, CREASES, strict=True):
        gap = mesh[lower] - mesh[upper]
        changed[upper] += 0.88 * amount * gap
        changed[lower] -= 0.10 * amount * gap
        changed[crease] += 0.35 * amount * gap
    return changed


def open_mouth(mesh: Floats, amount: float, jaw: float = 1.0, upper: float = 0.08) -> Floats:
    """The lower lip lowered by ``amount`` inter-ocular distances and the chin by ``jaw`` times as much; the upper lip
    raised by ``upper`` times as much."""
    unit = eye_distance(mesh)
    changed = mesh.copy()
    corners = mesh[[61, 291]]
    middle, width = corners.mean(axis=0), float(np.ptp(corners[:, 0]))
    below = np.clip((mesh[:, 1] - middle[1]) / (0.30 * unit), 0, 1)
    weight = jaw * below * below * (3 - 2 * below) * np.exp(-(((mesh[:, 0] - middle[0]) / (1.5 * unit)) ** 2))
    profile = np.clip(1 - ((mesh[:, 0] - middle[0]) / (0.52 * width)) ** 2, 0, 1) ** 0.6
    lower_lip = [*LIPS_OUTER[1:10], *LIPS_INNER[1:10]]
    weight[lower_lip] = np.maximum(weight[lower_lip], 0.25 + 0.75 * profile[lower_lip])
    weight[[61, 291, 78, 308]] = 0.22 * jaw
    upper_lip = [*LIPS_OUTER[11:], *LIPS_INNER[11:]]
    weight[upper_lip] = 0.22 * jaw - (0.22 * jaw + upper) * profile[upper_lip]
    changed[:, 1] += weight * amount * unit
    changed[:, 2] += np.maximum(weight, 0) * amount * unit * 0.25
    return changed


def purse(mesh: Floats, amount: float) -> Floats:
    """The mouth narrowed by a share of 0..1 of its width, lips thickened and pushed forward; below 0 stretched."""
    corners = mesh[[61, 291]]
    middle, width = corners.mean(axis=0), float(np.linalg.norm(np.diff(corners, axis=0)))
    apart = (mesh - middle) / width
    near = np.exp(-(apart[:, 0] ** 2 + (1.3 * apart[:, 1]) ** 2) / 0.5)[:, None]
    change = np.stack([-apart[:, 0], 0.4 * apart[:, 1], np.full(len(mesh), -0.25)], axis=1)
    return np.asarray(mesh + amount * width * near * change, np.float32)


def regressed(mesh: Floats, differences: Floats) -> Floats:
    """Moved as faces move on average when their five measures (see ``swappers.shape``) change by ``differences``.

    What is open does not close farther than shut."""
    pose = to_canonical(mesh)
    least = -0.95 * measures(transform(pose, mesh))
    differences = differences.copy()
    differences[OPENINGS] = np.maximum(differences, least)[OPENINGS]
    back = pose[:, :3] / (pose[0, :3] @ pose[0, :3])  # of row vectors, as in ``SourceShape.destination``
    return np.asarray(mesh + moved_by(differences) @ back, np.float32)


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
    if rng.random() < 0.2:
        changed = purse(changed, float(rng.uniform(-0.15, 0.4)))
    if rng.random() < 0.3:
        opening = rng.exponential(0.08)
        lids = rng.normal(-0.02, 0.05) + rng.normal(0, 0.01, 2)
        part = np.array([opening, rng.normal(0, 0.08), rng.normal(0, 0.03), *lids], np.float32)
        changed, opened = regressed(changed, part), float(opening)
    if rng.random() < 0.35:
        both = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.8 else -float(rng.uniform(0.1, 0.4))
        one = rng.random() < 0.2
        changed = close_eyes(changed, both, 0.1 * both if one else both)
    if rng.random() < 0.45:
        more = float(rng.uniform(0.03, 0.5) if rng.random() < 0.5 else rng.exponential(0.08))
        jaw = float(rng.uniform(0.0, 1.1)) if rng.random() < 0.6 else 1.0
        upper = float(rng.uniform(0.0, 0.6)) if rng.random() < 0.4 else 0.08
        changed = open_mouth(changed, min(more, 0.5), jaw, upper)
        opened += more
    return changed.astype(np.float32), opened
