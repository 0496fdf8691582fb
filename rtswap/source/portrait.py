"""Crop the source's portrait for swappers: upright, at most 768 pixels, the complete head, with precise landmarks."""

from __future__ import annotations

import math

import cv2
import numpy as np

from rtswap.core.errors import SourceError
from rtswap.core.protocols import LandmarkModel
from rtswap.core.types import Image, Matrix, Mesh, Points
from rtswap.vision.crops import cut_sharp
from rtswap.vision.geometry import canonical, transform
from rtswap.vision.pose import pose_of
from rtswap.vision.topology import OVAL

MAX_SIDE = 768
"""The chart has 512 texels for what is 0.6 of it here: with less, close faces are softer than the photo."""
_FACE_SHARE = 0.6
"""Height of the face oval relative to the portrait. The rest shows hair, ears and neck."""
_ABOVE = 0.04
"""How far the portrait's centre is above that of the oval, in sides: there is more hair than neck."""
_LEVEL_DEG = 0.5
"""Roll below which the face is not rotated: rotation costs sharpness."""
_SURE = 0.5


def make_portrait(photo: Image, mesh: Points) -> tuple[Image, Matrix]:
    """An upright crop (S, S, 3) around the face, never enlarged, and the matrix photo -> portrait. Raises
    SourceError."""
    roll = math.radians(pose_of(mesh).roll)
    roll = 0.0 if abs(roll) < math.radians(_LEVEL_DEG) else roll
    cos, sin = math.cos(roll), math.sin(roll)
    upright = np.array([[cos, sin], [-sin, cos]])
    oval = mesh[OVAL, :2].astype(np.float64) @ upright.T
    low, high = oval.min(axis=0), oval.max(axis=0)
    side = float(max(high[1] - low[1], 1.2 * (high[0] - low[0]))) / _FACE_SHARE
    if not math.isfinite(side) or side < 8:
        raise SourceError("the face is too small", expected="at least 50 px", got=f"{side * _FACE_SHARE:.0f} px")
    size = min(MAX_SIDE, round(side))
    scale = size / side if size == MAX_SIDE else 1.0
    centre = (low + high) / 2 - (0, _ABOVE * side)
    shift = size / 2 - scale * centre
    if scale == 1.0 and roll == 0.0:
        shift = np.round(shift)  # complete pixels: no resampling
    matrix = np.concatenate([scale * upright, shift[:, None]], axis=1).astype(np.float32)
    return cut_sharp(photo, matrix, size), matrix


def look(model: LandmarkModel, picture: Image, start: Points) -> Points:
    """Points (468, 3) of the face at ``start``. Raises SourceError if the network finds none."""
    return look_closely(model, picture, start).points


def look_closely(model: LandmarkModel, picture: Image, start: Points) -> Mesh:
    """Mesh of the face at ``start``, keypoints (5, 2) or a mesh. Raises SourceError if the network finds none."""
    mesh = model.find(picture, [start])[0]
    if mesh.presence < _SURE or not np.isfinite(mesh.points).all():
        raise SourceError("no face found in the close-up", do="Use a photo that shows it from the front.")
    return mesh


def find_landmarks(model: LandmarkModel, portrait: Image, start: Points) -> Points:
    """Mesh (468, 3) in the portrait: the mean of several passes from slightly different crops, half of them mirrored.

    ``start``: (5, 2) keypoints or a mesh in the portrait. Raises SourceError if the network finds no face.
    """
    first = look(model, portrait, look(model, portrait, start))
    mirror, last = canonical().mirror, portrait.shape[1] - 1
    looks = [_nudge(first, *nudge) for nudge in _NUDGES]
    seen = _mean(model.find(portrait, looks))
    flipped = np.ascontiguousarray(portrait[:, ::-1])
    mirrored = _mean(model.find(flipped, [_flip(points, mirror, last) for points in looks]))
    return ((seen + _flip(mirrored, mirror, last)) / 2).astype(np.float32)


_NUDGES = ((1.0, 0.0, 0.0, 0.0), (0.95, 3.0, 0.01, 0.0), (1.05, -3.0, -0.01, 0.0), (1.0, 2.0, 0.0, 0.015))
"""Scale, rotation in degrees, and shift to the right and down in face heights, of each further pass."""


def _nudge(mesh: Points, scale: float, turn_deg: float, right: float, down: float) -> Points:
    centre = mesh[:, :2].mean(axis=0)
    height = float(np.ptp(mesh[:, 1]))
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), turn_deg, scale).astype(np.float32)
    matrix[:, 2] += (right * height, down * height)
    return transform(matrix, mesh)


def _flip(mesh: Points, mirror: np.ndarray[tuple[int], np.dtype[np.int32]], last: int) -> Points:
    """The mesh in the mirrored image; ``last``: the image's width - 1. Its own inverse."""
    return mesh[mirror] * np.array([-1, 1, 1], np.float32) + np.array([last, 0, 0], np.float32)


def _mean(meshes: list[Mesh]) -> Points:
    return np.asarray(np.mean([mesh.points for mesh in meshes], axis=0, dtype=np.float64), np.float32)
