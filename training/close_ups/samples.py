"""Training samples: close-ups of what the second detector takes for a head, of heads, and of what is beside them, as
``rtswap.tracking.second_look`` cuts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.heads import HeadModel
from rtswap.tracking.neighbours import SIDE, around, outline, paint_out
from rtswap.tracking.second_look import CLOSE_UP, close_up_of, equalised
from rtswap.training.workers import Sample
from rtswap.vision.boxes import side_of
from rtswap.vision.geometry import box_of
from rtswap.vision.topology import OVAL
from training.arrays import Bytes, Floats
from training.heads.portraits import Portraits
from training.heads.samples import MAY, MOST_HEADS, SHALL, Sampler
from training.landmarks.views import Views
from training.neighbours.people import Standing
from training.neighbours.samples import HARDLY, SEEN, BesideSampler

MINED = 0.15
"""Score from which the second detector's heads are looked at."""
KINDS = {"mined": 0.5, "heads": 0.25, "beside": 0.15, "anywhere": 0.1}
EVEN, PAINTED = 0.35, 0.6
"""How often a close-up is equalised, and a followed face painted out."""
LEAST_PX = 6.0


@dataclass(frozen=True)
class CloseUps:
    """What batches are made from: pictures, heads. See ``training.batches.Source``."""

    views: Views
    portraits: Portraits
    rooms: Standing
    heads: Standing
    batch: int
    detectors: tuple[Path, ...]

    def batches(self, seed: int) -> Iterator[Sample]:
        return CloseSampler(self, seed).batches(self.batch)


class CloseSampler(BesideSampler):
    """``batches``: (N, 128, 128, 3) and (N, 10, 4) as those of ``Sampler``."""

    def __init__(self, source: CloseUps, seed: int) -> None:
        super().__init__(source.views, source.portraits, source.rooms, source.heads, seed)
        self._models = [HeadModel(OnnxRuntimeEngine(path, threads=1)) for path in source.detectors]

    def one(self) -> tuple[Bytes, Floats]:
        while True:
            picture, heads, painted = self._scene()
            box = self._place_to_look_at(picture, heads)
            if box is not None and side_of(box) >= LEAST_PX:
                sample = self._close_up(picture, heads, painted, box)
                if sample is not None:
                    return sample

    def _scene(self) -> tuple[Bytes, Floats, list[Floats]]:
        """A picture; x, y, height and kind of its heads (N, 4); meshes to paint out."""
        rng, self._faces = self._rng, []
        if rng.random() < 0.5:
            picture, heads = Sampler.one(self)
            return picture, heads[heads[:, 3] > 0], []
        self._begin()
        self._put_things()
        own = self._draw_swapped_person()
        picture, _ = self._optics(self._canvas, rng)
        painted = [own.mesh] if rng.random() < PAINTED else []
        rows = []
        for face in self._faces + ([] if painted else [own]):
            for mesh in painted:
                hull = cv2.convexHull(np.round(np.clip(outline(mesh), -4000, 4000)).astype(np.int32))
                cv2.fillConvexPoly(face.seen, hull, 0)
            share = float(np.count_nonzero(face.seen)) / face.whole
            box = box_of(face.mesh)
            if share >= HARDLY:
                middle = (box[:2] + box[2:]) / 2
                rows.append([*middle, float(box[3] - box[1]), SHALL if share >= SEEN else MAY])
        return picture, np.array(rows, np.float32).reshape(-1, 4), [mesh for mesh in painted if len(mesh) > max(OVAL)]

    def _place_to_look_at(self, picture: Bytes, heads: Floats) -> Floats | None:
        rng = self._rng
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        if kind == "mined":
            found = self._models[int(rng.integers(len(self._models)))].find(picture, MINED)
            if len(found):
                return np.asarray(found[int(rng.integers(len(found))), :4], np.float32)
        if kind == "anywhere" or not len(heads):
            size = float(np.exp(rng.uniform(np.log(LEAST_PX), np.log(150))))
            return _square(rng.uniform((0, 0), picture.shape[1::-1]), size)
        x, y, height, _ = heads[int(rng.integers(len(heads)))]
        angle = rng.uniform(0, 2 * np.pi)
        away = abs(rng.normal(0, 0.12)) if kind != "beside" else rng.uniform(0.4, 1.4)
        size = height * float(np.exp(rng.normal(0, 0.2 if kind != "beside" else 0.4)))
        return _square(np.array([x, y]) + away * height * np.array([np.cos(angle), np.sin(angle)]), size)

    def _close_up(
        self, picture: Bytes, heads: Floats, painted: list[Floats], box: Floats
    ) -> tuple[Bytes, Floats] | None:
        x, y, right, _ = close_up_of(box).tolist()
        side, corner = right - x, np.array([x, y], np.float32)
        square = around(picture, corner, np.array([side, side]))
        if square is None:
            return None
        paint_out(square, [(mesh - corner) * (SIDE / side) for mesh in painted])
        if self._rng.random() < EVEN:
            square = equalised(square)
        rows = heads.copy()
        rows[:, :2] = (rows[:, :2] - corner) * (SIDE / side)
        rows[:, 2] *= SIDE / side
        rows[rows[:, 2] < 0.35 * SIDE / CLOSE_UP, 3] = MAY
        inside = (np.abs(rows[:, :2] - SIDE / 2) < SIDE / 2 + 0.6 * rows[:, 2:3]).all(1)
        out = (np.abs(rows[:, :2] - SIDE / 2) > SIDE / 2 - 0.1 * rows[:, 2:3]).any(1)
        rows[out, 3] = MAY
        rows = rows[inside][:MOST_HEADS]
        found = np.zeros((MOST_HEADS, 4), np.float32)
        found[: len(rows)] = rows
        return square, found


def _square(middle: Floats, size: float) -> Floats:
    return np.asarray([*(middle - size / 2), *(middle + size / 2)], np.float32)
