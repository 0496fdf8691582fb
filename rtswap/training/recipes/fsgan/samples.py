"""What the networks of FSGAN learn from: one photo of each of many people.

*views*: a face whose landmarks were moved to the pose and the expression of somebody else shall become the photo
that it was made of: the truth is always a real picture. *hole*: a face with ellipses, strands of hair, or the half
that another pose would not show, missing. *seam*: somebody else's face moved onto a picture; the truth is OpenCV's
solution of Poisson's equation.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.core.types import Image, Mask, Points
from rtswap.swappers.fsgan.steps import distance, facing, moved, outline_of, seen_at
from rtswap.swappers.mesh.shape import SourceShape
from rtswap.training.crowd import Crowd
from rtswap.training.warp import Variation, draw_maps, placed
from rtswap.training.workers import Sample
from rtswap.vision.pose import Pose, pose_of
from rtswap.vision.resample import looked_up

ORDER = ("views", "seam", "views", "hole", "views", "seam", "views", "views")
"""What each batch in a cycle teaches: the networks learn side by side, each for its share of the time."""
FARTHEST = 45.0
"""Degrees by which a view of a sample may differ from its truth."""
TRIES = 6
VARIATION = Variation(turn=6.0, zoom=0.06, shift=0.02, mirrored=0.5, warp=0.0)
"""How samples vary from their photos."""
RIM = 2
"""Pixels at a picture's border that Poisson's equation needs."""


def lesson_of(number: int) -> str:
    """What the batch of this number teaches."""
    return ORDER[number % len(ORDER)]


@dataclass(frozen=True)
class Photo:
    """One face of a crowd."""

    row: int
    picture: Image
    """(S, S, 3)"""
    points: Points
    """(468, 3) px"""
    visible: Mask
    """(S, S) 255 where the face can be seen."""
    pose: Pose


class Samples:
    """Implements ``workers.Numbered``. Every batch begins with the number of what it teaches in ``ORDER`` (N,).

    views: rows, view (N, S, S, 3), its landmarks (N, 468, 3), truth, its landmarks, the face's mask (N, S, S).
    hole: rows, face (N, S, S, 3), hole (N, S, S), the face's mask.
    seam: rows, face, target, mask (N, S, S), truth.
    """

    def __init__(self, crowd: Crowd, count: int, seed: int, *, assisted: bool = False) -> None:
        """``assisted``: the views' faces are already moved to the truth's landmarks."""
        self._assisted = assisted
        self._crowd, self._count, self._seed = crowd, count, seed

    def batch(self, number: int) -> Sample:
        """The batch of this number."""
        rng = np.random.default_rng((self._seed, number))
        kind = lesson_of(number)
        made = [getattr(self, kind)(rng) for _ in range(self._count)]
        parts = tuple(np.stack(part) for part in zip(*made, strict=True))
        return (np.full(self._count, ORDER.index(kind), np.int64), *parts)

    def views(self, rng: np.random.Generator) -> Sample:
        """A view made of a photo, and the photo."""
        photo = self.photo(rng)
        other = next(
            (one for one in (self.photo(rng) for _ in range(TRIES)) if distance(one.pose, photo.pose) < FARTHEST),
            photo,
        )
        points = SourceShape.of(photo.points).destination(other.points)
        view = moved(photo.picture, photo.points, points)
        if self._assisted:
            view = moved(view, points, photo.points)
        return np.asarray(photo.row), view, points, photo.picture, photo.points, face_of(photo)

    def hole(self, rng: np.random.Generator) -> Sample:
        """A photo, and the mask of the part to be filled."""
        photo = self.photo(rng)
        outline = outline_of(photo.points, photo.picture.shape[0])
        kind = rng.random()
        if kind < 0.4:
            hole = self._hide_turned_away(rng, photo)
        else:
            hole = (
                ellipses(rng, photo.points, outline.shape[0])
                if kind < 0.7
                else strands(rng, photo.points, outline.shape[0])
            )
        return np.asarray(photo.row), photo.picture, np.minimum(hole, outline), face_of(photo)

    def seam(self, rng: np.random.Generator) -> Sample:
        """Somebody else's face on a photo."""
        target, source = self.photo(rng), self.photo(rng)
        points = SourceShape.of(source.points).destination(target.points)
        face = moved(source.picture, source.points, points)
        mask = outline_of(target.points, face.shape[0])
        mask[:RIM] = mask[-RIM:] = mask[:, :RIM] = mask[:, -RIM:] = 0
        return np.asarray(target.row), face, target.picture, mask, clone(face, target.picture, mask)

    def photo(self, rng: np.random.Generator) -> Photo:
        """Any face, slightly varied, half of them mirrored."""
        crowd, row = self._crowd, int(rng.integers(len(self._crowd)))
        side = crowd.pictures.shape[1]
        _, shown = draw_maps(rng, VARIATION, side, side)
        points = placed(crowd.points[row], shown)
        picture, visible = looked_up(crowd.pictures[row], shown), looked_up(crowd.masks[row], shown)
        return Photo(row, picture, points, visible, pose_of(points))

    def _hide_turned_away(self, rng: np.random.Generator, photo: Photo) -> Mask:
        """The part of the face that another face's pose would hide."""
        turned = SourceShape.of(photo.points).destination(self.photo(rng).points)
        return np.asarray(255 - seen_at(facing(turned), photo.points, photo.picture.shape[0]), np.uint8)


def face_of(photo: Photo) -> Mask:
    """(S, S) 255 where the photo shows its face."""
    return np.asarray(np.minimum(outline_of(photo.points, photo.picture.shape[0]), photo.visible), np.uint8)


def ellipses(rng: np.random.Generator, points: Points, side: int) -> Mask:
    """One to three ellipses somewhere on the face."""
    hole = np.zeros((side, side), np.uint8)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    reach = float((high - low).max())
    for _ in range(int(rng.integers(1, 4))):
        centre = tuple(np.round(rng.uniform(low, high)).astype(int).tolist())
        axes = tuple(np.maximum(2, reach * rng.uniform(0.05, 0.3, 2)).astype(int).tolist())
        cv2.ellipse(hole, centre, axes, rng.uniform(0, 180), 0, 360, 255, -1)
    return hole


def strands(rng: np.random.Generator, points: Points, side: int) -> Mask:
    """Hair: curves that hang into the face from above."""
    hole = np.zeros((side, side), np.uint8)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    wide, tall = (high - low).tolist()
    along = np.linspace(0, 1, 12)[:, None]
    root = np.array([low[0] + rng.uniform(-0.1, 1.1) * wide, low[1] - 0.1 * tall])
    for _ in range(int(rng.integers(3, 12))):
        begin = root + rng.normal(0, 0.12 * wide, 2)
        end = begin + np.array([rng.normal(0, 0.25 * wide), rng.uniform(0.2, 0.9) * tall])
        bent = begin + (end - begin) * along + np.sin(np.pi * along) * rng.normal(0, 0.1 * wide, 2)
        thick = max(1, round(rng.uniform(0.01, 0.06) * wide))
        cv2.polylines(hole, [np.round(bent).astype(np.int32)], False, 255, thick)
    return hole


def clone(face: Image, target: Image, mask: Mask) -> Image:
    """``face`` on ``target`` by Poisson's equation (Pérez et al. 2003): its gradients, the target's border. An empty
    mask gives the target."""
    x, y, wide, tall = cv2.boundingRect(mask)
    if not wide or not tall:
        return target.copy()
    middle = (x + wide // 2, y + tall // 2)
    return np.asarray(cv2.seamlessClone(face, target, mask.copy(), middle, cv2.NORMAL_CLONE), np.uint8)
