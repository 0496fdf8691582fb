"""Training samples: a strip around the eyes as the program cuts it, with or without painted glasses; where their
frames lie, and whether any are worn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.networks.glasses import HEIGHT, WIDTH, place
from rtswap.vision.geometry import transform
from rtswap.vision.resample import warped
from rtswap.vision.topology import OVAL
from training.arrays import Bytes, Floats
from training.camera import degrade, noise_bank
from training.landmarks.views import Views
from training.masks import layers, things
from training.masks.layers import fixed, lay
from training.masks.samples import as_tracked
from training.masks.spectacles import spectacles
from training.masks.worn import CLEAR, DARK

PAINTED = 0.6
"""Share of samples with painted glasses, of people who wear none."""
BEFORE = {"strands": 0.1, "fringe": 0.06, "hand": 0.06}
"""How often something else is in front of the eyes, or of the glasses."""
SMALL_SHARE, SMALLEST = 0.4, (0.2, 0.9)
"""How often a face is as if it had been 35 to 155 pixels wide in the frame: this much of the strip."""
BESIDE = 60
"""Weight of a pixel outside the face, of 255."""
AGAIN, WAITING = 3, 900
"""How often each painted sample is filmed, and how many wait for it."""


class Batch(NamedTuple):
    strips: Bytes
    """(N, 96, 192, 3) BGR"""
    frames: Bytes
    """(N, 96, 192) 255 where a frame lies, or a lens that one cannot see through"""
    weights: Bytes
    """(N, 96, 192) 255 = this answer counts, 0 = nobody knows"""
    worn: Bytes
    """(N,) 1 if glasses are worn"""


@dataclass(frozen=True)
class Strips:
    """What batches are made from."""

    views: Views
    worn: Bytes
    """(people,) what each of them wears, see ``masks.worn``."""
    traced: dict[int, Bytes]
    """Where frames lie in the strips of people who wear some, by view: 0..255 (96, 192); 128 = nobody knows."""
    batch: int

    def batches(self, seed: int) -> Iterator[Batch]:
        return Sampler(self, seed).batches()


class Sampler:
    """Endless random samples."""

    def __init__(self, source: Strips, seed: int, kind: str = "") -> None:
        """``kind``: everybody wears painted glasses of this kind, see ``spectacles``; empty: a share wears any."""
        self._source, self._rng, self._kind = source, np.random.default_rng(seed), kind
        self._bank = noise_bank(self._rng, WIDTH + 16, 24)
        wears = source.worn[np.arange(len(source.views)) % source.views.people] & (CLEAR | DARK)
        plain = np.flatnonzero(wears == 0)
        self._plain, self._wearing = plain, np.array(sorted(source.traced), int)

    def batches(self, again: int = AGAIN) -> Iterator[Batch]:
        """Every sample comes ``again`` times, mirrored or not and filmed by another camera."""
        rng, pool = self._rng, [self.one()]
        made = 1.0
        while True:
            samples = []
            for _ in range(self._source.batch):
                made += 1 / again
                while made >= 1:
                    if len(pool) >= again * WAITING // AGAIN:
                        pool.pop(int(rng.integers(len(pool))))
                    pool.append(self.one())
                    made -= 1
                samples.append(self._film(*(pool[-1] if again == 1 else pool[int(rng.integers(len(pool)))])))
            yield Batch(*(np.stack(part) for part in zip(*samples, strict=True)))

    def one(self) -> tuple[Bytes, Bytes, Bytes, Bytes]:
        """One sample as it was before the camera, square."""
        rng = self._rng
        real = len(self._wearing) > 0 and rng.random() < 0.3
        number = int(rng.choice(self._wearing if real else self._plain))
        crop, points = self._cut(number, shaken=not real)
        layers.decorate(crop, points, self._bank, rng)
        frames, weights = np.zeros((WIDTH, WIDTH), np.uint8), _weights(points)
        worn = real
        if real:
            frames, weights = self._traced(number, weights)
        elif self._kind or rng.random() < PAINTED:
            self._wear(crop, frames, points)
            worn = True
        for kind, share in BEFORE.items():
            if rng.random() < share:
                self._cover(kind, crop, weights, points)
        return crop, frames, weights, np.array(worn, np.uint8)

    def _cut(self, number: int, *, shaken: bool) -> tuple[Bytes, Floats]:
        """The square crop and the true mesh in it (468, 2)."""
        views = self._source.views
        mesh = views.meshes[number]
        matrix = place(as_tracked(mesh, self._rng) if shaken else mesh)
        assert matrix is not None
        crop = warped(np.ascontiguousarray(views.images[number]), matrix, (WIDTH, WIDTH))
        return crop, transform(matrix, mesh[:, :2])

    def _traced(self, number: int, weights: Bytes) -> tuple[Bytes, Bytes]:
        frames, known = np.zeros((WIDTH, WIDTH), np.uint8), np.zeros((WIDTH, WIDTH), np.uint8)
        traced = self._source.traced[number]
        frames[:HEIGHT] = np.where(traced > 128, 255, 0)
        known[:HEIGHT] = np.where(traced == 128, 0, 255)
        return frames, np.asarray(cv2.min(weights, known), np.uint8)

    def _wear(self, crop: Bytes, frames: Bytes, points: Floats) -> None:
        """Paint glasses. In place."""
        rng = self._rng
        made = spectacles(WIDTH, points, rng, self._kind)
        unseen = np.zeros_like(frames)
        lay(crop, unseen, made.lenses, rng)
        lay(crop, unseen, made.frame, rng)
        np.maximum(frames, made.hides, out=frames)
        if rng.random() < 0.3:
            layers.glare(crop, points, rng)

    def _cover(self, kind: str, crop: Bytes, weights: Bytes, points: Floats) -> None:
        """Paint something in front of everything; what lies there does not count. In place."""
        rng, views = self._rng, self._source.views
        if kind == "hand":
            skin = views.cheek(int(rng.integers(len(views))))
            at = points[rng.integers(len(points))]
            layer = things.hand(WIDTH, at, skin, views.scrap(WIDTH, rng, least=20), rng)
        else:
            tone = layers.hair_colour(rng.uniform(10, 200) * np.array([0.8, 0.9, 1.0]), rng)
            layer = (layers.strands if kind == "strands" else layers.fringe)(WIDTH, points, tone, rng)
        hidden = np.zeros_like(weights)
        lay(crop, hidden, layer, rng)
        np.minimum(weights, cv2.bitwise_not(hidden), out=weights)

    def _film(self, crop: Bytes, frames: Bytes, weights: Bytes, worn: Bytes) -> tuple[Bytes, Bytes, Bytes, Bytes]:
        rng = self._rng
        if rng.random() < 0.5:
            crop, frames, weights = (np.ascontiguousarray(part[:, ::-1]) for part in (crop, frames, weights))
        if rng.random() < SMALL_SHARE:
            side = int(WIDTH * rng.uniform(*SMALLEST))
            small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
            crop = np.asarray(cv2.resize(small, (WIDTH, WIDTH), interpolation=cv2.INTER_LINEAR), np.uint8)
        return degrade(crop, self._bank, rng)[:HEIGHT], frames[:HEIGHT], weights[:HEIGHT], worn


def _weights(points: Floats) -> Bytes:
    """(S, S) 255 in the face and a little beyond, less beside it."""
    face = np.zeros((WIDTH, WIDTH), np.uint8)
    cv2.fillPoly(face, [fixed(points[OVAL])], 255, cv2.LINE_8, 4)
    return np.asarray(cv2.max(cv2.dilate(face, np.ones((9, 9), np.uint8)), np.full_like(face, BESIDE)), np.uint8)
