"""One persona out of several faces, sharp: each part is one parent's pixels, no pixel is a mean of two pictures.

Averaged faces are soft and lie near everybody. Here the head (hair, ears, neck, background) is one parent's, skin,
eyes, nose and mouth are others'. The outline is mixed, exaggerated and pushed along directions in which people
differ; every part is moved to it by triangles and brought into the head's light: its own low frequencies are replaced
by the head's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from rtswap.core.types import Image, Points
from rtswap.vision.geometry import canonical, similarity, transform
from rtswap.vision.raster import rasterize
from rtswap.vision.topology import CHIN, LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE
from training.personas.faces import Face, place

Field = NDArray[np.float32]

PARTS: dict[str, tuple[int, ...]] = {
    "skin": (10, 151, 9, 69, 299, 104, 333, 50, 280, 205, 425, 187, 411, 214, 434, 199),
    "eyes": (*LEFT_BROW, *RIGHT_BROW, *LEFT_EYE, *RIGHT_EYE, 230, 450, 231, 451, 229, 449, 118, 347, 35, 265),
    "nose": (6, 197, 195, 5, 4, 1, 2, 98, 327, 64, 294, 129, 358, 198, 420, 122, 351, 196, 419, 193, 417, 94),
    "mouth": (*LIPS_OUTER, 164, 18, 200, 199, 202, 422, 57, 287, 92, 322, 83, 313),
}
"""What can come from a parent of its own, with the landmarks whose place says where it lies."""
LIPS = [80, 81, 82, 13, 312, 311, 310], [88, 178, 87, 14, 317, 402, 318]
"""Upper and lower edge of the mouth's opening."""
REACH = 0.16
"""Inter-ocular distances over which a part's outline passes into the rest's."""
FEATHER = 0.035
"""Of the face's width: sigma of the seams between parts."""
LIGHT = 0.07
"""Of the face's width: sigma of what is taken for light and tone."""
COARSE = 128
"""Nodes across the picture where light is thought about."""
BRIGHTEST = 215.0
"""Level that 98 % of the face stay below: what is blown out cannot be put into another light."""
FEATURES = {"eyes": ((*LEFT_BROW, *LEFT_EYE), (*RIGHT_BROW, *RIGHT_EYE)), "mouth": (tuple(LIPS_OUTER),)}
"""What may look as it likes: the rest of a part is skin."""
STRANGE = 0.1, 0.3
"""Difference of logarithms from which on a part's skin is trusted less, and not at all."""
LIT, TINTED = 2.2, 1.25
"""How many times brighter a part may become, and one of its channels beyond that."""
SIDE = 640
"""Pixels of a persona."""
TALL, DOWN = 0.5, 0.52
"""Height of the face's oval and how far down its middle is, in heights of a persona's picture."""
DULL = 0.35
"""Share of gloss that stays."""
AROUND = 0.15
"""Of the face's width: sigma of the surroundings that gloss is brighter than."""
RING = 1.45
"""Hair and ears, in distances of the oval from the face's middle."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a persona is made of. Names are those of pictures in the folder of shared faces."""

    head: str
    skin: str
    eyes: str
    nose: str
    mouth: str
    exaggerate: float = 1.0
    """Of the mixed outline's difference from the mean face."""
    push: tuple[float, ...] = ()
    """Along ``Faces.modes``, in standard deviations."""

    @property
    def parents(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.head, self.skin, self.eyes, self.nose, self.mouth)))


class Parents(Protocol):
    """Where faces come from: square pictures of one size with their meshes."""

    side: int
    """Width and height of all pictures."""
    face: Callable[[str], Face]

    @property
    def modes(self) -> Field:
        """(N, 468, 2) face heights: directions along which ``Recipe.push`` may push the outline."""


def compose(recipe: Recipe, faces: Parents) -> Image:
    """(SIDE, SIDE, 3): head, neck and shoulders."""
    picture, goal = blend(recipe, faces)
    picture = matt(picture, goal)
    brightest = float(np.percentile(picture[_fill([goal[OVAL]], faces.side) > 0], 98))
    return frame(np.clip(picture * min(1.0, BRIGHTEST / brightest), 0, 255).astype(np.uint8), goal)


