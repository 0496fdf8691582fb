"""Training samples: a face as the program cuts it, with things before it; and where the face can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from rtswap.networks.occlusion import SIZE, guide, place
from rtswap.training.workers import Sample
from rtswap.vision.geometry import box_of, transform
from rtswap.vision.resample import warped
from rtswap.vision.topology import OVAL
from training.arrays import Bytes, Floats
from training.camera import Camera, degrade, noise_bank
from training.landmarks.teacher import load_people
from training.landmarks.views import Views, build, colour_at
from training.masks import headwear, layers, things
from training.masks.layers import Layer, fixed, lay
from training.masks.spectacles import spectacles
from training.masks.things import Cutouts
from training.masks.worn import BARE, DARK, HEADWEAR, dark_lenses, eye_band, own_hair, surely_bare, worn_by

OUT = 64
"""Side of the network's answer."""
BOX_MARGIN = 0.12
"""What a swapper's crop shows around the mesh; beyond it the network sees the border continued."""
SMALL_SHARE, SMALLEST = 0.3, (0.235, 0.82)
"""How often a face is as if it had been 25 to 90 pixels wide in the frame: this much of the crop."""
NOTHING = 0.4
"""Share of samples with nothing painted over them."""
KINDS = {
    "hand": 0.07, "own hand": 0.08, "real hand": 0.1, "fingertips of a hand": 0.1, "cup": 0.03, "microphone": 0.04,
    "board": 0.02, "blob": 0.03, "headset": 0.03, "cover": 0.03, "strands": 0.1, "fringe": 0.05, "spectacles": 0.18,
    "scarf": 0.08, "hat": 0.06,
}  # fmt: skip


class Batch(NamedTuple):
    crops: Bytes
    """(N, 128, 128, 3) BGR"""
    guides: Bytes
    """(N, 128, 128)"""
    visible: Bytes
    """(N, 64, 64) 255 = face, 0 = something before it"""
    weights: Bytes
    """(N, 64, 64) 255 = this answer counts, 0 = nobody knows"""


