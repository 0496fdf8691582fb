"""Other views of a face: with another expression, turned in space.

What moves together in a yawn moves apart in speech. A network that has only seen yawns guesses the lips from the chin
(it read half of an opening that the jaw did not make), so that here lips part with and without the jaw.

Every triangle of the mesh is drawn where the changed mesh has it, farthest first, with the picture's own pixels;
rings around the face's outline carry hair and background along. Lids that close hide the eye, they do not squeeze it.
The changed mesh is the exact label.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.swappers.mesh.shape import OPENINGS, measures, moved_by, to_canonical
from rtswap.vision.geometry import canonical, transform
from rtswap.vision.talking_head import look_out
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_EYE
from training.arrays import Bytes, Flags, Floats, Rows

LOWER_LIDS = (LEFT_EYE[1:8][::-1], RIGHT_EYE[1:8][::-1])
UPPER_LIDS = (LEFT_EYE[9:16], RIGHT_EYE[9:16])
CREASES = ([190, 56, 28, 27, 29, 30, 247], [414, 286, 258, 257, 259, 260, 467])
"""The ring above the upper lids, in the order of ``UPPER_LIDS``."""
_BROWS = ((105, 107, 70), (334, 336, 300))
"""Centre, inner and outer end of either brow."""


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


def regress(mesh: Floats, differences: Floats) -> Floats:
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


def move_brows(mesh: Floats, rng: np.random.Generator) -> Floats:
    """Both brows raised or lowered, mostly as a whole; at times their inner ends are drawn together, or their outer
    ends raised. Rarely only one of them."""
    unit, together = eye_distance(mesh), float(rng.normal(0, 0.08))
    only, knit, ends = rng.random() < 0.1, abs(rng.normal(0, 0.03)) * (rng.random() < 0.3), rng.random() < 0.3
    for number, (centre, inner, outer) in enumerate(_BROWS):
        by = 0.0 if only and number else together + float(rng.normal(0, 0.015))
        point, side = int(rng.choice([inner, outer])) if ends else centre, 1 - 2 * number
        shift = np.array([side * knit if point == inner else 0.0, by, 0.0], np.float32) * unit
        mesh = lump(mesh, mesh[point], shift, unit * float(rng.uniform(0.22, 0.4)))
    return mesh


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
    if rng.random() < 0.5:
        changed = move_brows(changed, rng)
    if rng.random() < 0.2:
        changed = purse(changed, float(rng.uniform(-0.15, 0.4)))
    if rng.random() < 0.3:
        opening = rng.exponential(0.08)
        lids = rng.normal(-0.02, 0.05) + rng.normal(0, 0.01, 2)
        part = np.array([opening, rng.normal(0, 0.08), rng.normal(0, 0.03), *lids], np.float32)
        changed, opened = regress(changed, part), float(opening)
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


RAISED = 0.6
"""Of the way from an upper lid to the crease above it."""
_RING = len(OVAL)
_FIXED = 48.0
"""Pixels outside the picture where nothing moves any more."""


@dataclass(frozen=True)
class View:
    image: Bytes
    mesh: Floats
    """(468, 3)"""
    visible: Flags
    """(468,)"""


def rotation(yaw: float, pitch: float) -> Floats:
    """(3, 3), degrees: yaw turns the head sideways, pitch lets it nod."""
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    return np.asarray(about_x @ about_y, np.float32)


def render(image: Bytes, mesh: Floats, changed: Floats, turn: Floats) -> View:
    """The face of ``image`` with the mesh ``changed`` instead of ``mesh``, then turned by ``turn`` about the neck."""
    side, faces = image.shape[0], canonical().triangles.astype(np.int64)
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


def _within(faces: Rows, ring: list[int]) -> Rows:
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


def _ring_faces() -> Rows:
    """Triangles between picture's frame and hair, then between hair and oval."""
    rings = [np.array(OVAL), 468 + np.arange(_RING), 468 + _RING + np.arange(_RING)]
    strips = []
    for inner, outer in ((rings[1], rings[2]), (rings[0], rings[1])):
        next_in, next_out = np.roll(inner, -1), np.roll(outer, -1)
        strips += [np.stack([inner, outer, next_out], 1), np.stack([inner, next_out, next_in], 1)]
    return np.concatenate(strips)


def _rasterise(
    source: Floats, target: Floats, all_faces: Rows, face_count: int, side: int
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


def _visible(label: Floats, ids: NDArray[np.int32], planes: Floats, faces: Rows, side: int) -> Flags:
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
