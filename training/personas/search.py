"""Looks for the recipe of a persona that is nobody: random parents first, then small changes to the best.

Whether it is somebody dlib's network judges: embeddings nearer than 0.6 are the same person's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.app.networks import FaceModels
from rtswap.core.types import Image
from rtswap.networks.dlib_identity import DlibEmbedder
from training.personas.compose import PARTS, Recipe, compose
from training.personas.faces import MODES, Faces
from training.personas.people import AGED, NEAR, POOLS, Wanted


class Judged(NamedTuple):
    """Euclidean distances between raw embeddings."""

    embedding: NDArray[np.float32]
    """(128,) raw."""
    nearest: float
    """To the nearest of all shared faces."""
    nearest_name: str
    parents: float
    """To the nearest parent."""


class Judge:
    """Sees faces as the program does: its own detector places dlib's crop."""

    def __init__(self, faces: Faces, eyes: FaceModels, embedder: DlibEmbedder) -> None:
        self._faces, self._eyes, self._embedder = faces, eyes, embedder

    def look(self, picture: Image, parents: Sequence[str]) -> Judged | None:
        """None where no face is found."""
        found = self._eyes.detector.detect(picture)
        if not found:
            return None
        raw = self._embedder.raw(picture, found[0].keypoints)
        distances = np.linalg.norm(self._faces.embeddings - raw, axis=1)
        nearest = int(distances.argmin())
        own = [float(distances[self._faces.names.index(parent)]) for parent in parents]
        return Judged(raw, float(distances[nearest]), self._faces.names[nearest], min(own))


SAME = 0.6
"""Distance of dlib's embeddings below which two pictures show one person; so near to a parent nobody is offered."""
ENOUGH = 0.63
"""Distance at which the search ends: at full size it is less by about 0.02."""
PUSHED = 1.0
"""Standard deviations that an outline may be pushed along each direction."""
EXAGGERATED = (0.9, 1.4)


def search(
    wanted: Wanted,
    faces: Faces,
    judge: Judge,
    *,
    seed: int,
    rounds: tuple[int, int],
    tell: Callable[[str], None],
) -> tuple[float, Recipe]:
    """The best recipe and its distance to the nearest of all shared faces. ``rounds``: at random, then of changes."""
    rng = np.random.default_rng(seed)
    tone, sex = wanted.pool.split()
    pool = [i for i in POOLS[wanted.pool] if i != wanted.head]
    own = [faces.names[i] for i in pool]
    peers = [faces.names[i] for i in wanted.peers or [i for i in pool if _same_age(i, wanted)]]
    near = own + [faces.names[i] for other in NEAR[tone] for i in POOLS[f"{other} {sex}"]]

    def score(recipe: Recipe) -> float:
        found = judge.look(compose(recipe, faces), recipe.parents)
        return found.nearest if found else 0.0

    def drawn() -> Recipe:
        skin, eyes = rng.choice(peers, 2, replace=len(peers) < 2).tolist()
        return Recipe(faces.names[wanted.head], skin, eyes, *rng.choice(near, 2, replace=False).tolist(), *outline())

    def outline() -> tuple[float, tuple[float, ...]]:
        push = np.clip(rng.normal(0, 0.7, MODES), -PUSHED, PUSHED).round(2).tolist()
        return round(float(rng.uniform(*EXAGGERATED)), 2), tuple(push)

    def changed(recipe: Recipe) -> Recipe:
        if rng.random() < 0.35:
            part = str(rng.choice(list(PARTS)))
            return replace(recipe, **{part: str(rng.choice(peers if part in ("skin", "eyes") else near))})
        push = np.array(recipe.push) + rng.normal(0, 0.6, MODES) * (rng.random(MODES) < 0.4)
        exaggerate = float(np.clip(recipe.exaggerate + rng.normal(0, 0.12), *EXAGGERATED))
        return replace(
            recipe, push=tuple(np.clip(push, -PUSHED, PUSHED).round(2).tolist()), exaggerate=round(exaggerate, 2)
        )

    best = 0.0, drawn()
    for number in range(sum(rounds)):
        one = drawn() if number < rounds[0] else changed(best[1])
        value = score(one)
        if value > best[0]:
            best = value, one
        if value >= ENOUGH:
            break
    tell(f"{best[0]:.3f} after {number + 1} tries")
    return best


def _same_age(number: int, wanted: Wanted) -> bool:
    """Young eyes in an old face look wrong, and the other way round."""
    return (number in AGED) == (wanted.head in AGED)