def frame(picture: Image, points: Points) -> Image:
    """(SIDE, SIDE, 3) the square of ``picture`` whose face is ``TALL`` and ``DOWN``, as far as it reaches."""
    oval = points[OVAL]
    side = min(round(float(np.ptp(oval[:, 1])) / TALL), min(picture.shape[:2]))
    middle = (oval.min(0) + oval.max(0)) / 2
    start = np.clip(np.round(middle - np.array([0.5, DOWN]) * side), 0, np.array(picture.shape[1::-1]) - side)
    x, y = start.astype(int).tolist()
    square = picture[y : y + side, x : x + side]
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def blend(recipe: Recipe, faces: Parents) -> tuple[Field, Points]:
    """The head's whole picture (S, S, 3), 0..255, with the parts in its face, and the landmarks there (468, 2)."""
    head = faces.face(recipe.head)
    parts = {name: faces.face(getattr(recipe, name)) for name in PARTS}
    goal = _outline(recipe, head, parts, faces)
    whole = _move_head(head, goal).astype(np.float32)
    oval = _fill([goal[OVAL]], faces.side)
    width = float(np.ptp(goal[:, 0]))
    picture = whole.copy()
    for name, face in parts.items():
        if name != "skin" and getattr(recipe, name) == recipe.head:
            continue
        moved = _move(face, goal).astype(np.float32)
        lit = _in_light_of(moved, whole, oval, LIGHT * width)
        share = _share(name, goal, len(picture)) * _trust(name, lit, whole, goal)
        picture = share[..., None] * lit + (1 - share[..., None]) * picture
    return picture, goal


def matt(picture: Field, points: Points) -> Field:
    """``picture`` (S, S, 3) with less gloss on the face. ``points``: (468, 2) px.

    Where a channel is above what is around, it is that times 1 + ``DULL`` of the rest.
    """
    width = float(np.ptp(points[:, 0]))
    face = _fill([points[OVAL]], len(picture))
    weight = cv2.GaussianBlur(face, (0, 0), AROUND * width)[..., None] + np.float32(1e-3)
    around = cv2.GaussianBlur((picture + 8) * face[..., None], (0, 0), AROUND * width) / weight
    for ring in (LEFT_EYE, RIGHT_EYE, LIPS_OUTER):
        cv2.fillPoly(face, [cv2.convexHull(np.round(grown(points[ring], 1.25)).astype(np.int32))], 0.0)
    over = np.maximum(cv2.GaussianBlur(picture + 8, (0, 0), 0.008 * width) / np.maximum(around, 8) - 1, 0)
    change = over * cv2.GaussianBlur(face, (0, 0), 0.06 * width)[..., None]
    return np.asarray(picture * (1 + DULL * change) / (1 + change), np.float32)


def _outline(recipe: Recipe, head: Face, parts: dict[str, Face], faces: Parents) -> Points:
    """(468, 2) where the persona's landmarks are."""
    goal = head.points.astype(np.float64)
    for name, face in parts.items():
        own = transform(similarity(face.points, head.points), face.points)
        goal += outline_weights()[name][:, None] * (own - head.points)
    mean = transform(similarity(place(faces.side), head.points), place(faces.side))
    goal = mean + recipe.exaggerate * (goal - mean)
    height = np.ptp(head.points[:, 1])
    for amount, mode in zip(recipe.push, faces.modes, strict=False):
        goal += amount * height * mode
    return _shut_lips(goal, parts["mouth"].points, head.points).astype(np.float32)


def _shut_lips(goal: NDArray[np.float64], mouth: Points, head: Points) -> NDArray[np.float64]:
    """The lips no wider apart than in the mouth's own picture: what is stretched between them looks like teeth."""
    upper, lower = LIPS
    own = transform(similarity(mouth, head), mouth)
    gap = np.maximum(goal[lower, 1] - goal[upper, 1], 0)
    too_wide = np.maximum(gap - np.maximum(own[lower, 1] - own[upper, 1], 0), 0)
    goal[upper, 1] += too_wide / 2
    goal[lower, 1] -= too_wide / 2
    return goal


@cache
def outline_weights() -> dict[str, Field]:
    """Part -> (468,) how much of its parent's outline counts at each landmark; together at most 1."""
    mesh = canonical().mesh[:, :2]
    away = {
        name: np.linalg.norm(mesh[:, None] - mesh[None, list(points)], axis=2).min(1)
        for name, points in PARTS.items()
    }
    near = {name: np.exp(-((distance / REACH) ** 2)) for name, distance in away.items()}
    near["skin"] *= 0.6
    total = np.maximum(np.sum(list(near.values()), axis=0), 1.0)
    return {name: (one / total).astype(np.float32) for name, one in near.items()}


def _surround(points: Points, side: int) -> Points:
    """(524, 2) the mesh, a ring for hair and ears, the picture's border, which stays."""
    ring = np.clip(grown(points[OVAL], RING), 1, side - 2)
    line = np.linspace(0, side - 1, 6, dtype=np.float32)
    zero, full = np.zeros(6, np.float32), np.full(6, side - 1, np.float32)
    border = [(line, zero), (line, full), (zero[1:5], line[1:5]), (full[1:5], line[1:5])]
    return np.concatenate([points, ring, *(np.stack(edge, 1) for edge in border)]).astype(np.float32)


def _move_head(head: Face, goal: Points) -> Image:
    """The whole picture with its mesh at ``goal``; what is around the face follows, the border stays."""
    start, end = (_surround(points, len(head.picture)) for points in (head.points, goal))
    triangles = np.asarray(Delaunay(end).simplices, np.int32)
    return _look_up(head.picture, start, end, triangles)


