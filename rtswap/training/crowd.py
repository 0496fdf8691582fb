"""The faces of many people, as one-shot systems learn them: in memory, with points and identity vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import UsageError
from rtswap.core.types import Matrix
from rtswap.faceset.faceset import Faceset
from rtswap.networks.landmarks import place
from rtswap.networks.recognition import LENGTH, SIDE
from rtswap.training.facesets import same_template
from rtswap.vision.geometry import resizing, transform
from rtswap.vision.resample import resized

LEAST_PEOPLE = 20
SPACE = "rtswap"
"""The identity space of the embeddings: rtswap's own recogniser, which every user has."""
KEPT_EVERY = 10
"""One in so many people is kept out of training."""


@dataclass(frozen=True)
class Crowd:
    """N aligned faces of S px, of many people."""

    pictures: NDArray[np.uint8]
    """(N, S, S, 3) BGR."""
    masks: NDArray[np.uint8]
    """(N, S, S): 255 where the face can be seen."""
    points: NDArray[np.float32]
    """(N, 468, 3) px: the landmarks."""
    embeddings: NDArray[np.float32]
    """(N, 128) identity vectors of unit length."""
    people: NDArray[np.int64]
    """(N,) number of the person."""

    def __len__(self) -> int:
        return len(self.pictures)

    def part(self, rows: NDArray[np.int64]) -> Crowd:
        """Return only these faces."""
        return Crowd(*(getattr(self, field.name)[rows] for field in fields(self)))

    def at(self, side: int) -> Crowd:
        """At ``side`` px."""
        if side == self.pictures.shape[1]:
            return self
        pictures, masks = (
            np.stack([resized(one, (side, side), cv2.INTER_AREA) for one in part])
            for part in (self.pictures, self.masks)
        )
        points = transform(resizing(side / self.pictures.shape[1]), self.points.reshape(-1, 3)).reshape(
            self.points.shape
        )
        return replace(self, pictures=pictures, masks=masks, points=points)

    def spread(self, count: int) -> Crowd:
        """At most ``count`` faces, evenly spaced."""
        return self.part(np.unique(np.linspace(0, len(self) - 1, count).round().astype(np.int64)))

    def split(self) -> tuple[Crowd, Crowd]:
        """The people to learn from, and every tenth person, kept out for trials."""
        kept = np.isin(self.people, np.unique(self.people)[KEPT_EVERY - 1 :: KEPT_EVERY])
        return self.part(np.flatnonzero(~kept)), self.part(np.flatnonzero(kept))


class CrowdSamples(ABC):
    """Implements ``workers.Numbered``: ``count`` people of a crowd, drawn anew for each batch."""

    def __init__(self, crowd: Crowd, count: int, seed: int) -> None:
        self._crowd, self._count, self._seed = crowd, count, seed

    def batch(self, number: int) -> tuple[NDArray[Any], ...]:
        """The parts of ``sample``, stacked."""
        rng = np.random.default_rng((self._seed, number))
        rows = rng.choice(len(self._crowd), self._count, replace=self._count > len(self._crowd))
        parts = zip(*(self.sample(rng, int(row)) for row in rows), strict=True)
        return tuple(np.stack(part) for part in parts)

    @abstractmethod
    def sample(self, rng: np.random.Generator, row: int) -> tuple[NDArray[Any], ...]:
        """What is shown of one face."""


def to_recogniser(points: NDArray[np.float32]) -> Matrix:
    """The matrix (2, 3) from a face with landmarks (468, 3) px to the recogniser's crop. Raises ValueError for
    landmarks in one place."""
    matrix = place(points, SIDE)
    if matrix is None:
        raise ValueError("degenerate landmarks")
    return matrix


def load_crowd(folders: Sequence[Path], resolution: int) -> tuple[Crowd, str]:
    """The faces of facesets at ``resolution`` px, and the template by which all are aligned. A face that belongs to
    nobody counts as a person of its own. Raises UsageError and InputError."""
    facesets = [Faceset.open(folder) for folder in folders]
    template = same_template(facesets)
    found: list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]] = []
    people: list[tuple[int, int, int]] = []
    size = (resolution, resolution)
    for number, faceset in enumerate(facesets):
        for row, face in enumerate(faceset.records):
            if face.embedding is None or face.space != SPACE or len(face.embedding) != LENGTH:
                raise UsageError(
                    f"{folders[number]} has no identity vectors of rtswap's recogniser",
                    got="" if face.embedding is None else f"{len(face.embedding)} numbers of {face.space!r:.40}",
                    do="Extract again with --embeddings, without the extra identity.",
                )
            found.append(
                (
                    resized(faceset.picture(face), size, cv2.INTER_AREA),
                    resized(faceset.mask(face), size, cv2.INTER_AREA),
                    transform(resizing(resolution / face.size), face.landmarks),
                    face.embedding,
                )
            )
            people.append((number, face.person, row if face.person < 0 else -1))
    if len(set(people)) < LEAST_PEOPLE:
        raise UsageError(
            f"too few people in {', '.join(map(str, folders))}",
            expected=f"{LEAST_PEOPLE} or more, better thousands",
            got=str(len(set(people))),
            do="Extract a folder of photos of many people.",
        )
    numbers = {person: number for number, person in enumerate(dict.fromkeys(people))}
    pictures, masks, points, embeddings = (np.stack(part) for part in zip(*found, strict=True))
    rows = np.array([numbers[person] for person in people], np.int64)
    return Crowd(pictures, masks, points, np.asarray(embeddings, np.float32), rows), template
