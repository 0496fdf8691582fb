"""What the generator learns from: ``rtswap.training.scenes`` of the people in views, as the generator sees them, kept
in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtswap.networks.landmarks import place
from rtswap.swappers.refiner.crop_view import SHRINK, SIZE, crop_view
from rtswap.swappers.refiner.crop_view import place as place_crop
from rtswap.training.scenes import CROSS, Face, Plan, Scene, SceneMaker
from rtswap.training.shards import read_shard, shards, write_shards
from rtswap.vision.crops import cut
from rtswap.vision.geometry import transform
from training.arrays import Bytes, Flags, Floats, Rows
from training.landmarks.occluders import glasses
from training.landmarks.views import Views
from training.masks import layers, things
from training.masks.layers import Layer, lay
from training.masks.spectacles import spectacles

SHARD = 160
PLAN = Plan(same=2, turned=4, cross=2)
HARD = Plan(same=0, turned=0, cross=1, mirrored=False, reenacted=0, badly_lit=1)
"""Badly lit sources on other people only."""
COVERED, SPECTACLED = 0.3, 0.04
"""How many targets have something before the face, and how many photos glasses."""
SHARES = 0.2, 0.2, 0.1, 0.1, 0.1, 0.15, 0.15
"""What is before the face: a hand, fingertips, a cup, a microphone, anything, hair, glasses."""
STEEPEST = 0.66
"""Target views whose outline is narrower than this, in heights, are turned so far that a rendering is no truth."""
ORIGINAL = {True: 0.6, False: 0.7}
"""How many photos, and how many targets, are a person's own picture; the others are rendered."""
EYES_PX, KNOWN_PX = 96, 128
"""Crops of the recognition and the landmark network."""


@dataclass(frozen=True)
class Pairs:
    """N pairs; pictures are (N, S, S, 3) BGR in the network's crop."""

    composite: Bytes
    lowered: Bytes
    target: Bytes
    truth: Bytes
    """What should come out; of cross pairs the target with nothing before it."""
    photo: Bytes
    """(N, 128, 128, 3) the source's photo, as bind sees it."""
    mask: Bytes
    """(N, S, S) where the swap was pasted."""
    inside: Bytes
    """(N, S, S) where ``lowered`` is low-passed."""
    visible: Bytes
    """(N, S, S) 0 where something is before the target's face."""
    known_truth: Flags
    source: Rows
    """(N,) row of the source's person."""
    goal: Rows
    """(N,) row of the person of the target's view."""
    known: Floats
    """(N, 2, 3) the network's crop -> the recognition network's."""
    mesh: Floats
    """(N, 2, 3) the network's crop -> the landmark network's."""

    def __len__(self) -> int:
        return len(self.source)


FIELDS = tuple(Pairs.__dataclass_fields__)


def prepare(
    views: Views,
    folder: Path,
    numbers: Iterable[int],
    seed: int,
    *,
    size: int = SIZE,
    count: int = SHARD,
    hard: bool = False,
) -> None:
    """Files of ``count`` pairs in ``folder``, those of ``numbers`` that are missing made now.

    ``size``: of the network's crop. ``hard``: badly lit sources on other people only.
    """

    def make(number: int) -> Iterator[dict[str, NDArray[np.generic]]]:
        maker = SceneMaker(ViewedPeople(views), seed * 1000 + number, HARD if hard else PLAN)
        return islice((row for scene in maker.scenes() if (row := _row(scene, size)) is not None), count)

    write_shards(folder, numbers, make)


def load(folder: Path) -> Pairs:
    """Every finished file of ``folder``, in memory."""
    return read(shards(folder))


def read(paths: Iterable[Path]) -> Pairs:
    """The pairs of these files, in memory."""
    found = [read_shard(path) for path in paths]
    return Pairs(**{name: np.concatenate([one[name] for one in found]) for name in FIELDS})


class ViewedPeople:
    """Implements ``scenes.People``: those of ``views``, with things before their faces."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._count = len(views) // views.people
        self.sources = range(views.people)

    def __len__(self) -> int:
        return self._views.people

    def view(self, person: int, rng: np.random.Generator, *, source: bool) -> Face:
        """Their own picture, or one that was rendered."""
        views = self._views
        row = person
        for _ in range(8):
            number = 0 if rng.random() < ORIGINAL[source] else int(rng.integers(1, self._count))
            wide, high = np.ptp(views.meshes[person + number * views.people][:, :2], axis=0)
            if number == 0 or wide > STEEPEST * high:
                row = person + number * views.people
                break
        image = np.array(views.images[row])
        return Face(image, views.meshes[row], np.full(image.shape[:2], 255, np.uint8))

    def spoil(self, face: Face, rng: np.random.Generator) -> Face:
        """At times with glasses."""
        if rng.random() < SPECTACLED:
            glasses(face.image, face.mesh, rng)
        return face

    def cover(self, face: Face, person: int, rng: np.random.Generator) -> Face:
        """At times with something before the face."""
        if rng.random() >= COVERED:
            return face
        image, hidden = np.array(face.image), np.zeros(face.image.shape[:2], np.uint8)
        size, points = len(image), face.mesh[:, :2]
        at = points[rng.integers(len(points))] + rng.normal(0, 0.08 * size, 2)
        scrap = self._views.scrap(size, rng)
        skin = self._views.cheek(person if rng.random() < 0.5 else int(rng.integers(len(self))))
        colour = scrap[size // 2, size // 2].astype(np.float32)
        things_: list[Callable[[], Layer]] = [
            lambda: things.hand(size, at, skin, scrap, rng),
            lambda: things.fingertips(size, points, skin, scrap, rng),
            lambda: things.cup(size, at, colour, scrap, rng),
            lambda: things.microphone(size, at, colour, scrap, rng),
            lambda: things.blob(size, at, scrap, rng),
            lambda: layers.strands(size, points, layers.hair_colour(colour, rng), rng),
            lambda: spectacles(size, points, rng).frame,
        ]
        lay(image, hidden, things_[int(rng.choice(len(things_), p=SHARES))](), rng)
        return replace(face, image=image, visible=255 - hidden)


def _row(scene: Scene, size: int) -> dict[str, NDArray[np.generic]] | None:
    """A scene as the generator sees it; None if landmarks form no face. What is before the face lies under the swap:
    that it must come back is what the second look learns."""
    swap, photo_matrix = scene.swap, place_crop(scene.photo.mesh)
    found = crop_view(swap.crop, swap.face.crop, swap.face.mask, swap.landmarks, size)
    if found is None or photo_matrix is None:
        return None
    whole = np.vstack([found.matrix, [0, 0, 1]]) @ np.vstack([swap.matrix, [0, 0, 1]])
    matrix = np.asarray(whole[:2], np.float32)
    points = transform(matrix, scene.truth.mesh)
    known, dense = place(points, EYES_PX), place(points, KNOWN_PX)
    if known is None or dense is None:
        return None
    return {
        "composite": found.composite, "lowered": found.lowered, "target": found.target,
        "truth": cut(scene.truth.image, matrix, size, SHRINK), "mask": found.mask, "inside": found.inside,
        "visible": 255 - cut(255 - scene.target.visible, matrix, size, SHRINK, zero=True),
        "photo": cut(scene.photo.image, photo_matrix, SIZE, SHRINK), "known_truth": np.bool_(scene.kind != CROSS),
        "source": np.int64(scene.source), "goal": np.int64(scene.goal), "known": known, "mesh": dense,
    }  # fmt: skip
