"""Training samples: faces in even light on the chart, the same in other light, and the log of that light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import open_models
from rtswap.networks.photo_light import OFFSET
from rtswap.source.portrait import find_landmarks
from rtswap.swappers.mesh.light import skin_light
from rtswap.swappers.mesh.ratios import AROUND
from rtswap.swappers.mesh.uv_chart import COARSE, features, inwards, to_chart
from rtswap.training.pictures import as_jpeg, read_picture
from rtswap.training.workers import Sample
from rtswap.vision.pose import pose_of
from rtswap.vision.resample import blurred, resized
from training.arrays import Bytes, Floats
from training.landmarks.teacher import is_validation
from training.people import is_usable
from training.photo_light.lamps import Head, Lamp, random_direction
from training.photo_light.patterns import random_pattern

MOST_TURN_DEG = 22.0
"""Of the heads that are learnt from: the other half is hidden beyond."""
EVENEST = 0.45
"""Share of the pictures that counts as evenly lit."""
HEADS, LAMPS = 48, 24
"""Shapes that lamps shine on, and lamps for each."""
COUNTS, COUNT_SHARES = (0, 1, 2, 3), (0.1, 0.6, 0.25, 0.05)
"""Lamps beside the light from everywhere."""
EXPOSED = 0.4, 0.9
"""Share of the face that is darker than what the camera exposes for."""
LEAST_FACING = 0.15
"""How squarely a camera must have seen a texel that counts."""
MOST = 2.5
"""Largest log of light that counts: what is darker is black in any light."""
GAMMA = 2.2


class Chart(NamedTuple):
    """One picture of a face."""

    texture: Bytes
    """(128, 128, 3)"""
    seen: Bytes
    """(128, 128) 255 where it was seen."""


@dataclass(frozen=True)
class Lit:
    """What batches are made from. See ``rtswap.training.workers.Source``."""

    charts: Sequence[Chart]
    lamps: Sequence[Lamp]
    batch: int

    def batches(self, seed: int) -> Iterator[Sample]:
        """(N, 128, 128, 3) textures, (N, 128, 128, 3) float16 logs of their light, (N, 128, 128) where it counts."""
        rng = np.random.default_rng(seed)
        while True:
            rows = [self.one(rng) for _ in range(self.batch)]
            yield tuple(np.stack(part) for part in zip(*rows, strict=True))

    def one(self, rng: np.random.Generator) -> tuple[Bytes, np.ndarray, Bytes]:
        chart = self.charts[int(rng.integers(len(self.charts)))]
        texture, seen = chart
        if rng.random() < 0.5:
            texture, seen = texture[:, ::-1], seen[:, ::-1]
        plain = _developed(texture, rng)
        light, shine = random_light(self.lamps, rng)
        lit = np.clip((plain**GAMMA * light + shine) * np.exp(rng.normal(0, 0.15)), 0, 1) ** (1 / GAMMA)
        truth = np.log((255 * lit + OFFSET) / (255 * plain + OFFSET))
        picture = _filmed(lit, rng)
        return picture, np.clip(truth, -MOST, MOST).astype(np.float16), np.ascontiguousarray(seen)


def random_light(lamps: Sequence[Lamp], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Factors (128, 128, 3) of linear light, about 1, and gloss (128, 128, 3) in addition."""
    count = int(rng.choice(COUNTS, p=COUNT_SHARES))
    light, gloss = np.ones((COARSE, COARSE, 3), np.float32), np.zeros((COARSE, COARSE, 3), np.float32)
    if not count:
        return light, gloss
    light *= float(np.exp(rng.uniform(np.log(0.03), np.log(0.6)))) * _colour(rng)
    if rng.random() < 0.5:
        slow = cv2.resize(
            rng.normal(0, 0.35, (4, 4)).astype(np.float32), (COARSE, COARSE), interpolation=cv2.INTER_CUBIC
        )
        light *= np.exp(slow)[..., None]
    for _ in range(count):
        lamp = lamps[int(rng.integers(len(lamps)))]
        flip = rng.random() < 0.5
        shade, shine = (one[:, ::-1] if flip else one for one in lamp)
        seen = random_pattern(rng) if rng.random() < 0.6 else np.ones((COARSE, COARSE), np.float32)
        soft = float(np.exp(rng.uniform(np.log(0.5), np.log(5))))
        strength, colour = rng.uniform(0.3, 1.0), _colour(rng)
        light += (strength * cv2.GaussianBlur(shade, (0, 0), soft) * seen)[..., None] * colour
        if rng.random() < 0.6:
            bright = rng.uniform(0, 0.35) * shine ** np.exp(rng.uniform(np.log(4), np.log(60)))
            gloss += (strength * bright * seen)[..., None] * colour
    exposure = np.float32(np.quantile(light[inwards() > 0], rng.uniform(*EXPOSED)))
    return light / exposure, gloss / exposure


def _colour(rng: np.random.Generator) -> Floats:
    """Of a lamp, (3,) with mean 1: white, warm or cold; in one of seven cases any."""
    colour = np.exp(rng.normal(0, 0.6 if rng.random() < 0.15 else 0.1, 3))
    return np.asarray(colour / colour.mean(), np.float32)


