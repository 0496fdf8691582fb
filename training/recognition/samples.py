"""Two crops of each of some people: other poses, other light, another camera, other things before the face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.networks.landmarks import place
from rtswap.training.recogniser import SIZE
from rtswap.training.workers import Sample
from rtswap.vision.geometry import composed, flipping, transform
from rtswap.vision.resample import warped
from rtswap.vision.topology import OVAL
from training.arrays import Bytes, Floats
from training.camera import degrade, noise_bank
from training.landmarks.occluders import glasses, occlude
from training.landmarks.samples import move
from training.landmarks.views import Views

OTHER_BACKGROUND = 0.6
"""How often all that is not the face comes from another picture: neither wall nor collar is the person."""


@dataclass(frozen=True)
class Pairs:
    """What batches are made from. See ``training.batches.Source``."""

    views: Views
    people: int
    """Per batch."""

    def batches(self, seed: int) -> Iterator[Sample]:
        return PairSampler(self.views, seed).batches(self.people)


class PairSampler:
    """Endless random pairs from a cache of views."""

    def __init__(self, views: Views, seed: int) -> None:
        self._views = views
        self._matrices = [place(mesh, SIZE) for mesh in views.meshes]
        self._rng = np.random.default_rng(seed)
        self._bank = noise_bank(self._rng, SIZE + 16)

    def batches(self, people: int) -> Iterator[Sample]:
        """(2P, S, S, 3) crops, two of each of P ``people``, the second ones in the order of the first; and who they
        are (P,)."""
        while True:
            chosen = self._rng.choice(self._views.people, people, replace=False)
            yield np.stack([self.crop(int(person)) for person in np.tile(chosen, 2)]), chosen

    def crop(self, person: int) -> Bytes:
        """(S, S, 3) of a random view of ``person``."""
        rng, views = self._rng, self._views
        view = person + views.people * int(rng.integers(len(views) // views.people))
        matrix = self._matrices[view]
        assert matrix is not None
        matrix = move(matrix, SIZE, rng.normal(0, 0.02, 2), float(np.exp(rng.normal(0, 0.05))), rng.normal(0, 4))
        if rng.random() < 0.5:
            matrix = composed(flipping(SIZE), matrix)
        picture = warped(views.images[view], matrix, (SIZE, SIZE))
        points = transform(matrix, views.meshes[view])
        if rng.random() < OTHER_BACKGROUND:
            picture = self._elsewhere(picture, points)
        if rng.random() < 0.05:
            glasses(picture, points, rng)
        if rng.random() < 0.15:
            occlude(
                picture,
                points,
                np.ones(468, np.float32),
                views.scrap(SIZE, rng, most=200),
                np.full(3, 120, np.float32),
                rng,
            )
        return degrade(picture, self._bank, rng)

    def _elsewhere(self, crop: Bytes, points: Floats) -> Bytes:
        mask = np.zeros(crop.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(points[OVAL, :2]).astype(np.int32)], 255)
        grown = int(self._rng.integers(1, 14))
        mask = np.asarray(
            cv2.GaussianBlur(cv2.dilate(mask, np.ones((grown, grown), np.uint8)), (0, 0), 1.2), np.uint8
        )
        share = mask[..., None].astype(np.float32) / 255
        return np.asarray(crop * share + self._views.scrap(SIZE, self._rng, most=200) * (1 - share), np.uint8)
