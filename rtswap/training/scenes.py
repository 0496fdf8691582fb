"""Swaps that ``mesh`` makes of people's faces, by the program's own code: what trainings learn from.

A *same* scene swaps a photo of a person onto another view of that person: the view itself is then what should come
out. In a *turned* scene somebody else's face was swapped onto that view first, and is the target: two people, and
still a truth. A *cross* scene swaps between two people: there is no truth, only what is to be kept. The photo is
never the target's picture as it is: it is mirrored, badly lit, or the person as ``mesh`` puts them on another
person's head.

To prepare a source takes mesh 0.2 s, to swap it 3 ms. So scenes come from groups of people: each is prepared twice,
as they are and as the photo. The former is for turned targets, photos in another pose and half of the cross scenes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.core.protocols import Swapper
from rtswap.core.types import Image, Mask, Matrix, Points, Quality, SourceIdentity, SwappedFace, Target
from rtswap.swappers.mesh.neutral_expression import NeutralExpression
from rtswap.swappers.mesh.shape import PERSONAL, SourceShape, mean_measures
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.training.lights import badly_lit
from rtswap.vision.geometry import canonical, inverse, transform
from rtswap.vision.resample import blended, warped

SAME, TURNED, CROSS = range(3)
GROUP = 5
"""People whose scenes are made together."""
LARGEST = 1024
"""Side in px to which faces are swapped at their own size."""


@dataclass(frozen=True)
class Face:
    """One face in its picture."""

    image: Image
    """(S, S, 3)"""
    mesh: Points
    """(468, 3) px"""
    visible: Mask
    """(S, S) 0 where something is before the face."""


@dataclass(frozen=True)
class Swap:
    """A face and what a swapper made of it, in the view that it asked for."""

    matrix: Matrix
    """(2, 3) px of the picture -> px of the view."""
    crop: Image
    """The view of the picture."""
    landmarks: Points
    """(468, 3) px of the view."""
    face: SwappedFace

    def pasted(self, image: Image) -> Image:
        """A copy of the picture with the swapped face."""
        canvas = HostCanvas(np.array(image))
        canvas.paste(self.face.crop, self.face.mask, self.matrix)
        return canvas.image()

    def shown(self, target: Face) -> Image:
        """A copy of the target's picture with the swapped face behind what is before it."""
        return blended(self.pasted(target.image), target.image, target.visible)

    def mask(self, size: tuple[int, ...]) -> Mask:
        """(height, width) = ``size`` of the picture: 255 where the swap is pasted."""
        return warped(self.face.mask, inverse(self.matrix), (size[1], size[0]), zero=True)


class Bound(NamedTuple):
    """A source."""

    face: Face
    swapper: Swapper


@dataclass(frozen=True)
class Scene:
    """A source's photo, a target, what should come out, and what ``mesh`` makes of it."""

    kind: int
    source: int
    goal: int
    """The people whose photo and whose picture it is."""
    photo: Face
    target: Face
    """Its mesh is what landmarks on it would be found as."""
    truth: Face
    """Of cross scenes the target with nothing before it."""
    swap: Swap


class People(Protocol):
    """The people whose faces are swapped, by number."""

    def __len__(self) -> int: ...

    @property
    def sources(self) -> Sequence[int]:
        """The numbers of the people with a picture that can be a source."""

    def view(self, person: int, rng: np.random.Generator, *, source: bool) -> Face:
        """A picture of the person, as a photo or as a target."""

    def cover(self, face: Face, person: int, rng: np.random.Generator) -> Face:
        """A target, at times with something before the face."""

    def spoil(self, face: Face, rng: np.random.Generator) -> Face:
        """A photo, at times with something over it, say glasses."""


@dataclass(frozen=True)
class Plan:
    """How many scenes each photo is the source of, and how they are varied: shares are 0..1."""

    same: int = 1
    turned: int = GROUP - 1
    """Each with another face of the group, so at most ``GROUP`` - 1."""
    cross: int = 4
    """Half of them of the person's picture as it is."""
    mirrored: bool = True
    reenacted: float = 0.4
    """Of the photos: the person on somebody else's head."""
    badly_lit: float = 0.8
    """Of the photos."""
    lit_targets: float = 0.0
    """Of the targets, which are then badly lit, truth and all: without cast shadows, which a face put on does not
    show."""

    @property
    def plain(self) -> bool:
        """Whether people are also bound as they are."""
        return self.turned > 0 or self.reenacted > 0


