"""What the generator learns from: faces as ``mesh`` swaps them, by the program's own code, kept in files.

A *same* pair swaps a mirrored, badly lit photo of a person onto another view of that person: the view itself is
then what should come out. In a *turned* pair somebody else's face was swapped onto that view first, and is the
target: two people, and still a truth. A *cross* pair swaps between two people's photos: there is no truth, only what
is to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.core.protocols import Swapper
from rtswap.core.types import Quality, SourceIdentity, Target
from rtswap.networks.landmarks import place
from rtswap.swappers.mesh.neutral_expression import NeutralExpression
from rtswap.swappers.mesh.shape import PERSONAL, SourceShape, mean_measures
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.swappers.refiner.crop_view import SHRINK, SIZE, CropView, crop_view
from rtswap.swappers.refiner.crop_view import place as place_crop
from rtswap.vision.crops import cut
from rtswap.vision.geometry import canonical, transform
from training.arrays import Bytes, Flags, Floats, Rows
from training.landmarks.occluders import glasses
from training.landmarks.views import Views
from training.masks import layers, things
from training.masks.layers import Layer, lay
from training.masks.spectacles import spectacles
from training.refiner.lights import badly_lit

SHARD = 170
SAME, TURNED, CROSS = range(3)
PER_SOURCE = SAME, TURNED, TURNED, CROSS
COVERED = 0.3
SHARES = 0.2, 0.2, 0.1, 0.1, 0.1, 0.15, 0.15
"""How many have something before the face, and of these what: a hand, fingertips, a cup, a microphone, anything,
hair, glasses."""
STEEPEST = 0.66
"""Target views whose outline is narrower than this, in heights, are turned so far that a rendering is no truth."""
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
    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / f"{number:04d}.npz"
        if path.exists():
            continue
        rows = list(Maker(views, seed * 1000 + number, size=size, hard=hard).pairs(count))
        temporary = path.with_suffix(".part")
        with temporary.open("wb") as file:
            np.savez(file, **{name: np.stack([row[name] for row in rows]) for name in FIELDS})
        temporary.replace(path)


def load(folder: Path) -> Pairs:
    """Every finished file of ``folder``, in memory."""
    return read(sorted(folder.glob("*.npz")))


def read(paths: Iterable[Path]) -> Pairs:
    """The pairs of these files, in memory."""
    parts: dict[str, list[NDArray[np.generic]]] = {name: [] for name in FIELDS}
    for path in paths:
        with np.load(path) as data:
            for name in FIELDS:
                parts[name].append(data[name])
    return Pairs(**{name: np.concatenate(part) for name, part in parts.items()})


class Maker:
    """Endless random pairs of the people in ``views``."""

    def __init__(self, views: Views, seed: int, *, size: int = SIZE, hard: bool = False) -> None:
        self._views, self._size, self._hard = views, size, hard
        self._rng = np.random.default_rng(seed)
        self._count = len(views) // views.people

    def pairs(self, count: int) -> Iterator[dict[str, NDArray[np.generic]]]:
        made = 0
        while made < count:
            for row in self._of_one_source():
                if made < count:
                    made += 1
                    yield row

    def _of_one_source(self) -> Iterator[dict[str, NDArray[np.generic]]]:
        rng, views = self._rng, self._views
        person = int(rng.integers(views.people))
        image, mesh = self._view(person, original=0.6)
        if not self._hard:
            image, mesh = _mirrored(image, mesh)
        if self._hard or rng.random() < 0.8:
            image = badly_lit(image, mesh, rng)
        image = np.array(image)
        if rng.random() < 0.04:
            glasses(image, mesh, rng)
        mesh = _as_found(mesh, rng)
        matrix = place_crop(mesh)
        assert matrix is not None
        swapper = MeshSwapModel().bind(SourceIdentity(image, mesh))
        photo = cut(image, matrix, SIZE, SHRINK)
        for kind in (CROSS,) if self._hard else PER_SOURCE:
            goal = int(rng.integers(views.people)) if kind == CROSS else person
            made = self._pair(swapper, goal, kind)
            if made is not None:
                yield {**made, "photo": photo, "known_truth": np.bool_(kind != CROSS), "source": np.int64(person)}

    def _view(self, person: int, *, original: float) -> tuple[Bytes, Floats]:
        rng, views = self._rng, self._views
        for _ in range(8):
            number = 0 if rng.random() < original else int(rng.integers(1, self._count))
            row = person + number * views.people
            low, high = views.meshes[row][:, :2].min(0), views.meshes[row][:, :2].max(0)
            if number == 0 or (high - low)[0] > STEEPEST * (high - low)[1]:
                return views.images[row], views.meshes[row]
        return views.images[person], views.meshes[person]

    def _pair(self, swapper: Swapper, goal: int, kind: int) -> dict[str, NDArray[np.generic]] | None:
        rng = self._rng
        truth, mesh = self._view(goal, original=0.7)
        image, shown = self._as_somebody_else(truth, mesh) if kind == TURNED else (np.array(truth), mesh)
        hidden = np.zeros(image.shape[:2], np.uint8)
        if rng.random() < COVERED:
            self._cover(image, hidden, shown[:, :2], goal)
        seen = swapped_view(swapper, image, _as_found(shown, rng), self._size)
        if seen is None:
            return None
        crop_matrix, found = seen
        points = transform(crop_matrix, mesh)
        known, dense = place(points, EYES_PX), place(points, KNOWN_PX)
        if known is None or dense is None:
            return None
        open_ = 255 - cut(hidden, crop_matrix, self._size, SHRINK, zero=True)
        return {
            "composite": found.composite, "lowered": found.lowered, "target": found.target,
            "truth": cut(truth, crop_matrix, self._size, SHRINK), "mask": found.mask, "inside": found.inside,
            "visible": open_, "goal": np.int64(goal), "known": known, "mesh": dense,
        }  # fmt: skip

    def _as_somebody_else(self, image: Bytes, mesh: Floats) -> tuple[Bytes, Floats]:
        """``image`` with a random person's face on it, and the mesh of that."""
        photo, own = self._view(int(self._rng.integers(self._views.people)), original=0.6)
        swapper = MeshSwapModel().bind(SourceIdentity(np.array(photo), own))
        picture, _, _ = swap_onto(swapper, image, mesh, Quality())
        shown = SourceShape.of(own).destination(
            mesh,
            expression=1.0,
            neutral=NeutralExpression(mean_measures(), PERSONAL),
            visibility=np.ones(468, np.float32),
            time_s=0.0,
        )
        return picture, shown

    def _cover(self, image: Bytes, hidden: Bytes, points: Floats, goal: int) -> None:
        """Something before the face, in place; noted in ``hidden``."""
        rng, size = self._rng, len(image)
        at = points[rng.integers(len(points))] + rng.normal(0, 0.08 * size, 2)
        scrap = self._views.scrap(size, rng)
        whose = goal if rng.random() < 0.5 else int(rng.integers(self._views.people))
        skin = self._views.cheek(whose)
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


