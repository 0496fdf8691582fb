"""Training samples: rooms with heads in them, of all sizes, turned by any angle, near and far, in any light; and
things that are no heads, put there in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.training.workers import Sample
from rtswap.vision.geometry import transform
from rtswap.vision.resample import warped
from rtswap.vision.topology import OVAL
from training.arrays import Bytes, Floats
from training.camera import noise_bank
from training.heads.appearances import as_seen, squeezed
from training.heads.limbs import HAND, SIDE, Limbs, Solid
from training.heads.lures import Lures
from training.heads.optics import Optics
from training.heads.portraits import Portraits
from training.heads.rooms import patch, print_on_cloth, put_bars, room, scrap
from training.heads.round_things import round_thing
from training.landmarks.views import Views

HEIGHT, WIDTH = 192, 256
MOST_HEADS = 10
LEAST_PX, MOST_PX = 5.0, 330.0
"""Heights of faces, chin to hairline."""
COUNTS = {0: 0.4, 1: 0.25, 2: 0.13, 3: 0.1, 5: 0.08, 7: 0.04}
PORTRAIT = 0.5
"""How often a portrait with its own surroundings is the picture."""
AGAIN, KEEP = 3, 256
"""How often a sample is used, mirrored or turned by half, and how many wait for it."""
SHALL, MAY = 1.0, 0.5
MOST_HIDDEN = 0.55
"""Share of the square around a face above which it may be found or not once something lies before it."""
BEHIND = 0.5
"""Distance to a nearer head, in its heights, below which one that is behind it may be found or not."""
OF_ROOMS, OF_DECOYS = 0.2, 0.5
"""How often a room, and something that is no head, are what was taken for a head before."""
ROUND = 0.35
"""How often something that is no head is a painted wheel, lamp, flower or the like."""
CLOSE, BELOW, HANDS = 0.3, 0.4, 0.35
"""How often a head is partly before another, has a trunk below it, and hands near it."""


@dataclass(frozen=True)
class Scenes:
    """What batches are made from: pictures, heads. See ``training.batches.Source``."""

    views: Views
    portraits: Portraits
    batch: int
    lures: Lures | None = None

    def batches(self, seed: int) -> Iterator[Sample]:
        return Sampler(self.views, self.portraits, seed, self.lures).batches(self.batch)


class Sampler:
    """Endless random scenes. ``views``: faces with their meshes; ``portraits``: people in rooms and streets;
    ``lures``: what was taken for heads before."""

    def __init__(self, views: Views, portraits: Portraits, seed: int, lures: Lures | None = None) -> None:
        self._views, self._portraits, self._lures = views, portraits, lures
        self._rng = np.random.default_rng(seed)
        self._optics = Optics(noise_bank(self._rng, WIDTH + 16))
        self._limbs = Limbs(self._rng)
        self._canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self._heads: list[list[float]] = []

    def batches(self, count: int, again: int = AGAIN, keep: int = KEEP) -> Iterator[Sample]:
        """(N, 192, 256, 3) uint8 pictures and (N, 10, 4) heads: x, y, height in pixels; 1 shall be found, 0.5 may
        be, 0 none."""
        waiting: list[tuple[Bytes, Floats, int]] = []
        ready: list[tuple[Bytes, Floats]] = []
        while True:
            waiting.append((*self.one(), again))
            for _ in range(again if len(waiting) > keep else 1):
                picture, heads, left = waiting.pop(int(self._rng.integers(len(waiting))))
                ready.append(_flip(picture, heads, bool(left % 2), left % 3 == 0))
                if left > 1:
                    waiting.append((picture, heads, left - 1))
                if not waiting:
                    break
            if len(ready) >= count:
                pictures, heads_ = zip(*ready[:count], strict=True)
                yield np.stack(pictures), np.stack(heads_)
                del ready[:count]

    def one(self) -> tuple[Bytes, Floats]:
        rng = self._rng
        self._begin()
        if rng.random() < PORTRAIT:
            self._portrait()
        self._put_things()
        for _ in range(int(rng.choice(list(COUNTS), p=list(COUNTS.values())))):
            if len(self._heads) < MOST_HEADS:
                self._head()
        if rng.random() < 0.35:
            self._things_in_front()
        picture, lost = self._optics(self._canvas, rng)
        heads = np.zeros((MOST_HEADS, 4), np.float32)
        for row, head in enumerate(self._heads[:MOST_HEADS]):
            heads[row] = head
            if head[2] < 5.5 + lost:
                heads[row, 3] = MAY
        return picture, heads

    def _begin(self) -> None:
        """An empty room."""
        self._heads = []
        lure = self._lure(HEIGHT, WIDTH, OF_ROOMS)
        self._canvas = room(self._portraits, HEIGHT, WIDTH, self._rng) if lure is None else lure

    def _lure(self, height: int, width: int, share: float) -> Bytes | None:
        """(height, width, 3) around a lure, in this share of calls; else None."""
        if self._lures is None or self._rng.random() >= share:
            return None
        return self._lures.patch(height, width, self._rng)

    def _put_things(self) -> None:
        """Things that are no heads."""
        for _ in range(int(self._rng.poisson(1.5))):
            if self._rng.random() < 0.35:
                self._limb()
            else:
                self._decoy()

    def _portrait(self) -> None:
        """A person where they are, as near or far as may be."""
        rng, number = self._rng, int(self._rng.integers(len(self._portraits)))
        image, boxes = self._portraits.pictures[number], self._portraits.boxes[number]
        height = float(boxes[0, 3] - boxes[0, 1])
        wanted = float(np.exp(rng.uniform(np.log(9), np.log(MOST_PX))))
        middle = (boxes[0, :2] + boxes[0, 2:]) / 2
        matrix = self._place(wanted / height, middle, self._where(wanted), float(rng.uniform(0.9, 1.1)))
        self._lay(image, np.full(image.shape[:2], 255, np.uint8), matrix)
        for box in boxes[boxes[:, 2] > 0]:
            self._note((box[:2] + box[2:]) / 2, float(box[3] - box[1]), matrix)
        if rng.random() < HANDS:
            self._hands_near(matrix, middle, height, self._skin())

    def _head(self) -> None:
        rng, views = self._rng, self._views
        number = int(rng.integers(len(views)))
        mesh = views.meshes[number]
        image = views.images[number]
        height = max(float(np.linalg.norm(mesh[10] - mesh[152])), 20.0)
        middle = mesh[OVAL, :2].mean(0)
        wanted = float(np.exp(rng.uniform(np.log(LEAST_PX), np.log(MOST_PX if rng.random() < 0.5 else 60))))
        to = self._where(wanted)
        if self._heads and rng.random() < CLOSE:
            x, y, other, _ = self._heads[int(rng.integers(len(self._heads)))]
            wanted, angle = max(other * float(np.exp(rng.normal(0, 0.25))), LEAST_PX), rng.uniform(0, 2 * np.pi)
            way = np.array([np.cos(angle), np.sin(angle)])
            to = np.array([x, y]) + rng.uniform(0.5, 1.2) * max(wanted, other) * way
        matrix = self._place(wanted / height, middle, to, float(np.exp(rng.normal(0, 0.12))))
        skin, body = views.cheek(number), rng.random()
        if body < BELOW:
            self._lay_solid(_one_of(self._limbs.trunks, rng), matrix, middle, height, skin)
        elif body < 0.7:
            self._body(matrix, middle, height)
        alpha = np.zeros(image.shape[:2], np.uint8)
        kind = rng.random()
        if kind < 0.12:
            alpha[6:-6, 6:-6] = 255  # a picture on a wall
        else:
            grown = float(rng.uniform(1.0, 1.5))
            ring = middle + (mesh[OVAL, :2] - middle) * (grown, grown * float(rng.uniform(1, 1.15)))
            cv2.fillPoly(alpha, [cv2.convexHull(np.round(ring).astype(np.int32))], 255)
            soft = float(rng.uniform(0.5, 6))
            alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), soft), np.uint8)
        alpha, certain = as_seen(alpha, middle, height, rng)
        matrix = squeezed(matrix, middle, rng)
        self._lay(image, alpha, matrix)
        self._note(middle, height, matrix, SHALL if certain else MAY)
        if rng.random() < HANDS:
            self._hands_near(matrix, middle, height, skin)

    def _hands_near(self, matrix: Floats, middle: Floats, height: float, skin: Floats) -> None:
        """Hands, fists and arms of the same skin below or beside a head."""
        rng = self._rng
        for _ in range(1 if rng.random() < 0.6 else 2):
            angle = rng.uniform(0, np.pi) if rng.random() < 0.75 else rng.uniform(0, 2 * np.pi)
            at = middle + height * rng.uniform(1, 2.6) * np.array([np.cos(angle), np.sin(angle)], np.float32)
            tall = height * float(np.exp(rng.normal(0.1, 0.2)))
            self._lay_solid(_one_of(self._limbs.hands, rng), matrix, at, tall, skin)

    def _lay_solid(self, solid: Solid, matrix: Floats, at: Floats, height: float, skin: Floats) -> None:
        """Lay a solid with its origin at a place of what ``matrix`` lays, its unit as long as ``height`` there."""
        rng = self._rng
        cloth = rng.uniform(0, 255, 3) ** 1.15 * 0.6
        clothes = cloth if rng.random() < 0.6 else print_on_cloth(self._portraits, cloth, SIDE, rng)
        own = skin * float(np.exp(rng.normal(0, 0.12))) * np.exp(rng.normal(0, 0.04, 3))
        scale = height / solid.unit
        linear = matrix[:, :2] * scale
        if rng.random() < 0.5:
            linear = linear * np.array([-1, 1], np.float32)
        moved = np.column_stack([linear, matrix[:, :2] @ at + matrix[:, 2] - linear @ solid.origin])
        self._lay(solid.coloured(own, clothes), solid.alpha, moved.astype(np.float32))

    def _limb(self) -> None:
        """A hand, an arm, a trunk without its head, or a ball, of any size and at any place."""
        rng, limbs = self._rng, self._limbs
        kind = rng.random()
        solids = limbs.hands if kind < 0.7 else limbs.trunks if kind < 0.85 else limbs.balls
        size = float(np.exp(rng.uniform(np.log(10), np.log(220)))) * (0.45 if kind >= 0.7 else 1)
        matrix = self._place(1.0, np.zeros(2), self._where(size), 1.0)
        self._lay_solid(_one_of(solids, rng), matrix, np.zeros(2, np.float32), size, self._skin())

    def _body(self, matrix: Floats, middle: Floats, height: float) -> None:
        """Shoulders below the head, of some cloth."""
        rng = self._rng
        reach, neck, drop = rng.uniform(0.7, 1.5) * height, rng.uniform(0.2, 0.35) * height, rng.uniform(0.5, 0.75)
        x, y = middle[0], middle[1] + drop * height
        corners = [(-neck, -0.3 * height), (neck, -0.3 * height), (reach, 0.3 * height), (1.1 * reach, 2 * height),
                   (-1.1 * reach, 2 * height), (-reach, 0.3 * height)]  # fmt: skip
        points = np.array(corners, np.float32) + np.array([x, y], np.float32)
        points = transform(matrix, points)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(mask, [np.round(np.clip(points, -4000, 4000) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        x, y, width, height_ = cv2.boundingRect(mask)
        if width and height_:
            cloth = patch(self._portraits, height_, width, rng)
            self._blend(cloth, mask[y : y + height_, x : x + width], x, y)

    def _decoy(self) -> None:
        """Something that is no head: cloth, leaves, arms, walls, in the same shapes and with the same edges."""
        rng = self._rng
        side = float(np.exp(rng.uniform(np.log(6), np.log(200))))
        width, height = (max(4, round(length)) for length in (side, side * float(np.exp(rng.normal(0, 0.25)))))
        picture, alpha = scrap(self._portraits, height, width, self._skin, rng)
        lure = self._lure(height, width, OF_DECOYS)
        if lure is not None:
            picture = lure
        elif rng.random() < ROUND:
            picture, alpha = round_thing(height, width, rng)
        x = int(rng.integers(-width // 2, WIDTH - width // 2))
        y = int(rng.integers(-height // 2, HEIGHT - height // 2))
        self._blend(picture, alpha, x, y)

    def _skin(self) -> Floats:
        return self._views.cheek(int(self._rng.integers(len(self._views))))

    def _things_in_front(self) -> None:
        """Bars before everything, or something before a part of one face."""
        rng = self._rng
        if rng.random() < 0.3:
            put_bars(self._canvas, rng)
            return
        for head in self._heads:
            if rng.random() < 0.5:
                continue
            x, y, height = head[:3]
            share = float(rng.uniform(0.25, 0.55))
            angle = float(rng.choice([90.0, 90.0, rng.uniform(0, 360)]))
            turn = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
            centre = np.array([x, y]) + turn * height * (0.55 - share / 2)
            box = cv2.boxPoints(((float(centre[0]), float(centre[1])), (share * height, 1.3 * height), angle))
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.fillPoly(mask, [np.round(box * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
            left, top, width, tall = cv2.boundingRect(mask)
            if rng.random() < 0.4:
                size = share * height / HAND * float(rng.uniform(0.7, 1.1))
                matrix = self._place(1.0, np.zeros(2), centre + turn * 0.1 * height, 1.0)
                self._lay_solid(_one_of(self._limbs.hands, rng), matrix, np.zeros(2, np.float32), size, self._skin())
            elif width and tall:
                cloth = patch(self._portraits, tall, width, rng)
                if rng.random() < 0.4:
                    cloth[:] = rng.uniform(0, 255, 3)
                self._blend(cloth, mask[top : top + tall, left : left + width], left, top)

    def _where(self, height: float) -> Floats:
        """Where a face of this height comes to lie; at times half out of the picture."""
        margin = 0.25 * height if self._rng.random() < 0.2 else -0.3 * height
        low = np.minimum(-margin, (WIDTH / 3, HEIGHT / 3))
        high = np.maximum((WIDTH + margin, HEIGHT + margin), (WIDTH / 1.5, HEIGHT / 1.5))
        return self._rng.uniform(low, high).astype(np.float32)

    def _place(self, scale: float, middle: Floats, to: Floats, squeeze: float, roll: float | None = None) -> Floats:
        """(2, 3): ``middle`` comes to ``to``, turned by ``roll`` degrees; None: upright or turned by any angle."""
        rng = self._rng
        if roll is None:
            roll = rng.normal(0, 12) if rng.random() < 0.5 else rng.uniform(0, 360)
        cosine, sine = np.cos(np.radians(roll)), np.sin(np.radians(roll))
        flip = -1 if rng.random() < 0.5 else 1
        linear = scale * np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([flip * squeeze, 1.0])
        return np.column_stack([linear, np.asarray(to) - linear @ np.asarray(middle)]).astype(np.float32)

    def _lay(self, image: Bytes, alpha: Bytes, matrix: Floats) -> None:
        """Warp ``image`` onto the canvas, averaged where it shrinks."""
        matrix = matrix.copy()
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        while scale < 0.6 and min(image.shape[:2]) > 8:
            image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
            alpha = np.asarray(cv2.resize(alpha, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
            matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5], np.float32)
            matrix[:, :2] *= 2
            scale *= 2
        rows, columns = image.shape[:2]
        corners = transform(matrix, np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32))
        x1, y1 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
        x2, y2 = np.minimum(np.ceil(corners.max(0)).astype(int), (WIDTH, HEIGHT))
        if x2 <= x1 or y2 <= y1:
            return
        matrix[:, 2] -= (x1, y1)
        size = (int(x2 - x1), int(y2 - y1))
        self._blend(warped(image, matrix, size), warped(alpha, matrix, size, zero=True), int(x1), int(y1))

    def _blend(self, picture: Bytes, alpha: Bytes, x: int, y: int) -> None:
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + picture.shape[1], WIDTH), min(y + picture.shape[0], HEIGHT)
        if x2 <= x1 or y2 <= y1:
            return
        part = (slice(y1 - y, y2 - y), slice(x1 - x, x2 - x))
        below = self._canvas[y1:y2, x1:x2]
        share = alpha[part][..., None].astype(np.float32) / 255
        below[:] = (below + (picture[part].astype(np.float32) - below) * share).astype(np.uint8)
        for head in self._heads:
            left, top = (round(head[k] - head[2] / 2) for k in (0, 1))
            right, bottom = max(round(left + head[2]), left + 1), max(round(top + head[2]), top + 1)
            over = share[max(top - y1, 0) : max(bottom - y1, 0), max(left - x1, 0) : max(right - x1, 0)]
            if float(over.sum()) > MOST_HIDDEN * (right - left) * (bottom - top):
                head[3] = MAY

    def _note(self, middle: Floats, height: float, matrix: Floats, kind: float = SHALL) -> None:
        """Remember a head; those behind it may be found or not, but one that looks out beside it shall."""
        x, y = (matrix[:, :2] @ np.asarray(middle, np.float32) + matrix[:, 2]).tolist()
        tall = height * float(np.linalg.norm(matrix[:, 1]))
        for head in self._heads:
            if np.hypot(head[0] - x, head[1] - y) < BEHIND * tall:
                head[3] = MAY
        far = max(-x, -y, x - WIDTH, y - HEIGHT)
        if far < 0.6 * tall:
            self._heads.append([x, y, tall, kind if far < 0.25 * tall else MAY])


def _one_of(solids: list[Solid], rng: np.random.Generator) -> Solid:
    return solids[int(rng.integers(len(solids)))]


def _flip(picture: Bytes, heads: Floats, sideways: bool, over: bool) -> tuple[Bytes, Floats]:
    heads = heads.copy()
    if sideways:
        picture, heads[:, 0] = picture[:, ::-1], picture.shape[1] - heads[:, 0]
    if over:
        picture, heads[:, 1] = picture[::-1], picture.shape[0] - heads[:, 1]
    return np.ascontiguousarray(picture), heads
