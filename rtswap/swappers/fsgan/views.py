"""The source's views by pose: which of them to reenact for a target, and in which shares.

Facts from Nirkin et al. 2019, section 3.2: a Delaunay triangulation of the views' yaw and pitch, with the corners of
what a head can do as further nodes; a target's pose has barycentric weights in its triangle. Views in nearly the same
pose are one, the better of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Mask, Points
from rtswap.vision.pose import Pose

SAME = 2.0
"""Degrees in yaw and pitch below which two views are the same."""
WIDEST = 75.0
"""Degrees in yaw and pitch of the corners."""
LEAST_SHARE = 0.1
"""A view with a smaller share is left out: it costs as much time as one with a large share."""


@dataclass(frozen=True, slots=True)
class View:
    """One photo of the source, as the networks take it."""

    picture: Image
    """(S, S, 3)"""
    points: Points
    """(468, 3) px."""
    pose: Pose
    shown: Mask
    """(S, S) 255 where nothing hides the face."""
    facing: NDArray[np.float32]
    """(468,) 1 = the camera sees the point, 0 = it is turned away."""


class PoseMap:
    """Delaunay triangulation of poses. ``poses``: one or more, the best view's first; those that are ``SAME`` as a
    better one are left out."""

    def __init__(self, poses: Sequence[Pose]) -> None:
        places: list[NDArray[np.float64]] = []
        self.kept: list[int] = []
        """Numbers of the poses in the map."""
        for number, pose in enumerate(poses):
            place = np.clip(np.array(pose[:2]), -WIDEST + 1, WIDEST - 1)
            if all(np.linalg.norm(place - other) >= SAME for other in places):
                places.append(place)
                self.kept.append(number)
        corners = [np.array([x, y]) for x in (-WIDEST, WIDEST) for y in (-WIDEST, WIDEST)]
        self._nodes = np.array([*places, *corners])
        self._triangles = delaunay(self._nodes)

    def shares(self, pose: Pose) -> dict[int, float]:
        """View -> share > 0 in a face of this pose, their sum 1: at most three views. A pose between a view and a
        corner belongs to the view."""
        place = np.append(np.clip(np.array(pose[:2]), -WIDEST, WIDEST), 1.0)
        weights = np.array([np.linalg.solve(self._corners(rows), place) for rows in self._triangles])
        best = int(weights.min(1).argmax())
        found = {
            self.kept[node]: max(float(weight), 0.0)
            for node, weight in zip(self._triangles[best], weights[best], strict=True)
            if node < len(self.kept)
        }
        most = max(found.values())
        if most < 1e-6:  # on the border, between two corners
            near = np.linalg.norm(self._nodes[: len(self.kept)] - place[:2], axis=1)
            return {self.kept[int(near.argmin())]: 1.0}
        total = sum(found.values())
        large = {view: share for view, share in found.items() if share >= LEAST_SHARE * total}
        return {view: share / sum(large.values()) for view, share in large.items()}

    def _corners(self, rows: tuple[int, int, int]) -> NDArray[np.float64]:
        return np.vstack([self._nodes[list(rows)].T, np.ones(3)])


def delaunay(nodes: NDArray[np.float64]) -> list[tuple[int, int, int]]:
    """Triangles of ``nodes`` (N, 2) whose circumcircles hold no other node. For a few nodes: of all triples."""
    found = []
    for rows in combinations(range(len(nodes)), 3):
        a, b, c = nodes[list(rows)]
        double = 2 * np.linalg.det(np.stack([b - a, c - a]))
        if abs(double) < 1e-6:
            continue
        (bx, by), (cx, cy) = b - a, c - a
        across, down = bx * bx + by * by, cx * cx + cy * cy
        middle = a + np.array([cy * across - by * down, bx * down - cx * across]) / double
        away = np.linalg.norm(nodes - middle, axis=1)
        if (away >= away[rows[0]] - 1e-6).all():
            found.append(rows)
    return found
