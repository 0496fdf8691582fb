"""Head pose and pose differences, by solvePnP of landmarks against the canonical mesh."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Points
from rtswap.vision.geometry import canonical

Meshes = NDArray[np.float32]
"""(T, 468, 3) px."""
Rotations = NDArray[np.float64]
"""(T, 3, 3)"""

RIGID = [33, 133, 362, 263, 1, 4, 5, 6, 168, 195, 197, 129, 358, 98, 327, 10, 54, 284, 127, 356, 234, 454]
"""Eye corners, nose, forehead, temples: landmarks that expressions do not move."""


def rotations(meshes: Meshes, size: tuple[int, int]) -> Rotations:
    """Return the pose of each mesh. ``size``: (width, height) of the pictures; focal length: the longer side."""
    camera = np.array([[max(size), 0, size[0] / 2], [0, max(size), size[1] / 2], [0, 0, 1]], np.float64)
    return np.array([_rotation(mesh, camera) for mesh in meshes])


def turns_between(one: Rotations, other: Rotations) -> NDArray[np.float64]:
    """Return the rotation vectors from poses ``one`` to ``other``, (T, 3), degrees."""
    between = np.einsum("tji,tjk->tik", one, other)
    return np.array([np.degrees(cv2.Rodrigues(turn)[0][:, 0]) for turn in between])


def pose_error(before: Points, after: Points, size: tuple[int, int]) -> float:
    """Return the angle in degrees between the poses of two (468, 3) meshes in pictures of the same size."""
    one, other = (rotations(np.asarray(mesh, np.float32)[None], size) for mesh in (before, after))
    return float(np.linalg.norm(turns_between(one, other)))


def _rotation(mesh: Points, camera: NDArray[np.float64]) -> NDArray[np.float64]:
    model, focal = canonical().mesh[RIGID].astype(np.float64), float(camera[0, 0])
    spread = float(np.linalg.norm(mesh[33, :2] - mesh[263, :2])) / float(np.linalg.norm(model[0] - model[3]))
    turn, place = np.zeros(3), np.array([0, 0, focal / max(spread, 1e-6)])
    place[:2] = (mesh[1, :2] - camera[:2, 2]) / focal * place[2]
    seen = mesh[RIGID, :2].astype(np.float64)
    _, found, _ = cv2.solvePnP(model, seen, camera, None, turn, place, True, cv2.SOLVEPNP_ITERATIVE)
    return np.asarray(cv2.Rodrigues(found)[0], np.float64)