@dataclass(frozen=True)
class Faces:
    """What batches are made from: crops, guides, visible, weights. See ``training.batches.PoolSource``."""

    size: ClassVar[int] = SIZE
    at_least: ClassVar[int] = 2048
    draws: ClassVar[float] = 12.0
    views: Views
    hands: Cutouts
    worn: Bytes
    batch: int

    def batches(self, seed: int) -> Iterator[Sample]:
        return Sampler(self.views, self.hands, seed, self.worn).batches(self.batch)

    def samples(self, seed: int) -> Iterator[Sample]:
        cv2.setNumThreads(1)
        sampler = Sampler(self.views, self.hands, seed, self.worn)
        while True:
            yield sampler.one()

    def finish(self, parts: list[Tensor], camera: Camera) -> list[Tensor]:
        """Half of the samples mirrored, all filmed, some of them as small faces."""
        count = len(parts[0])
        crops, guides, visible, weights = (torch.cat([p[: count // 2].flip(2), p[count // 2 :]]) for p in parts)
        near = torch.randperm(count)[: round(SMALL_SHARE * count)].to(crops.device)
        far = camera.fewer_pixels(crops[near].permute(0, 3, 1, 2).float(), *SMALLEST)
        crops[near] = far.round().to(torch.uint8).permute(0, 2, 3, 1)
        return [camera(crops), guides, visible, weights]


def open_views(faces: Path, folder: Path, *, validation: bool) -> tuple[Views, np.ndarray]:
    """Views of the people who are taught or kept out, and what each wears; rendered once into ``folder``, or
    found there where the landmark training left them with its labels."""
    labels, *groups = load_people(faces, None, folder / "labels.npz")
    people = groups[validation]
    views = build(
        faces, labels, people, *((3, folder / "views-validation") if validation else (6, folder / "views-train"))
    )
    return views, worn_by(str(name) for name in labels.names[people])


Parts = tuple[Bytes, Bytes, Bytes, Bytes]
"""Crop, guide, visible, weights of one sample."""


class Sampler:
    """Endless random samples from a cache of views."""

    def __init__(
        self,
        views: Views,
        hands: Cutouts,
        seed: int,
        worn: Bytes,
        kinds: Mapping[str, float] = KINDS,
        nothing: float = NOTHING,
    ) -> None:
        """``worn`` (people,): what each of them wears, see ``worn``. ``kinds``: shares of what is painted,
        1 together; ``nothing``: of samples with nothing painted over them."""
        self._views, self._hands, self._worn, self._kinds, self._nothing = views, hands, worn, kinds, nothing
        self._rng = np.random.default_rng(seed)
        self._bank = noise_bank(self._rng, SIZE + 16)

    def batches(self, count: int, *, again: int = 6, keep: int = 1500) -> Iterator[Batch]:
        """Every sample comes ``again`` times, mirrored or not and filmed by another camera; ``keep`` wait for it."""
        rng = self._rng
        pool: list[list[Bytes | int]] = []
        ready: list[Parts] = []
        while True:
            pool.append([*self.one(), again])
            for _ in range(again if len(pool) > keep else 1):
                where = int(rng.integers(len(pool)))
                *parts, left = pool[where]
                ready.append(self._film(*parts))  # type: ignore[arg-type]
                pool[where][4] = int(left) - 1  # type: ignore[call-overload]
                if left <= 1:  # type: ignore[operator]
                    pool.pop(where)
            if len(ready) >= count:
                yield Batch(*(np.stack(part) for part in zip(*ready[:count], strict=True)))
                del ready[:count]

    def _film(self, crop: Bytes, guide_: Bytes, visible: Bytes, weights: Bytes) -> Parts:
        if self._rng.random() < 0.5:
            crop, guide_, visible, weights = (part[:, ::-1] for part in (crop, guide_, visible, weights))
        if self._rng.random() < SMALL_SHARE:
            crop = _small_face(crop, self._rng)
        return degrade(np.ascontiguousarray(crop), self._bank, self._rng), guide_, visible, weights

    def one(self) -> Parts:
        """One sample as it was before the camera."""
        rng, views = self._rng, self._views
        number = int(rng.integers(views.people if rng.random() < 0.35 else len(views)))
        crop, points, found = self._cut(number)
        worn = int(self._worn[number % views.people])
        own, doubtful = own_hair(crop, points)
        if worn & BARE:
            own[:], doubtful[:] = 0, 0
        hidden = np.zeros((SIZE, SIZE), np.uint8)
        layers.decorate(crop, points, self._bank, rng)
        if rng.random() > self._nothing:
            for _ in range(1 if rng.random() < 0.75 else 2):
                self._cover(crop, hidden, points, number)
        weights = _weights(points, found, hidden)
        np.minimum(weights, cv2.bitwise_not(cv2.subtract(doubtful, hidden)), out=weights)
        if worn & HEADWEAR:  # how far it reaches nobody has drawn
            np.minimum(weights, cv2.max(surely_bare(SIZE, points), hidden), out=weights)
        if worn & DARK:  # how far their lenses reach nobody has drawn
            band, sure = cv2.subtract(eye_band(SIZE, points), hidden), dark_lenses(SIZE, points)
            np.minimum(weights, cv2.bitwise_not(band), out=weights)
            np.maximum(weights, sure, out=weights)
            np.maximum(hidden, sure, out=hidden)
        np.maximum(hidden, own, out=hidden)
        visible, weights = (
            np.asarray(cv2.resize(part, (OUT, OUT), interpolation=cv2.INTER_AREA), np.uint8)
            for part in (cv2.bitwise_not(hidden), weights)
        )
        return crop, guide(found), visible, weights

    def _cut(self, number: int) -> tuple[Bytes, Floats, Floats]:
        """The crop, the true mesh (468, 2) and the mesh as a tracker might have found it, both in crop pixels."""
        rng = self._rng
        image, mesh = self._views.images[number], self._views.meshes[number]
        found = as_tracked(mesh, rng)
        matrix = place(found)
        assert matrix is not None
        x1, y1, x2, y2 = np.clip(np.round(box_of(found, BOX_MARGIN)), 0, 256).astype(int)
        if x2 - x1 < 8 or y2 - y1 < 8:
            x1, y1, x2, y2 = 0, 0, 256, 256
        moved = matrix.copy()
        moved[:, 2] += matrix[:, :2] @ np.array([x1, y1])
        part = np.ascontiguousarray(image[y1:y2, x1:x2])
        crop = warped(part, moved, (SIZE, SIZE))
        return crop, transform(matrix, mesh[:, :2]), transform(matrix, found[:, :2])

    def _cover(self, crop: Bytes, hidden: Bytes, points: Floats, number: int) -> None:
        rng, size = self._rng, SIZE
        kind = str(rng.choice(list(self._kinds), p=list(self._kinds.values())))
        at = points[rng.integers(len(points))] + rng.normal(0, 0.1 * size, 2)
        scrap = self._views.scrap(size, rng, least=20)
        colour = scrap[size // 2, size // 2].astype(np.float32)
        if kind.endswith("hand"):
            own = kind == "own hand" or rng.random() < 0.5
            skin = self._skin(crop, points) if own else self._views.cheek(int(rng.integers(len(self._views))))
            layer = self._any_hand(kind, at, points, skin, scrap)
        elif kind in ("strands", "fringe"):
            tone = layers.hair_colour(self._hair(number), rng)
            layer = (layers.strands if kind == "strands" else layers.fringe)(size, points, tone, rng)
        elif kind == "spectacles":
            worn, unseen = spectacles(size, points, rng), np.zeros_like(hidden)
            lay(crop, unseen, worn.lenses, rng)
            lay(crop, unseen, worn.frame, rng)
            np.maximum(hidden, worn.opaque, out=hidden)
            if rng.random() < 0.3:
                layers.glare(crop, points, rng)
            return
        elif kind in ("scarf", "hat"):
            layer = (headwear.scarf if kind == "scarf" else headwear.hat)(size, points, scrap, rng)
        elif kind == "headset":
            layer = things.headset(size, points, rng)
        elif kind == "cover":
            layer = things.face_cover(size, points, rng)
        elif kind == "blob":
            layer = things.blob(size, at, scrap, rng)
        else:
            layer = {"cup": things.cup, "microphone": things.microphone, "board": things.board}[kind](
                size, at, colour, scrap, rng
            )
        lay(crop, hidden, layer, rng)
        if kind == "headset":
            np.maximum(hidden, _wider(layer.alpha), out=hidden)

    def _any_hand(self, kind: str, at: Floats, points: Floats, skin: Floats, scrap: Bytes) -> Layer:
        if kind.startswith("fingertips"):
            return things.fingertips(SIZE, points, skin, scrap, self._rng)
        if kind == "real hand" and len(self._hands):
            return things.real_hand(SIZE, at, skin, self._hands, self._rng)
        return things.hand(SIZE, at, skin, scrap, self._rng)

    def _skin(self, crop: Bytes, points: Floats) -> Floats:
        """(3,) this face's own tone, at a cheek or the forehead."""
        return colour_at(crop, points[int(self._rng.choice([205, 425, 151, 5, 50, 280]))])

    def _hair(self, number: int) -> Floats:
        """(3,) what is above the forehead in the view."""
        mesh = self._views.meshes[number]
        return colour_at(self._views.images[number], mesh[10, :2] + 0.12 * (mesh[10, :2] - mesh[152, :2]))


def _wider(alpha: Bytes) -> Bytes:
    """Lines, a pixel or two wide, that an answer of 2 x 2 pixels would lose hide a pixel more around."""
    return np.asarray(cv2.dilate(alpha, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))), np.uint8)


def as_tracked(mesh: Floats, rng: np.random.Generator) -> Floats:
    """``mesh`` with a tracker's errors: mostly 1 %, at times 4 % of the face's size, smooth over the face."""
    strength = float(np.exp(rng.uniform(np.log(0.004), np.log(0.04))))
    reach = float(np.ptp(mesh[:, :2], axis=0).max())
    middle = mesh[:, :2].mean(0)
    place = (mesh[:, :2] - middle) / reach
    terms = np.column_stack([np.ones(len(mesh)), place, place**2, place[:, :1] * place[:, 1:]])
    found = mesh.copy()
    found[:, :2] += (terms @ rng.normal(0, strength * reach, (6, 2))).astype(np.float32)
    return found


def _small_face(crop: Bytes, rng: np.random.Generator) -> Bytes:
    side = int(SIZE * rng.uniform(*SMALLEST))
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR), np.uint8)


def _weights(points: Floats, found: Floats, hidden: Bytes) -> Bytes:
    """Whole inside the true face, and wherever something covers the face that was found; little for things beside."""
    face, guessed = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(face, [fixed(points[OVAL])], 255, cv2.LINE_8, 4)
    cv2.fillPoly(guessed, [fixed(found[OVAL])], 255, cv2.LINE_8, 4)
    guessed = np.asarray(cv2.dilate(guessed, np.ones((7, 7), np.uint8)), np.uint8)
    covered = cv2.min(hidden, cv2.max(guessed, np.full_like(hidden, 60)))
    return np.asarray(cv2.max(face, covered), np.uint8)
