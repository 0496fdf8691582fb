"""Compare expressions: by landmarks in single pictures, by correlation of openings in clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.commands.evaluate.pose import Meshes
from rtswap.core.types import Points
from rtswap.vision.geometry import interocular, similarity, transform
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE

Series = NDArray[np.float64]
"""(T,) or (T, 5)"""

NAMES = ("mouth_opening", "mouth_width", "left_eye", "right_eye", "brow_height")
LIDS = ((160, 144), (159, 145), (158, 153)), ((387, 373), (386, 374), (385, 380))
BROWS = [70, 63, 105, 66, 107], [336, 296, 334, 293, 300]
CORNERS = [33, 133], [362, 263]
EXPRESSIVE = sorted({*LIPS_INNER, *LIPS_OUTER, *LEFT_EYE, *RIGHT_EYE, *LEFT_BROW, *RIGHT_BROW})
"""Lips, lids and brows."""


def expression_error(before: Points, after: Points) -> float:
    """Return the mean distance of lips, lids and brows in % of the inter-ocular distance, after aligning the complete
    mesh ``after`` to ``before`` with a similarity in the image plane. Two people with the same expression do not
    reach 0, since their lips and brows differ in shape."""
    moved = transform(similarity(after[:, :2], before[:, :2]), after[:, :2])
    apart = np.linalg.norm(moved[EXPRESSIVE] - before[EXPRESSIVE, :2], axis=1)
    return 100 * float(apart.mean()) / max(interocular(before), 1e-6)


def measures(mesh: Points) -> list[float]:
    """Return the five measures of ``NAMES`` in inter-ocular distances, in 3-D, independent of head pose."""
    eyes = [mesh[ring].mean(0) for ring in (LEFT_EYE, RIGHT_EYE)]
    unit = float(np.linalg.norm(eyes[0] - eyes[1]))
    opening, width = (float(np.linalg.norm(mesh[a] - mesh[b])) for a, b in ((13, 14), (61, 291)))
    lids = [float(np.mean([np.linalg.norm(mesh[a] - mesh[b]) for a, b in pairs])) for pairs in LIDS]
    brows = [
        np.linalg.norm(mesh[brow].mean(0) - mesh[corners].mean(0))
        for brow, corners in zip(BROWS, CORNERS, strict=True)
    ]
    return [value / unit for value in (opening, width, *lids, float(np.mean(brows)))]


def series(meshes: Meshes) -> Series:
    """Return the measures of each mesh, (T, 5)."""
    return np.array([measures(mesh) for mesh in meshes], np.float64)


def correlation(one: Series, other: Series) -> float:
    """Return the correlation of two (T,) series; 0 if either is constant."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-12 else 0.0


def gain(one: Series, other: Series) -> float:
    """Return the slope of ``other`` over ``one``."""
    a = one - one.mean()
    return float(a @ (other - other.mean())) / max(float(a @ a), 1e-12)