def swap_onto(swapper: Swapper, image: Bytes, mesh: Floats, quality: Quality) -> tuple[Bytes, Bytes, Floats]:
    """A copy of ``image`` with the face ``mesh`` swapped, the mask of its crop and the matrix to that crop."""
    matrix, size = swapper.view(mesh, 1024)
    canvas = HostCanvas(np.array(image))
    face = Target(0, canvas.crop(matrix, size), transform(matrix, mesh), np.ones(468, np.float32), 0.0)
    result = swapper.swap(face, quality)
    canvas.paste(result.crop, result.mask, matrix)
    return np.array(canvas.image()), result.mask, matrix


def swapped_view(swapper: Swapper, image: Bytes, mesh: Floats, side: int) -> tuple[Floats, CropView] | None:
    """What the network would see of the face ``mesh`` in ``image``, and the matrix from the image to that crop."""
    matrix, size = swapper.view(mesh, 1024)
    crop = HostCanvas(image).crop(matrix, size)
    points = transform(matrix, mesh)
    swapper.forget(0)  # a face that was never seen before
    result = swapper.swap(Target(0, crop, points, np.ones(468, np.float32), 0.0), Quality())
    found = crop_view(crop, result.crop, result.mask, points, side)
    if found is None:
        return None
    whole = np.vstack([found.matrix, [0, 0, 1]]) @ np.vstack([matrix, [0, 0, 1]])
    return np.asarray(whole[:2], np.float32), found


def _mirrored(image: Bytes, mesh: Floats) -> tuple[Bytes, Floats]:
    flipped = mesh[canonical().mirror].copy()
    flipped[:, 0] = image.shape[1] - 1 - flipped[:, 0]
    return np.ascontiguousarray(image[:, ::-1]), flipped


def _as_found(mesh: Floats, rng: np.random.Generator) -> Floats:
    """``mesh`` with a landmark network's errors: 0.2 to 1.2 % of the face's size, smooth over it."""
    strength = float(np.exp(rng.uniform(np.log(0.001), np.log(0.006)))) * float(np.ptp(mesh[:, 1]))
    place_ = (mesh[:, :2] - mesh[:, :2].mean(0)) / np.ptp(mesh[:, 1])
    waves = np.sin(place_ @ rng.normal(0, 6, (2, 4)) + rng.uniform(0, 6.3, 4))
    found = mesh.copy()
    found[:, :2] += (waves @ rng.normal(0, strength, (4, 2))).astype(np.float32)
    return found
