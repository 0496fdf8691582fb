"""What the generator learns from: ``rtswap.training.scenes`` of the people in views, as the generator sees them, kept
in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.commands.evaluate.naturalness import skin_mask
from rtswap.networks.landmarks import place
from rtswap.swappers.refiner.crop_view import SHRINK, SIZE, crop_view
from rtswap.training.scenes import CROSS, Face, Plan, Scene, SceneMaker
from rtswap.training.shards import read_shard, shards, write_shards
from rtswap.vision.crops import cut
from rtswap.vision.geometry import composed, transform
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
EYES_PX = 96
"""Side of the recognition network's crop."""


@dataclass(frozen=True)
class Pairs:
    """N pairs; pictures are (N, S, S, 3) BGR in the network's crop, or, of what is compared with the truth alone,
    (N, S / 2, S / 2, 3)."""

    composite: Bytes
    lowered: Bytes
    truth: Bytes
    """(N, S / 2, S / 2, 3) what should come out; of cross pairs the target with nothing before it."""
    mask: Bytes
    """(N, S, S) where the swap was pasted."""
    skin: Bytes
    """(N, S / 2, S / 2) 255 on the truth's face, except for eyes, brows and lips."""
    visible: Bytes
    """(N, S / 2, S / 2) 0 where something is before the target's face."""
    known_truth: Flags
    source: Rows
    """(N,) row of the source's person."""
    goal: Rows
    """(N,) row of the person of the target's view."""
    known: Floats
    """(N, 2, 3) the network's crop -> the recognition network's."""

    def __len__(self) -> int:
        return len(self.source)


FIELDS = tuple(Pairs.__dataclass_fields__)


def prepare(
    views: Views,
    folder: Path,
    numbers: Iterable[int],
    seed: int,
    *,
    count: int = SHARD,
    hard: bool = False,
) -> None:
    """Files of ``count`` pairs in ``folder``, those of ``numbers`` that are missing made now.

    ``hard``: badly lit sources on other people only.
    """

    def make(number: int) -> Iterator[dict[str, NDArray[np.generic]]]:
        maker = SceneMaker(ViewedPeople(views), seed * 1000 + number, HARD if hard else PLAN)
        return islice((row for scene in maker.scenes() if (row := _row(scene)) is not None), count)

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


def _row(scene: Scene) -> dict[str, NDArray[np.generic]] | None:
    """A scene as the generator sees it; None if landmarks form no face."""
    swap = scene.swap
    found = crop_view(swap.crop, swap.face.crop, swap.face.mask, swap.landmarks)
    if found is None:
        return None
    matrix = composed(found.matrix, swap.matrix)
    points = transform(matrix, scene.truth.mesh)
    known = place(points, EYES_PX)
    if known is None:
        return None
    return {
        "composite": found.composite, "lowered": found.lowered, "mask": found.mask,
        "truth": _halve(cut(scene.truth.image, matrix, SIZE, SHRINK)),
        "skin": _halve(np.where(skin_mask(points[:, :2], SIZE), np.uint8(255), np.uint8(0))),
        "visible": _halve(255 - cut(255 - scene.target.visible, matrix, SIZE, SHRINK, zero=True)),
        "known_truth": np.bool_(scene.kind != CROSS),
        "source": np.int64(scene.source), "goal": np.int64(scene.goal), "known": known,
    }  # fmt: skip


def _halve(picture: Bytes) -> Bytes:
    return np.asarray(cv2.resize(picture, (SIZE // 2, SIZE // 2), interpolation=cv2.INTER_AREA), np.uint8)
