"""Move the ring of inner-lip landmarks to where lips end.

The landmarks of an open mouth lie on the lower lip, and end before the mouth's corners. What lies within them shows a
rim of lip, and two pairs of lips, the source's around the target's, frame a mouth that is too small.
"""

from __future__ import annotations

import numpy as np

from rtswap.core.types import Points

UPPER = np.array([191, 80, 81, 82, 13, 312, 311, 310, 415])
LOWER = np.array([95, 88, 178, 87, 14, 317, 402, 318, 324])
"""Opposite points of the inner lips, without the corners."""
CORNERS, OUTER_CORNERS = np.array([78, 308]), np.array([61, 291])
ON_LIP = 0.03
"""How far the landmarks of a wide open mouth lie on the lower lip, in mouth widths. By eye on enlarged photos."""
TO_CORNER = 0.4
"""How far the mouth opens beyond the ring's corners, as a share of the way to the outer corners."""


def at_edges(mesh: Points, share: float = 1.0) -> Points:
    """The mesh (468, 3) with the inner lips' ring at the edges of the lips, by a ``share`` of the way from where the
    landmarks lie; a shut mouth stays shut."""
    moved = mesh.copy()
    gap = mesh[UPPER] - mesh[LOWER]
    height = np.sqrt(np.einsum("ij,ij->i", gap, gap))[:, None]
    rim = np.float32(ON_LIP * np.linalg.norm(mesh[CORNERS[0]] - mesh[CORNERS[1]]))
    left = np.sqrt(height**2 + rim**2) - rim
    moved[LOWER] += np.float32(share) * gap * (1 - left / np.maximum(height, 1e-6))
    moved[CORNERS] += np.float32(TO_CORNER) * (mesh[OUTER_CORNERS] - mesh[CORNERS])
    return moved
