"""Swaps between the people of a crowd, with what should come out: what one-shot systems learn from.

A photo, a target, the truth, and what the swapper ``mesh`` makes of it, in one aligned crop (``scenes`` says how).
Processes make them, before and while a training runs; they lie in files, and in memory as bytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import UsageError
from rtswap.core.types import Mask, Points
from rtswap.training.crowd import Crowd
from rtswap.training.scenes import CROSS, Face, Plan, Scene, SceneMaker
from rtswap.training.shards import Shard, making, read_shard, shards, write_shards
from rtswap.vision.geometry import resizing, transform
from rtswap.vision.raster import fill
from rtswap.vision.resample import resized
from rtswap.vision.topology import OVAL

PER_SHARD = 180
"""Rows in a file: four groups of people."""
PLAN = Plan(badly_lit=0.5, lit_targets=0.25)
LEAST_SEEN, LEAST_WIDTH = 0.8, 0.66
"""Of a source: how much of the face must be seen, and its outline's width in heights: narrower ones are turned too
far."""
LOOK_EVERY_S = 10.0
"""Between two looks for files that have come."""


@dataclass(frozen=True)
class Triplets:
    """K rows, pictures of S px."""

    photo: NDArray[np.uint8]
    """(K, S, S, 3) BGR: the source, aligned. Never the target's picture as it is."""
    target: NDArray[np.uint8]
    """(K, S, S, 3)"""
    truth: NDArray[np.uint8]
    """(K, S, S, 3) what should come out; where that is unknown the target."""
    warped: NDArray[np.uint8]
    """(K, S, S, 3) the target with the photo's face, by ``mesh``."""
    visible: NDArray[np.uint8]
    """(K, S, S) 255 where the target's face can be seen."""
    mask: NDArray[np.uint8]
    """(K, S, S) where ``mesh`` pasted: the face, without its edge and what is before it."""
    photo_points: NDArray[np.float32]
    """(K, 468, 3) px: landmarks as they would be found, a little off."""
    target_points: NDArray[np.float32]
    """(K, 468, 3) px"""
    source: NDArray[np.int64]
    """(K,) row of the crowd: whose photo it is."""
    goal: NDArray[np.int64]
    """(K,) row of the crowd: whose picture the target is."""
    known: NDArray[np.bool_]
    """(K,) the source's picture is the truth: ``source`` is ``goal``, whose face may be somebody else's in the
    target."""

    def __len__(self) -> int:
        return len(self.source)

    def part(self, rows: NDArray[np.int64] | slice) -> Triplets:
        """Return only these rows."""
        return Triplets(**{name: getattr(self, name)[rows] for name in FIELDS})


FIELDS = tuple(field.name for field in fields(Triplets))


class Supply:
    """The triplets of a folder that other processes are still filling."""

    def __init__(self, folder: Path, most: int) -> None:
        """``most``: files to take."""
        self._folder, self._most = folder, most
        self._taken: set[Path] = set()
        self._kept: Shard = {}
        self._rows: dict[bool, list[int]] = {True: [], False: []}
        self._count, self._looked_s = 0, 0.0

    def __len__(self) -> int:
        return self._count

    def take(self) -> None:
        """Read the files that are new. Raises UsageError for those of other faces or another size."""
        self._looked_s = time.monotonic()
        for path in shards(self._folder):
            if path not in self._taken and len(self._taken) < self._most:
                self._taken.add(path)
                self._add(_read(path))

    def batch(self, rng: np.random.Generator, known: int, cross: int) -> Triplets:
        """Random rows: first ``known`` that have a truth, then ``cross`` that have none."""
        if time.monotonic() - self._looked_s > LOOK_EVERY_S and len(self._taken) < self._most:
            self.take()
        chosen = [int(self._rows[kind][rng.integers(len(self._rows[kind]))])
                  for kind, count in ((True, known), (False, cross)) for _ in range(count)]  # fmt: skip
        return self.part(np.array(chosen, np.int64))

    def part(self, rows: NDArray[np.int64]) -> Triplets:
        """These rows of the triplets that have been read."""
        return Triplets(**{name: self._kept[name][rows] for name in FIELDS})

    def _add(self, shard: Shard) -> None:
        count = len(shard["known"])
        for name in FIELDS:
            rows = shard[name]
            if name not in self._kept:
                self._kept[name] = np.empty((self._most * count, *rows.shape[1:]), rows.dtype)
            if self._kept[name].shape[1:] != rows.shape[1:]:
                raise UsageError(
                    f"the triplets in {self._folder} are of several sizes", do="Remove this folder to make them anew."
                )
            self._kept[name][self._count : self._count + count] = rows
        for row, known in enumerate(shard["known"].tolist(), self._count):
            self._rows[known].append(row)
        self._count += count