def _developed(texture: Bytes, rng: np.random.Generator) -> Floats:
    """The texture 0..1 in another exposure, white balance, contrast and saturation; grey at times."""
    picture = texture.astype(np.float32) * np.float32(1 / 255)
    grey = picture.mean(2, keepdims=True)
    colourful = 0.0 if rng.random() < 0.06 else float(np.exp(rng.normal(0, 0.2)))
    picture = np.clip(grey + colourful * (picture - grey), 0, 1)
    picture = picture ** np.float32(np.exp(rng.normal(0, 0.2)))
    balance = np.exp(rng.normal(-0.1, 0.2) + rng.normal(0, 0.06, 3)).astype(np.float32)
    return np.asarray(np.clip(picture * balance, 0, 1), np.float32)


def _filmed(lit: Floats, rng: np.random.Generator) -> Bytes:
    picture = 255 * lit
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.5:
        picture = picture + rng.normal(0, rng.uniform(0, 5), picture.shape)
    found = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    return as_jpeg(found, int(rng.integers(40, 95))) if rng.random() < 0.3 else found


def load_charts(faces: Path, portraits: Path, cache: Path) -> tuple[list[Chart], list[Chart], list[Floats]]:
    """The evenly lit pictures to learn from, those of people kept out, and all frontal meshes (468, 3). Found once,
    kept in ``cache``."""
    if not cache.exists():
        found = [(name, *_unrolled(image, mesh), mesh) for name, image, mesh in _pictures(faces, portraits)]
        names, textures, seen, meshes = (np.stack(part) for part in zip(*found, strict=True))
        np.savez(cache, names=names, textures=textures, seen=seen, meshes=meshes)
    with np.load(cache) as data:
        names, textures, seen, meshes = (data[name] for name in ("names", "textures", "seen", "meshes"))
    uneven = unevenness([_shades(texture, one) for texture, one in zip(textures, seen, strict=True)])
    even = uneven <= np.quantile(uneven, EVENEST)
    kept_out = np.array([is_validation(str(name)) for name in names])
    taught, others = (
        [Chart(textures[row], seen[row]) for row in np.flatnonzero(even & part)] for part in (~kept_out, kept_out)
    )
    return taught, others, list(meshes[~kept_out])


def open_lamps(meshes: Sequence[Floats], rng: np.random.Generator) -> list[Lamp]:
    """Lamps on some of the heads ``meshes`` (468, 3)."""
    rows = rng.choice(len(meshes), HEADS)
    return [head.under(random_direction(rng)) for head in (Head(meshes[row]) for row in rows) for _ in range(LAMPS)]


def _pictures(faces: Path, portraits: Path) -> Iterator[tuple[str, Bytes, Floats]]:
    """Name, picture and mesh (468, 3) of all frontal faces."""
    with np.load(faces / "faces.npz") as data:
        names, meshes = [str(name) for name in data["name"]], data["mesh468"].astype(np.float32)
    for name, mesh in zip(names, meshes, strict=True):
        if is_usable(name) and _is_frontal(mesh):
            yield name, read_picture(faces / name), mesh
    models = open_models(Config(), on_event=lambda text: None)
    for path in sorted(portraits.glob("*.jpg")):
        picture = read_picture(path)
        for one in models.still_detector.detect(picture)[:1]:
            mesh = find_landmarks(models.landmarks, picture, one.keypoints)
            if _is_frontal(mesh):
                yield path.name, picture, mesh


def _is_frontal(mesh: Floats) -> bool:
    pose = pose_of(mesh)
    return max(abs(pose.yaw), abs(pose.pitch)) <= MOST_TURN_DEG


def _unrolled(picture: Bytes, mesh: Floats) -> Chart:
    image, facing = to_chart(picture, mesh)
    texture = np.asarray(resized(image, (COARSE, COARSE), cv2.INTER_AREA), np.uint8)
    return Chart(texture, np.asarray(255 * ((facing > LEAST_FACING) & (inwards() > -0.05)), np.uint8))


def _shades(texture: Bytes, seen: Bytes) -> Floats:
    """Broad log lightness relative to the surroundings, (128, 128)."""
    skin = np.asarray((inwards() > 0) * (seen / np.float32(255)), np.float32)
    around, _ = skin_light(texture.astype(np.float32), skin, AROUND)
    logs = np.log((texture + np.float32(OFFSET)) / (around + np.float32(OFFSET))).mean(2)
    return np.asarray(blurred(np.asarray(logs, np.float32), 2.0) * skin, np.float32)


def unevenness(shades: Sequence[Floats]) -> Floats:
    """(N,) how much shades (128, 128) differ from those of all others and from their own mirror images, beside
    features."""
    rows = np.stack(shades)
    skin = (inwards() > 0.1) & (features() < 0.1)
    usual = np.median(rows, axis=0)
    usual = (usual + usual[:, ::-1]) / 2
    apart = np.abs(rows - usual)[:, skin].mean(1) + np.abs(rows - rows[:, :, ::-1])[:, skin].mean(1)
    return np.asarray(apart, np.float32)
