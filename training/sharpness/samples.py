"""Faces, and the same as a swapper of low resolution would draw them: they are made smaller by 1.3 to 4,
disturbed, and enlarged again.

The two versions of a sample differ in all that differs between two frames of a film: where the pixels of the small
picture lie, and its noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.training.pictures import as_jpeg, read_picture
from rtswap.training.workers import Sample
from rtswap.vision.resample import warped
from training.arrays import Bytes, Floats
from training.heads.portraits import load_or_find
from training.landmarks.teacher import is_validation
from training.people import is_usable

PATCH, MARGIN = 128, 16
"""Side of a sample in pixels, and what is made around it and cut off."""
WHOLE = PATCH + 2 * MARGIN
SHARP = 0.15
"""Share of the samples that lack nothing."""


class Face(NamedTuple):
    """A picture (H, W) of luma, the box of its face (x1, y1, x2, y2), and the smallest scale to learn from it."""

    luma: Bytes
    box: Floats
    least: float


class Look(NamedTuple):
    """How a swapper's resolution and its enlarging change pictures."""

    factor: float
    """Pixels of the picture per pixel of the swapper; 1: nothing is changed."""
    softness: float
    """Sigma of the blur in the swapper's pixels."""
    noise: float
    """Standard deviation of the noise in levels, in the swapper's pixels."""
    chess: float
    """Levels of a pattern of two pixels, as transposed convolutions and shuffled pixels leave it."""
    jpeg: int
    """Quality with which the small picture was compressed; 0: it was not."""
    how: int
    """OpenCV's interpolation of the enlarging."""


@dataclass(frozen=True)
class Faces:
    """What batches are made from. See ``rtswap.training.workers.Source``."""

    kinds: list[list[Face]]
    batch: int

    def batches(self, seed: int) -> Iterator[Sample]:
        """(2N, 128, 128) degraded luma, two versions of each in the order of ``losses``, and (N, 128, 128) truth."""
        rng = np.random.default_rng(seed)
        while True:
            rows = [sample(self.kinds, rng) for _ in range(self.batch)]
            yield np.stack([row[0][k] for k in range(2) for row in rows]), np.stack([row[1] for row in rows])


def load_faces(faces: Path, portraits: Path, cache: Path, *, kept_out: bool) -> list[list[Face]]:
    """All usable small pictures and all portraits of people to learn from, or of those ``kept_out``. Raises
    FileNotFoundError."""
    with np.load(faces / "faces.npz") as data:
        names, meshes = [str(name) for name in data["name"]], data["mesh468"].astype(np.float32)[..., :2]
    boxes = np.concatenate([meshes.min(1), meshes.max(1)], 1)
    small = [
        Face(_grey(read_picture(faces / name)), box, 0.85)
        for name, box in zip(names, boxes, strict=True)
        if is_usable(name) and is_validation(name) == kept_out
    ]
    known = load_or_find(portraits, cache)
    large = [
        Face(_grey(picture), rows[0], 0.6)
        for number, (picture, rows) in enumerate(zip(known.pictures, known.boxes, strict=True))
        if is_validation(f"portrait {number}") == kept_out
    ]
    return [small, large]


def sample(kinds: list[list[Face]], rng: np.random.Generator, look: Look | None = None) -> tuple[list[Bytes], Bytes]:
    """Two degraded versions of a random place in a random face, and the truth, (128, 128) luma each. ``kinds``: lists
    of faces; every second sample comes from the last, and the others from all alike."""
    some = kinds[-1] if rng.random() < 0.5 else kinds[int(rng.integers(len(kinds)))]
    truth = light(view(some[int(rng.integers(len(some)))], rng), rng)
    look = look or random_look(rng)
    inner = slice(MARGIN, MARGIN + PATCH)
    return [degrade(truth, look, rng)[inner, inner] for _ in range(2)], truth[inner, inner]


def view(face: Face, rng: np.random.Generator) -> Bytes:
    """(160, 160) from somewhere in the face, made smaller or as it is, at times mirrored."""
    scale = rng.uniform(face.least, 1.0)
    low, high = face.box[:2], face.box[2:]
    middle = low + (high - low) * rng.uniform(0.2, 0.8, 2)
    left, top = middle - WHOLE / 2 / scale
    height, width = face.luma.shape
    x, y = (int(np.clip(at, 0, max(0, side - WHOLE / scale))) for at, side in ((left, width), (top, height)))
    side = int(np.ceil(WHOLE / scale))
    part = face.luma[y : y + side, x : x + side]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = np.asarray(cv2.resize(part, (WHOLE, WHOLE), interpolation=how), np.uint8)
    return np.ascontiguousarray(seen[:, ::-1]) if rng.random() < 0.5 else seen


def light(luma: Bytes, rng: np.random.Generator) -> Bytes:
    """Make a picture darker or lighter, with the contrast of an evening or of a lamp."""
    shown = luma.astype(np.float32) * rng.uniform(0.4, 1.1) + rng.uniform(-8, 20)
    return np.asarray(np.clip(np.round(shown), 0, 255), np.uint8)


def random_look(rng: np.random.Generator) -> Look:
    if rng.random() < SHARP:
        return Look(1.0, 0.0, rng.uniform(0, 2), 0.0, 0, cv2.INTER_LINEAR)
    return Look(
        factor=float(np.exp(rng.uniform(np.log(1.3), np.log(4)))),
        softness=rng.uniform(0.2, 0.7),
        noise=rng.uniform(0, 2) if rng.random() < 0.7 else 0.0,
        chess=rng.uniform(0, 2.5) if rng.random() < 0.2 else 0.0,
        jpeg=int(rng.integers(60, 96)) if rng.random() < 0.25 else 0,
        how=cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR,
    )


def degrade(luma: Bytes, look: Look, rng: np.random.Generator) -> Bytes:
    """Degrade ``luma`` as ``look`` says, with its own noise and its own grid of pixels."""
    height, width = luma.shape
    if look.factor == 1:
        return np.asarray(np.clip(luma + rng.normal(0, look.noise, luma.shape), 0, 255), np.uint8)
    small = int(np.ceil(width / look.factor)) + 2, int(np.ceil(height / look.factor)) + 2
    corner = (look.factor - 1) / 2 - look.factor * rng.uniform(0, 1, 2)
    to_large = np.array([[look.factor, 0, corner[0]], [0, look.factor, corner[1]]])
    soft = cv2.GaussianBlur(luma, (0, 0), look.softness * look.factor)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    reduced = warped(soft, to_large, small, how=how).astype(np.float32)
    reduced += look.noise * rng.standard_normal(reduced.shape, np.float32)
    reduced += look.chess * (1 - 2 * (np.indices(reduced.shape).sum(0) % 2))
    picture = np.asarray(np.clip(np.round(reduced), 0, 255), np.uint8)
    if look.jpeg:
        picture = as_jpeg(picture, look.jpeg)
    return warped(picture, to_large, (width, height), how=look.how)


def _grey(picture: Bytes) -> Bytes:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
