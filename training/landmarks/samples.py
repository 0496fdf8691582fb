"""Training samples: a view, cut out as a tracker would have cut it, with whatever a camera adds; and its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtswap.networks.landmarks import place
from rtswap.training.workers import Sample
from rtswap.vision.geometry import canonical, composed, flipping, transform
from rtswap.vision.resample import warped
from training.arrays import Bytes, Floats
from training.camera import Camera, degrade, noise_bank
from training.landmarks.network import SIZE
from training.landmarks.occluders import glasses, occlude
from training.landmarks.views import Views, random_view

NO_FACE_SHARE = 0.07
ORIGINALS_SHARE = 0.35
"""How often the picture is taken as it is, beside its turn among the rendered views."""
OCCLUDERS = (0.50, 0.38, 0.12)
"""How often nothing, one thing, two things are before the face."""
RENEW_EVERY = 50
"""Shots per view that a pool's worker renders anew."""


class Batch(NamedTuple):
    crops: Bytes
    """(N, S, S, 3) BGR"""
    points: Floats
    """(N, 468, 3) crop pixels; the frame of a face that is not there is not to be used"""
    visible: Floats
    """(N, 468) 0 or 1"""
    present: Floats
    """(N,) 0 or 1"""

    def first(self, count: int) -> Batch:
        return Batch(*(part[:count] for part in self))


@dataclass(frozen=True)
class Shots:
    """What batches are made from: crops, points, visible, present. See ``training.batches.PoolSource``."""

    size: ClassVar[int] = SIZE
    at_least: ClassVar[int] = 4096
    draws: ClassVar[float] = 6.0
    views: Views
    covered: tuple[float, float, float]
    """How often nothing, one thing, two things are before the face."""
    batch: int
    fresh: bool = False
    """Whether no sample comes twice."""

    def batches(self, seed: int) -> Iterator[Sample]:
        made = Sampler(self.views, seed, self.covered).batches(self.batch)
        return made if self.fresh else replay(made, seed)

    def samples(self, seed: int) -> Iterator[Sample]:
        cv2.setNumThreads(1)
        sampler, count = Sampler(self.views.writable(), seed, self.covered), 0
        while True:
            crop, points, visible, present = sampler.shot()
            yield crop, points, visible.astype(np.uint8), np.array(present, np.uint8)
            count += 1
            if count % RENEW_EVERY == 0:
                sampler.renew()

    def finish(self, parts: list[Tensor], camera: Camera) -> list[Tensor]:
        """Half of the shots mirrored, all filmed."""
        crops, points, visible, present = parts
        half, mirror = len(crops) // 2, torch.from_numpy(canonical().mirror).to(crops.device)
        turned = points[:half, mirror]
        turned[..., 0] = SIZE - 1 - turned[..., 0]
        points = torch.cat([turned, points[half:]])
        visible = torch.cat([visible[:half, mirror], visible[half:]])
        crops = torch.cat([crops[:half].flip(2), crops[half:]])
        return [camera(crops), points, visible.float(), present.float()]


def jitter(matrix: Floats, size: int, rng: np.random.Generator) -> Floats:
    """``matrix`` as a tracker would have placed it: mostly a little off, sometimes much, rarely far off."""
    kind = rng.random()
    if kind < 0.65:
        shift, scale, roll = rng.normal(0, 0.025, 2), np.exp(rng.normal(0, 0.04)), rng.normal(0, 4)
    elif kind < 0.97:
        shift, scale, roll = rng.uniform(-0.12, 0.12, 2), np.exp(rng.uniform(-0.24, 0.26)), rng.uniform(-25, 25)
    else:
        shift, scale, roll = rng.uniform(-0.22, 0.22, 2), np.exp(rng.uniform(-0.45, 0.4)), rng.uniform(-50, 50)
    return move(matrix, size, shift, float(scale), float(roll))


def move(matrix: Floats, size: int, shift: NDArray[np.float64], scale: float, roll: float) -> Floats:
    """``matrix`` followed by a turn of ``roll`` degrees, a zoom by ``scale`` and a shift in crop sides."""
    change = np.asarray(cv2.getRotationMatrix2D((size / 2, size / 2), roll, scale), np.float64)
    change[:, 2] += shift * size
    return np.asarray(composed(change, matrix), np.float32)