class SceneMaker:
    """Endless random scenes of ``people``."""

    def __init__(self, people: People, seed: int, plan: Plan = Plan()) -> None:
        self._people, self._plan = people, plan
        self._rng = np.random.default_rng(seed)

    def scenes(self) -> Iterator[Scene]:
        """Yield the scenes, one group of people after another."""
        while True:
            yield from self._of_group()

    def _of_group(self) -> Iterator[Scene]:
        rng, plan, people = self._rng, self._plan, self._people
        group = [int(one) for one in rng.permutation(people.sources)[:GROUP]]
        plain = [self._bind(people.view(person, rng, source=True)) for person in group] if plan.plain else []
        for number, person in enumerate(group):
            photo = self._photo(person, plain[number] if plain else None)
            for _ in range(plan.same):
                yield self._scene(SAME, person, person, photo)
            for other in [one for one in plain if one is not plain[number]][: plan.turned]:
                yield self._scene(TURNED, person, person, photo, other)
            for turn in range(plan.cross):
                source = plain[number] if plain and turn % 2 else photo
                yield self._scene(CROSS, person, int(rng.integers(len(people))), source)

    def _bind(self, face: Face) -> Bound:
        found = replace(face, mesh=as_found(face.mesh, self._rng))
        return Bound(found, bind(found))

    def _photo(self, person: int, own: Bound | None) -> Bound:
        rng, plan, people = self._rng, self._plan, self._people
        turn = plan.mirrored
        if own is not None and rng.random() < plan.reenacted:
            head = people.view(int(rng.choice(people.sources)), rng, source=True)
            face, turn = put_on(own, head), turn and rng.random() < 0.5
        else:
            face = people.view(person, rng, source=True)
        if turn:
            face = mirror(face)
        if rng.random() < plan.badly_lit:
            face = replace(face, image=badly_lit(face.image, face.mesh, rng))
        return self._bind(people.spoil(face, rng))

    def _scene(self, kind: int, person: int, goal: int, source: Bound, other: Bound | None = None) -> Scene:
        rng, people = self._rng, self._people
        truth = people.view(goal, rng, source=False)
        if rng.random() < self._plan.lit_targets:
            truth = replace(truth, image=badly_lit(truth.image, truth.mesh, rng, shadows=False))
        target = people.cover(truth if other is None else put_on(other, truth), goal, rng)
        target = replace(target, mesh=as_found(target.mesh, rng))
        swap = swap_face(source.swapper, target.image, target.mesh)
        return Scene(kind, person, goal, source.face, target, truth, swap)


def bind(face: Face) -> Swapper:
    """``mesh``, with this face as its source."""
    return MeshSwapModel().bind(SourceIdentity(face.image, face.mesh))


def swap_face(swapper: Swapper, image: Image, mesh: Points, quality: Quality | None = None) -> Swap:
    """The face ``mesh`` (468, 3) of a picture, swapped as one that was never seen before."""
    matrix, size = swapper.view(mesh, LARGEST)
    crop, points = HostCanvas(image).crop(matrix, size), transform(matrix, mesh)
    swapper.forget(0)
    result = swapper.swap(Target(0, crop, points, np.ones(len(mesh), np.float32), 0.0), quality or Quality())
    return Swap(matrix, crop, points, result)


def put_on(source: Bound, target: Face) -> Face:
    """``target`` with the face of ``source`` where nothing is before it, and the mesh of that."""
    swap = swap_face(source.swapper, target.image, target.mesh)
    shown = SourceShape.of(source.face.mesh).destination(
        target.mesh,
        expression=1.0,
        neutral=NeutralExpression(mean_measures(), PERSONAL),
        visibility=np.ones(len(target.mesh), np.float32),
        time_s=0.0,
    )
    return replace(target, image=swap.shown(target), mesh=shown)


def mirror(face: Face) -> Face:
    """Mirror a face."""
    flipped = face.mesh[canonical().mirror].copy()
    flipped[:, 0] = face.image.shape[1] - 1 - flipped[:, 0]
    image, visible = (np.ascontiguousarray(one[:, ::-1]) for one in (face.image, face.visible))
    return Face(image, flipped, visible)


def as_found(mesh: Points, rng: np.random.Generator) -> Points:
    """``mesh`` with a landmark network's errors: 0.2 to 1.2 % of the face's size, smooth over it."""
    strength = float(np.exp(rng.uniform(np.log(0.001), np.log(0.006)))) * float(np.ptp(mesh[:, 1]))
    place = (mesh[:, :2] - mesh[:, :2].mean(0)) / np.ptp(mesh[:, 1])
    waves = np.sin(place @ rng.normal(0, 6, (2, 4)) + rng.uniform(0, 6.3, 4))
    found = mesh.copy()
    found[:, :2] += (waves @ rng.normal(0, strength, (4, 2))).astype(np.float32)
    return found