@contextmanager
def supply(
    crowd: Crowd,
    folder: Path,
    side: int,
    *,
    count: int = 50,
    least: int = 2,
    makers: int = 1,
    seed: int = 0,
    plan: Plan = PLAN,
) -> Iterator[Supply]:
    """Triplets of ``crowd``, whose pictures should be larger than ``side``: ``count`` files of ``PER_SHARD`` rows.

    The block begins with ``least`` of them; ``makers`` processes make the others meanwhile. Files that an earlier run
    made are used again. Raises UsageError where they are of other faces or another size.
    """
    stored = Supply(folder, count)
    _check(crowd, folder, side)
    jobs = [
        partial(write_triplets, crowd, folder, side, range(k, count, makers), seed=seed, plan=plan)
        for k in range(makers)
        if len(shards(folder)) < count
    ]
    with making(jobs, {folder: min(least, count)}):
        stored.take()
        yield stored


def write_triplets(
    crowd: Crowd, folder: Path, side: int, numbers: range, *, seed: int = 0, plan: Plan = PLAN, rows: int = PER_SHARD
) -> None:
    """Files ``numbers`` of triplets of ``side`` px; those that exist are left alone."""

    def make(number: int) -> Iterator[Mapping[str, Any]]:
        maker = SceneMaker(CrowdPeople(crowd), seed * 100_000 + number, plan)
        for scene in islice(maker.scenes(), rows):
            yield {**_row(scene, side), "faces": np.int64(len(crowd))}

    write_shards(folder, numbers, make)


class CrowdPeople:
    """Implements ``scenes.People``: each face of a crowd is a person with one picture, whose own occlusions stay."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.sources = [row for row in range(len(crowd)) if _is_clear(crowd.masks[row], crowd.points[row])]

    def __len__(self) -> int:
        return len(self._crowd)

    def view(self, person: int, rng: np.random.Generator, *, source: bool) -> Face:
        """The picture."""
        crowd = self._crowd
        return Face(crowd.pictures[person], crowd.points[person], crowd.masks[person])

    def cover(self, face: Face, person: int, rng: np.random.Generator) -> Face:
        """As it is."""
        return face

    def spoil(self, face: Face, rng: np.random.Generator) -> Face:
        """As it is."""
        return face


def _is_clear(mask: Mask, points: Points) -> bool:
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    whole = np.zeros_like(mask)
    fill(whole, [points[OVAL, :2]], 255)
    wide, high = high - low
    return bool(wide > LEAST_WIDTH * high and mask.sum() > LEAST_SEEN * whole.sum())


def _row(scene: Scene, side: int) -> dict[str, Any]:
    """A scene's pictures and points at ``side`` px."""
    target, photo = scene.target, scene.photo
    times = side / target.image.shape[0]
    known = scene.kind != CROSS
    return {
        **{
            name: resized(np.asarray(picture, np.uint8), (side, side), cv2.INTER_AREA)
            for name, picture in (
                ("photo", photo.image),
                ("target", target.image),
                ("truth", scene.truth.image if known else target.image),
                ("warped", scene.swap.shown(target)),
                ("visible", target.visible),
                ("mask", cv2.min(scene.swap.mask(target.visible.shape), target.visible)),
            )
        },
        "photo_points": transform(resizing(times), photo.mesh),
        "target_points": transform(resizing(times), target.mesh),
        "source": np.int64(scene.source),
        "goal": np.int64(scene.goal),
        "known": np.bool_(known),
    }


def _read(path: Path) -> Shard:
    """The columns of one file. Raises InputError and UsageError."""
    shard = read_shard(path)
    plain = all(rows.dtype.kind in "uifb" for rows in shard.values())
    if (
        not plain
        or not {*FIELDS, "faces"} <= shard.keys()
        or shard["photo"].ndim != 4
        or shard["known"].dtype != bool
    ):
        raise UsageError(f"{path} holds no triplets", do="Remove this folder to make them anew.")
    return shard


def _check(crowd: Crowd, folder: Path, side: int) -> None:
    for path in shards(folder)[:1]:
        shard = _read(path)
        found = int(shard["faces"][0]), int(shard["photo"].shape[1])
        if found != (len(crowd), side):
            raise UsageError(
                f"the triplets in {folder} are not of these faces",
                expected=f"those of {len(crowd)} faces at {side} px",
                got=f"of {found[0]} at {found[1]} px",
                do="Remove this folder to make them anew.",
            )