def _move(face: Face, goal: Points) -> Image:
    """The face's inside with its mesh at ``goal``; something smooth around it."""
    out = 1.25
    start, end = (
        np.concatenate([p, p[OVAL].mean(0) + out * (p[OVAL] - p[OVAL].mean(0))]) for p in (face.points, goal)
    )
    return _look_up(face.picture, start, end, np.asarray(Delaunay(end).simplices, np.int32))


def _look_up(picture: Image, start: Points, end: Points, triangles: NDArray[np.int32]) -> Image:
    side = len(picture)
    flat = np.zeros((len(end), 3), np.float32)
    flat[:, :2] = end
    values = np.ones((len(end), 3), np.float32)
    values[:, :2] = np.clip(start / side, 0, 1)
    where = rasterize(flat, values, triangles, (side, side))
    own = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).astype(np.float32)
    lookup = np.where(where[..., 2:] > 0.5, where[..., :2] * side, own)
    return np.asarray(
        cv2.remap(picture, np.asarray(lookup, np.float32), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101),
        np.uint8,
    )


def _in_light_of(part: Field, whole: Field, inside: Field, sigma: float) -> Field:
    """``part`` with its low frequencies replaced by ``whole``'s, both seen inside the oval only."""
    side = len(part)
    step = max(1, side // COARSE)
    small = side // step
    mask = cv2.resize(inside, (small, small), interpolation=cv2.INTER_AREA)[..., None]
    weight = cv2.GaussianBlur(mask, (0, 0), sigma / step)[..., None] + 1e-3
    mine, theirs = (
        cv2.GaussianBlur(cv2.resize(one, (small, small), interpolation=cv2.INTER_AREA) * mask, (0, 0), sigma / step)
        / weight
        for one in (part, whole)
    )
    gain = (theirs + 6) / (mine + 6)
    mean = gain.mean(2, keepdims=True)
    gain = np.clip(gain / mean, 1 / TINTED, TINTED) * np.clip(mean, 1 / LIT, LIT)
    return np.asarray(part * cv2.resize(gain, (side, side)), np.float32)


def _trust(name: str, lit: Field, whole: Field, goal: Points) -> Field:
    """(S, S) 0..1 less where skin differs from the head's own by more than skin does: hair, a scarf, a shadow.

    Eyes, brows and lips are compared with nothing.
    """
    width = float(np.ptp(goal[:, 0]))
    mine, theirs = (cv2.GaussianBlur(np.log(one + 8), (0, 0), 0.012 * width) for one in (lit, whole))
    trust = np.clip((STRANGE[1] - np.abs(mine - theirs).max(2)) / (STRANGE[1] - STRANGE[0]), 0, 1)
    side = 2 * round(0.02 * width) + 1
    trust = cv2.GaussianBlur(cv2.erode(trust, np.ones((side, side), np.uint8)), (0, 0), 0.02 * width)
    if name in FEATURES:
        rings = [cv2.convexHull(grown(goal[list(ring)], 1.2))[:, 0] for ring in FEATURES[name]]
        trust = np.maximum(trust, cv2.GaussianBlur(_fill(rings, len(lit)), (0, 0), 0.01 * width))
    return np.asarray(trust, np.float32)


def _share(name: str, goal: Points, side: int) -> Field:
    """(side, side) 0..1 where a part shows."""
    width = float(np.ptp(goal[:, 0]))
    if name == "skin":
        share = _fill([grown(goal[OVAL], 0.86)], side)
        return np.asarray(cv2.GaussianBlur(share, (0, 0), 1.6 * FEATHER * width), np.float32)
    rings = [goal[list(PARTS[name])]]
    if name == "eyes":
        rings = [
            goal[[*LEFT_BROW, *LEFT_EYE, 230, 231, 229, 118, 35]],
            goal[[*RIGHT_BROW, *RIGHT_EYE, 450, 451, 449, 347, 265]],
        ]
    if name == "mouth":
        rings = [np.concatenate([rings[0], 0.8 * goal[[CHIN]] + 0.2 * goal[[17]]])]
    share = _fill([cv2.convexHull(ring)[:, 0] for ring in rings], side)
    grow = round(0.03 * width)
    share = cv2.dilate(share, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1)))
    return np.asarray(cv2.GaussianBlur(share, (0, 0), FEATHER * width), np.float32)


def grown(ring: Points, factor: float) -> Points:
    """The ring, ``factor`` times as far from its middle."""
    middle = ring.mean(0)
    return np.asarray(middle + factor * (ring - middle), np.float32)


def _fill(rings: list[Points], side: int) -> Field:
    picture = np.zeros((side, side), np.float32)
    for ring in rings:
        cv2.fillPoly(picture, [np.round(ring * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return picture
