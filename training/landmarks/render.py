"""Turns a picture and its mesh into another view of the same face: turned in space, with another expression.

Every triangle of the mesh is drawn where the changed mesh has it, farthest first, with the picture's own pixels;
rings around the face's outline carry hair and background along. Lids that close hide the eye, they do not squeeze it.
The changed mesh is the exact label.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.vision.talking_head import look_out
from rtswap.vision.topology import LEFT_EYE, OVAL, RIGHT_EYE
from training.landmarks.expressions import CREASES, LOWER_LIDS, UPPER_LIDS

Floats = NDArray[np.float32]
RAISED = 0.6
"""Of the way from an upper lid to the crease above it."""
_RING = len(OVAL)
_FIXED = 48.0
"""Pixels outside the picture where nothing moves any more."""


@dataclass(frozen=True)
class View:
    image: NDArray[np.uint8]
    mesh: Floats
    """(468, 3)"""
    visible: NDArray[np.bool_]
    """(468,)"""


def rotation(yaw: float, pitch: float) -> Floats:
    """(3, 3), degrees: yaw turns the head sideways, pitch lets it nod."""
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    return np.asarray(about_x @ about_y, np.float32)


def render(image: NDArray[np.uint8], mesh: Floats, changed: Floats, turn: Floats, faces: NDArray[np.int64]) -> View:
    """The face of ``image`` with the mesh ``changed`` instead of ``mesh``, then turned by ``turn`` about the neck."""
    side = image.shape[0]
    skin = _lids_of_skin(mesh, changed)
    source = np.concatenate([skin, *_rings(skin, side)])
    moved = np.concatenate([changed, *_rings(changed, side)])
    pivot = changed[[234, 454]].mean(axis=0)
    target = (moved - pivot) @ turn.T + pivot
    target[-_RING:] = moved[-_RING:]
    all_faces = np.concatenate([_ring_faces(), faces])
    ids, planes = _rasterise(source, target.astype(np.float32), all_faces, len(faces), side)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    a, b, c, d, e, f = (np.take(plane, ids) for plane in planes.T[:6])
    lookup = np.stack([a * columns + b * rows + c, d * columns + e * rows + f], axis=-1)
    for ring in (LEFT_EYE, RIGHT_EYE):
        inside = np.isin(ids, len(_ring_faces()) + _within(faces, ring))
        look_out(lookup, inside, mesh[ring, :2], target[ring, :2])
    drawn = cv2.remap(image, lookup, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    label = target[: len(mesh)].astype(np.float32)
    return View(np.asarray(drawn, np.uint8), label, _visible(label, ids, planes, faces, side))


def _within(faces: NDArray[np.int64], ring: list[int]) -> NDArray[np.int64]:
    """Rows of the triangles between the points of ``ring``."""
    return np.flatnonzero(np.isin(faces, ring).all(axis=1))


def _lids_of_skin(mesh: Floats, changed: Floats) -> Floats:
    """``mesh`` with its upper lids raised as far as they close in ``changed``: the teacher draws them into some
    people's eyes, and what closes must be skin, or half an eye would look out over the label."""
    skin = mesh.copy()
    for upper, lower, crease in zip(UPPER_LIDS, LOWER_LIDS, CREASES, strict=True):
        was, now = (float(np.linalg.norm(m[lower, :2] - m[upper, :2], axis=1).mean()) for m in (mesh, changed))
        closed = min(max(1 - now / max(was, 1e-3), 0.0), 1.0)
        skin[upper] += RAISED * closed * (mesh[crease] - mesh[upper])
    return skin


