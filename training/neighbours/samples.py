"""Training samples: what the product sees around a swapped face, with that face painted out; with others beside it,
behind it and before it, or with nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.tracking.neighbours import REACH, SIDE, around, outline, paint_out
from rtswap.training.workers import Sample
from rtswap.vision.geometry import box_of, transform
from rtswap.vision.topology import CHIN, FOREHEAD, OVAL
from training.arrays import Bytes, Floats
from training.heads.portraits import Portraits
from training.heads.samples import HEIGHT, MAY, MOST_HEADS, SHALL, WIDTH, Sampler
from training.landmarks.views import Views
from training.neighbours.people import Standing

IN_A_ROOM, CONTINUED = 0.45, 0.3
"""How often the swapped person is a portrait with its own surroundings, and a picture of a head continued on all
sides; else a head put into a room."""
OTHERS = {0: 0.45, 1: 0.3, 2: 0.25}
BEFORE = 0.25
"""How often somebody else is before the swapped person, and not behind."""
SWAPPED_TOO = 0.15
"""How often the others are swapped and painted out as well."""
SEEN, HARDLY = 0.3, 0.1
"""Share of a face that can be seen, from which it shall be found, and below which it need not."""
LEAST_PX, MOST_PX = 28.0, 90.0
"""Height of the swapped face in the scene."""


@dataclass(frozen=True)
class Surroundings:
    """What batches are made from: pictures, heads. See ``training.batches.Source``."""

    views: Views
    portraits: Portraits
    rooms: Standing
    heads: Standing
    batch: int

    def batches(self, seed: int) -> Iterator[Sample]:
        return BesideSampler(self.views, self.portraits, self.rooms, self.heads, seed).batches(self.batch)


@dataclass(eq=False)
class _Face:
    """A face in the scene."""

    mesh: Floats
    whole: float
    seen: Bytes
    """(HEIGHT, WIDTH) 255 where it can be seen."""


class BesideSampler(Sampler):
    """``batches``: (N, 128, 128, 3) and (N, 10, 4) as those of ``Sampler``."""

    def __init__(self, views: Views, portraits: Portraits, rooms: Standing, heads: Standing, seed: int) -> None:
        super().__init__(views, portraits, seed)
        self._rooms, self._alone = rooms, heads
        self._faces: list[_Face] = []

    def one(self) -> tuple[Bytes, Floats]:
        rng = self._rng
        while True:
            self._faces = []
            self._begin()
            self._put_things()
            own = self._draw_swapped_person()
            picture, _ = self._optics(self._canvas, rng)
            sample = self._square(picture, own)
            if sample is not None:
                return sample

    def _draw_swapped_person(self) -> _Face:
        rng = self._rng
        height = float(np.exp(rng.uniform(np.log(LEAST_PX), np.log(MOST_PX))))
        at = rng.uniform((0.15 * WIDTH, 0.2 * HEIGHT), (0.85 * WIDTH, 0.8 * HEIGHT)).astype(np.float32)
        others = int(rng.choice(list(OTHERS), p=list(OTHERS.values())))
        before = sum(rng.random(others) < BEFORE)
        kind = rng.random()
        whole = kind < IN_A_ROOM + CONTINUED
        people = self._rooms if kind < IN_A_ROOM else self._alone
        row = int(rng.integers(len(people)))
        picture, matte, mesh = people.one(row)
        middle = mesh[OVAL].mean(0)
        size = max(float(np.linalg.norm(mesh[FOREHEAD] - mesh[CHIN])), 20.0)
        squeeze, roll = np.exp(rng.normal(0, 0.06)), rng.normal(0, 8) if rng.random() < 0.9 else rng.uniform(0, 360)
        matrix = self._place(height / size, middle, at, float(squeeze), float(roll))
        placed = transform(matrix, mesh)
        if whole:
            self._lay(picture, np.full(picture.shape[:2], 255, np.uint8), matrix)
            for box in people.boxes[row]:
                if box[2] > 0:
                    self._note_face(transform(matrix, _ellipse(box)))
        for _ in range(others - before):
            self._other(placed, height)
        if not whole or others > before:
            soft = float(rng.uniform(0.5, 2.5))
            self._lay(picture, np.asarray(cv2.GaussianBlur(matte, (0, 0), soft), np.uint8), matrix)
        own = self._face(placed)
        if rng.random() < 0.3:
            self._hands_near(matrix, middle, height / float(np.linalg.norm(matrix[:, 1])), self._skin())
        for _ in range(before):
            self._other(placed, height)
        return own

    def _other(self, mesh: Floats, height: float) -> None:
        """Somebody else near the face ``mesh``: their head, and mostly their trunk."""
        rng, views = self._rng, self._views
        number = int(rng.integers(len(views) if rng.random() < 0.4 else views.people))
        angle = rng.uniform(0, 2 * np.pi)
        away = height * np.array([np.cos(angle), np.sin(angle)]) * (0.8, 1) * rng.uniform(0.3, 1.5)
        tall = float(np.clip(height * np.exp(rng.normal(-0.1, 0.3)), 6, 200))
        to = mesh[OVAL].mean(0) + away
        roll = float(rng.normal(0, 10) if rng.random() < 0.7 else rng.uniform(0, 360))
        if number < len(self._alone) and rng.random() < 0.6:
            image, matte, theirs = self._alone.one(number)
            scale = tall / max(float(np.linalg.norm(theirs[FOREHEAD] - theirs[CHIN])), 20.0)
            matrix = self._place(scale, theirs[OVAL].mean(0), to, 1.0, roll)
            alpha = np.asarray(cv2.GaussianBlur(matte, (0, 0), float(rng.uniform(0.5, 2.5))), np.uint8)
        else:
            image, theirs = views.images[number], views.meshes[number][:, :2]
            scale = tall / max(float(np.linalg.norm(theirs[FOREHEAD] - theirs[CHIN])), 20.0)
            matrix = self._place(scale, theirs[OVAL].mean(0), to, 1.0, roll)
            if rng.random() < 0.6:
                self._body(matrix, theirs[OVAL].mean(0), tall / scale)
            alpha = self._oval(image, theirs)
        self._lay(image, alpha, matrix)
        self._note_face(transform(matrix, theirs))

    def _oval(self, image: Bytes, mesh: Floats) -> Bytes:
        rng, oval = self._rng, mesh[OVAL, :2]
        grown = float(rng.uniform(1.0, 1.4))
        ring = oval.mean(0) + (oval - oval.mean(0)) * (grown, grown * float(rng.uniform(1, 1.15)))
        alpha = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(alpha, [cv2.convexHull(np.round(ring).astype(np.int32))], 255)
        return np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.5, 6))), np.uint8)

    def _note_face(self, points: Floats) -> None:
        self._faces.append(self._face(points.astype(np.float32)))

    def _face(self, points: Floats) -> _Face:
        """``points``: a mesh (468, 2), or an outline."""
        seen = np.zeros((HEIGHT, WIDTH), np.uint8)
        ring = cv2.convexHull(points[OVAL] if len(points) > max(OVAL) else points)
        cv2.fillConvexPoly(seen, np.round(np.clip(ring, -4000, 4000)).astype(np.int32), 255)
        return _Face(points, max(float(cv2.contourArea(ring)), 1.0), seen)

    def _blend(self, picture: Bytes, alpha: Bytes, x: int, y: int) -> None:
        super()._blend(picture, alpha, x, y)
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + picture.shape[1], WIDTH), min(y + picture.shape[0], HEIGHT)
        if x2 > x1 and y2 > y1:
            hidden = alpha[y1 - y : y2 - y, x1 - x : x2 - x] > 127
            for face in self._faces:
                face.seen[y1:y2, x1:x2][hidden] = 0

    def _square(self, picture: Bytes, own: _Face) -> tuple[Bytes, Floats] | None:
        """The square around the swapped face, as ``Neighbours`` cuts it; its mesh is a little off."""
        rng = self._rng
        mesh = own.mesh + rng.normal(0, 0.02 * np.ptp(own.mesh[:, 1]), 2).astype(np.float32)
        x1, y1, x2, y2 = box_of(mesh).tolist()
        side = REACH * max(x2 - x1, y2 - y1)
        corner = np.array([(x1 + x2 - side) / 2, (y1 + y2 - side) / 2], np.float32)
        square = around(picture, corner, np.array([side, side]))
        if square is None:
            return None
        also = [face for face in self._faces if len(face.mesh) > max(OVAL) and rng.random() < SWAPPED_TOO]
        painted = [mesh, *(face.mesh for face in also)]
        paint_out(square, [(one - corner) * (SIDE / side) for one in painted])
        rows = []
        for face in self._faces:
            if face in also:
                continue
            for one in painted:
                hull = cv2.convexHull(np.round(np.clip(outline(one), -4000, 4000)).astype(np.int32))
                cv2.fillConvexPoly(face.seen, hull, 0)
            low = np.clip(np.round(corner), 0, (WIDTH, HEIGHT)).astype(int)
            high = np.clip(np.round(corner + side), 0, (WIDTH, HEIGHT)).astype(int)
            share = float(np.count_nonzero(face.seen[low[1] : high[1], low[0] : high[0]])) / face.whole
            box = box_of(face.mesh)
            x, y = ((box[:2] + box[2:]) / 2 - corner) * (SIDE / side)
            tall = float(box[3] - box[1]) * SIDE / side
            if share >= HARDLY:
                rows.append((x, y, tall, SHALL if share >= SEEN and tall >= 0.45 * SIDE / REACH else MAY))
        heads = np.zeros((MOST_HEADS, 4), np.float32)
        heads[: len(rows)] = rows[:MOST_HEADS] if rows else 0
        return square, heads


def _ellipse(box: Floats) -> Floats:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return np.asarray(middle + half * np.stack([np.cos(angle), np.sin(angle)], 1), np.float32)