class Sampler:
    """Endless random samples from a cache of views."""

    def __init__(self, views: Views, seed: int, covered: tuple[float, float, float] = OCCLUDERS) -> None:
        self._views, self._covered = views, covered
        self._matrices = [place(mesh, SIZE) for mesh in views.meshes]
        self._rng = np.random.default_rng(seed)
        self._bank = noise_bank(self._rng, SIZE + 16)

    def batches(self, count: int) -> Iterator[Batch]:
        while True:
            crops = np.empty((count, SIZE, SIZE, 3), np.uint8)
            points, visible = np.zeros((count, 468, 3), np.float32), np.zeros((count, 468), np.float32)
            present = np.ones(count, np.float32)
            for i in range(count):
                crop, points[i], visible[i], present[i] = self.shot()
                crops[i] = degrade(crop, self._bank, self._rng)
            yield Batch(crops, points, visible, present)

    def shot(self) -> tuple[Bytes, Floats, Floats, float]:
        """One sample as it is before the camera; in the order of ``Batch``."""
        if self._rng.random() < NO_FACE_SHARE:
            nowhere = np.full((468, 3), SIZE / 2, np.float32) + np.arange(3, dtype=np.float32) - 1
            return self._no_face(), nowhere, np.zeros(468, np.float32), 0.0
        return (*self._face(), 1.0)

    def renew(self) -> None:
        """Render one view anew, with another turn and expression. For views that may be written to."""
        views, rng = self._views, self._rng
        person, turn = int(rng.integers(views.people)), int(rng.integers(1, len(views) // views.people))
        view = random_view(views.images[person], views.meshes[person], rng)
        view.mesh[:, 2] -= view.mesh[:, 2].mean()
        matrix, row = place(view.mesh, SIZE), turn * views.people + person
        if matrix is not None:
            views.images[row], views.meshes[row], views.visible[row] = view.image, view.mesh, view.visible
            self._matrices[row] = matrix

    def _face(self) -> tuple[Bytes, Floats, Floats]:
        rng, size = self._rng, SIZE
        view = int(rng.integers(self._views.people if rng.random() < ORIGINALS_SHARE else len(self._views)))
        image, mesh = self._views.images[view], self._views.meshes[view]
        visible = self._views.visible[view].astype(np.float32)
        if rng.random() < 0.06:
            image, inside = _cut_off(image, mesh, rng)
            visible = visible * inside
        matrix = self._matrices[view]
        assert matrix is not None
        matrix = jitter(matrix, size, rng)
        flip = rng.random() < 0.5
        if flip:
            matrix = composed(flipping(size), matrix)
        crop = warped(image, matrix, (size, size))
        points = transform(matrix, mesh)
        if flip:
            points, visible = points[canonical().mirror], visible[canonical().mirror]
        if rng.random() < 0.07:
            glasses(crop, points, rng)
        for _ in range(int(rng.choice([0, 1, 2], p=self._covered))):
            self._occlude(crop, points, visible)
        outside = ((points[:, :2] < 0) | (points[:, :2] > size - 1)).any(axis=1)
        visible[outside] = 0
        return crop, points, visible

    def _occlude(self, crop: Bytes, points: Floats, visible: Floats) -> None:
        scrap = self._views.scrap(SIZE, self._rng)
        occlude(crop, points, visible, scrap, self._views.cheek(int(self._rng.integers(len(self._views)))), self._rng)

    def _no_face(self) -> Bytes:
        """Background, hair, clothes, a cheek without its face, a face all but out of the crop, noise, hands."""
        rng, size = self._rng, SIZE
        view = int(rng.integers(len(self._views)))
        image = self._views.images[view]
        kind = rng.random()
        matrix = self._matrices[view]
        assert matrix is not None
        if kind < 0.3:
            away = rng.uniform(0, 2 * np.pi)
            offset = rng.uniform(0.72, 1.0) * np.array([np.cos(away), np.sin(away)])
            matrix = move(matrix, size, offset, float(rng.uniform(0.8, 1.2)), float(rng.uniform(-30, 30)))
            picture = warped(image, matrix, (size, size))
        elif kind < 0.8:
            side = int(rng.integers(14, 52))
            x, y = rng.integers(0, 256 - side, 2)
            if rng.random() < 0.6:
                x = int(rng.choice([rng.integers(0, 12), 256 - side - rng.integers(0, 12)]))
            picture = cv2.resize(image[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_LINEAR)
        elif kind < 0.9:
            grid = rng.uniform(0, 255, (int(rng.integers(1, 9)), int(rng.integers(1, 9)), 3)).astype(np.float32)
            how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_NEAREST]))
            picture = cv2.resize(grid, (size, size), interpolation=how)
        else:
            grain = rng.uniform(2, 60) * self._bank[0, :size, :size]
            picture = np.clip(rng.uniform(0, 255) + grain, 0, 255)
        crop = np.asarray(picture).astype(np.uint8)
        nothing = np.full((468, 3), size / 2, np.float32) + rng.normal(0, size / 5, (468, 3)).astype(np.float32)
        if rng.random() < 0.4:
            self._occlude(crop, nothing, np.zeros(468, np.float32))
        return crop


def replay(batches: Iterator[Batch], seed: int, keep: int = 120) -> Iterator[Batch]:
    """Every batch twice, the second time mirrored and some ``keep`` batches later: cutting is dear too."""
    rng = np.random.default_rng(seed)
    waiting: list[Batch] = []
    for batch in batches:
        yield batch
        waiting.append(batch)
        if len(waiting) > keep:
            yield _mirror(waiting.pop(int(rng.integers(len(waiting)))))


def _mirror(batch: Batch) -> Batch:
    mirror = canonical().mirror
    points = batch.points[:, mirror]
    points[..., 0] = batch.crops.shape[2] - 1 - points[..., 0]
    return Batch(np.ascontiguousarray(batch.crops[:, :, ::-1]), points, batch.visible[:, mirror], batch.present)


def _cut_off(image: Bytes, mesh: Floats, rng: np.random.Generator) -> tuple[Bytes, Floats]:
    """The picture as if the frame had ended across the face: its last row or column repeated. And who is inside."""
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    side, depth = int(rng.integers(4)), float(rng.uniform(0.05, 0.5))
    axis = side % 2
    line = low[axis] + depth * (high - low)[axis] if side < 2 else high[axis] - depth * (high - low)[axis]
    at = int(np.clip(line, 1, image.shape[0] - 2))
    kept = [slice(None), slice(None)]
    kept[1 - axis] = slice(at, None) if side < 2 else slice(None, at)
    part = image[kept[0], kept[1]]
    rest = image.shape[0] - part.shape[1 - axis]
    before, after = (rest, 0) if side < 2 else (0, rest)
    top, left = ((before, after), (0, 0)) if axis == 1 else ((0, 0), (before, after))
    whole = cv2.copyMakeBorder(part, *top, *left, cv2.BORDER_REPLICATE)
    inside = mesh[:, axis] >= at if side < 2 else mesh[:, axis] < at
    return np.asarray(whole, np.uint8), inside.astype(np.float32)
