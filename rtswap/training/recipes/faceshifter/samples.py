"""Samples of many people: a face, and the same person's photo as if it were another one."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtswap.core.types import Image
from rtswap.training.crowd import Crowd, CrowdSamples, to_recogniser
from rtswap.training.layers import to_input
from rtswap.training.lessons import Lessons
from rtswap.training.triplets import Triplets
from rtswap.training.warp import Map, Variation, draw_maps, grid, placed
from rtswap.training.workers import Sample
from rtswap.vision.resample import looked_up

FACE = Variation(turn=6.0, zoom=0.06, shift=0.02, warp=0.0)
PHOTO = Variation(turn=8.0, zoom=0.08, shift=0.03, warp=0.08, cells=(2, 4))
"""A photo is warped, and the other way round than the face: else it would tell where each pixel of the face goes."""
TONE, TINT, CURVE = 0.15, 0.06, 0.2
"""Sigmas of the logarithms of a photo's brightness, of each of its colours, and of its gamma."""
TRIED = 48
"""People of a trial."""


class Batch(NamedTuple):
    """N faces that get somebody's identity; pictures BGR -1..1, on the device."""

    faces: Tensor
    """(N, 3, R, R) the targets."""
    truth: Tensor
    """(N, 3, R, R) what should come out; where that is unknown the targets."""
    masks: Tensor
    """(N, 1, R, R) 0..1 where the face can be seen."""
    known: Tensor
    """(N, 2, 3) from a face to the recogniser's crop."""
    photos: Tensor
    """(N, 3, R, R) of the sources."""
    embeddings: Tensor
    """(N, 128) of the sources."""
    own: Tensor
    """(N, 128) of the targets' people."""
    warped: Tensor | None = None
    """(N, 3, R, R) the targets with the source's face by ``mesh``."""

    @classmethod
    def of(cls, parts: list[Tensor]) -> Batch:
        """Make a batch of the parts that ``Portraits`` or ``assisted_batch`` return."""
        picture = [to_input(one).contiguous(memory_format=torch.channels_last) for one in parts if one.ndim == 4]
        masks, known, *vectors = (one for one in parts if one.ndim < 4)
        masks = masks[:, None].float() / 255
        if len(picture) == 2:
            faces, photos = picture
            return cls(faces, faces, masks, known, photos, vectors[0], vectors[0])
        faces, photos, truth, warped = picture
        return cls(faces, truth, masks, known, photos, vectors[0], vectors[1], warped)

    def to(self, device: str) -> Batch:
        """Move to ``device``."""
        return Batch(*(None if one is None else one.to(device) for one in self))

    def part(self, rows: slice) -> Batch:
        """Return only these rows."""
        return Batch(*(None if one is None else one[rows] for one in self))

    def from_others(self) -> Batch:
        """With the photo and the identity of the one before, the first with the last's."""
        return self._replace(photos=self.photos.roll(1, 0), embeddings=self.embeddings.roll(1, 0))


class Portraits(CrowdSamples):
    """One face and one photo of each person."""

    def sample(self, rng: np.random.Generator, row: int) -> Sample:
        """Face (R, R, 3), mask (R, R), matrix (2, 3) face -> the recogniser's crop, photo, embedding (128,)."""
        crowd, flip = self._crowd, float(rng.random() < 0.5)
        side = crowd.pictures.shape[1]
        _, straight = draw_maps(rng, replace(FACE, mirrored=flip), side, side)
        warped, _ = draw_maps(rng, replace(PHOTO, mirrored=1 - flip), side, side)
        picture, mask = looked_up(crowd.pictures[row], straight), looked_up(crowd.masks[row], straight)
        photo = relight(looked_up(crowd.pictures[row], warped), rng)
        return picture, mask, seen_by_recogniser(crowd.points[row], straight), photo, crowd.embeddings[row]


def seen_by_recogniser(points: NDArray[np.float32], shown: Map) -> NDArray[np.float32]:
    """Matrix (2, 3) from a sample to the recogniser's crop. ``points`` (468, 3) px of the stored picture; ``shown``:
    which of its pixels each pixel of the sample shows, an affine map."""
    return to_recogniser(placed(points, shown))


def relight(photo: Image, rng: np.random.Generator) -> Image:
    """Change a photo's brightness, colour and contrast."""
    level = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, CURVE))
    gains = np.exp(rng.normal(0, TONE) + rng.normal(0, TINT, 3))
    table = np.clip(255 * level * gains + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(photo, table[None]), np.uint8)


def assisted_batch(rows: Triplets, embeddings: NDArray[np.float32]) -> list[Tensor]:
    """Targets, masks, matrices, photos, truths, warped, embeddings of the sources and of the targets' people.
    ``embeddings``: of the crowd."""
    straight = grid(rows.target.shape[1])
    known = np.stack([seen_by_recogniser(points, straight) for points in rows.target_points])
    parts = (rows.target, rows.mask, known, rows.photo, rows.truth, rows.warped, embeddings[rows.source],
             embeddings[rows.goal])  # fmt: skip
    return [torch.from_numpy(np.ascontiguousarray(part)) for part in parts]


def taught_batch(taught: Lessons, embeddings: NDArray[np.float32], rng: np.random.Generator) -> Batch:
    """Lessons, their photos in other lights. ``embeddings``: of the crowd."""
    known = np.stack([to_recogniser(points) for points in taught.points])
    photos = np.stack([relight(photo, rng) for photo in taught.photos])
    vectors = torch.from_numpy(embeddings[taught.source])
    parts = (taught.faces, taught.masks, known, photos)
    batch = Batch.of([*map(torch.from_numpy, parts), vectors])
    return batch._replace(truth=to_input(torch.from_numpy(taught.truth)))


def trial_of(kept: Crowd, device: str) -> tuple[Batch, Batch]:
    """People as they are: with their own photo mirrored, and with another one's."""
    some = kept.spread(TRIED)
    straight = grid(some.pictures.shape[1])
    known = np.stack([seen_by_recogniser(points, straight) for points in some.points])
    parts = (some.pictures, some.masks, known, some.pictures, some.embeddings)
    batch = Batch.of([torch.from_numpy(part).to(device) for part in parts])
    return batch._replace(photos=batch.photos.flip(3)), batch.from_others()