def _rings(mesh: Floats, side: int) -> tuple[Floats, Floats]:
    """Two rings of 36 points around the face: the hair's edge, which turns with the head, and the picture's frame."""
    oval = mesh[OVAL]
    centre = oval.mean(axis=0)
    hair = centre + (oval - centre) * (1.32, 1.32, 1.0)
    hair[:, 2] = oval[:, 2] + 0.2 * np.ptp(oval[:, 0])
    ray = oval[:, :2] - centre[:2]
    low, high = -_FIXED - centre[:2], side + _FIXED - centre[:2]
    with np.errstate(divide="ignore"):
        reach = np.where(ray > 0, high / ray, low / np.where(ray == 0, -1e-6, ray)).min(axis=1)
    frame = np.column_stack([centre[:2] + ray * reach[:, None], np.full(_RING, hair[:, 2].max())])
    return hair.astype(np.float32), frame.astype(np.float32)


def _ring_faces() -> NDArray[np.int64]:
    """Triangles between picture's frame and hair, then between hair and oval."""
    rings = [np.array(OVAL), 468 + np.arange(_RING), 468 + _RING + np.arange(_RING)]
    strips = []
    for inner, outer in ((rings[1], rings[2]), (rings[0], rings[1])):
        next_in, next_out = np.roll(inner, -1), np.roll(outer, -1)
        strips += [np.stack([inner, outer, next_out], 1), np.stack([inner, next_out, next_in], 1)]
    return np.concatenate(strips)


def _rasterise(
    source: Floats, target: Floats, all_faces: NDArray[np.int64], face_count: int, side: int
) -> tuple[NDArray[np.int32], Floats]:
    """Which triangle each pixel shows, and per triangle the map target xy -> source x, source y, depth (T + 1, 9).

    The last row, shown where nothing was drawn, is the identity.
    """
    corners = target[all_faces]
    system = np.concatenate([corners[:, :, :2], np.ones((len(all_faces), 3, 1), np.float32)], axis=2).astype(
        np.float64
    )
    sound = np.abs(np.linalg.det(system)) > 0.2
    system[~sound] = np.eye(3)
    wanted = np.concatenate([source[all_faces][:, :, :2], corners[:, :, 2:]], axis=2)
    planes = np.linalg.solve(system, wanted.astype(np.float64)).transpose(0, 2, 1).reshape(-1, 9)
    planes = np.concatenate([planes, [[1, 0, 0, 0, 1, 0, 0, 0, 1e6]]]).astype(np.float32)
    first = len(all_faces) - face_count
    order = np.concatenate([np.arange(first), first + np.argsort(-corners[first:, :, 2].mean(axis=1))])
    ids = np.full((side, side), len(all_faces), np.int32)
    fixed_point = np.round(corners[:, :, :2] * 16).astype(np.int32)
    for index in order[sound[order]]:
        cv2.fillConvexPoly(ids, fixed_point[index], int(index), lineType=cv2.LINE_8, shift=4)
    return ids, planes


def _visible(
    label: Floats, ids: NDArray[np.int32], planes: Floats, faces: NDArray[np.int64], side: int
) -> NDArray[np.bool_]:
    """Whether each point faces the camera and nothing nearer is drawn over it."""
    xy = np.clip(np.round(label[:, :2]), 0, side - 1).astype(int)
    plane = planes[ids[xy[:, 1], xy[:, 0]]]
    depth = plane[:, 6] * label[:, 0] + plane[:, 7] * label[:, 1] + plane[:, 8]
    unit = np.linalg.norm(label[[33, 133]].mean(axis=0) - label[[362, 263]].mean(axis=0))
    free = label[:, 2] <= depth + 0.08 * unit
    edges = label[faces]
    normal = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0])
    per_point = np.stack(
        [sum(np.bincount(faces[:, k], normal[:, axis], len(label)) for k in range(3)) for axis in range(3)], axis=1
    )
    facing = per_point[:, 2] / np.maximum(np.linalg.norm(per_point, axis=1), 1e-6)
    facing = facing * np.sign(np.median(facing))
    inside = ((label[:, :2] >= 0) & (label[:, :2] < side)).all(axis=1)
    return np.asarray(free & (facing > -0.15) & inside)
