"""Searches the recipe of a persona who resembles nobody: random parents first, then small changes to the best.

dlib's network judges: the farther from the parents, the better. Its limit for one person, 0.6, is a goal and not a
condition: more than 95 % of the portraits, all of different people, lie within it of another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from training.personas.composition import PARTS, Parents, Recipe, compose
from training.personas.faces import MODES, SAME, Judge
from training.personas.people import Wanted, names_of

ENOUGH = SAME + 0.03
"""Distance to the nearest parent at which the search ends: at full size it is less by about 0.02."""
FEWEST = 4
"""Parents that a persona has at least."""
PUSHED = 0.7
"""Standard deviations that an outline may be pushed along each direction."""
EXAGGERATED = (1.0, 1.2)


class Found(NamedTuple):
    """The result of one try."""

    distance: float
    """To the nearest parent."""
    recipe: Recipe


def search(
    wanted: Wanted,
    faces: Parents,
    judge: Judge,
    *,
    seed: int,
    rounds: tuple[int, int],
    tell: Callable[[str], None],
) -> list[Found]:
    """All tries, the best first. ``rounds``: how many at random, then how many small changes to the best."""
    rng = np.random.default_rng(seed)
    (head,) = names_of(wanted.head)
    choices = {part: names_of(getattr(wanted, part)) for part in PARTS}

    def drawn() -> Recipe:
        parts = {part: str(rng.choice(names)) for part, names in choices.items()}
        push = np.clip(rng.normal(0, 0.35, MODES), -PUSHED, PUSHED).round(2).tolist()
        return Recipe(head, **parts, exaggerate=round(float(rng.uniform(*EXAGGERATED)), 2), push=tuple(push))

    def changed(recipe: Recipe) -> Recipe:
        if rng.random() < 0.4:
            part = str(rng.choice(list(PARTS)))
            return replace(recipe, **{part: str(rng.choice(choices[part]))})
        push = np.array(recipe.push) + rng.normal(0, 0.4, MODES) * (rng.random(MODES) < 0.4)
        exaggerate = float(np.clip(recipe.exaggerate + rng.normal(0, 0.1), *EXAGGERATED))
        return replace(
            recipe, push=tuple(np.clip(push, -PUSHED, PUSHED).round(2).tolist()), exaggerate=round(exaggerate, 2)
        )

    tried: list[Found] = []
    for number in range(sum(rounds)):
        one = drawn() if number < rounds[0] else changed(max(tried, key=lambda found: found.distance).recipe)
        seen = judge.look(compose(one, faces), one.parents) if len(one.parents) >= FEWEST else None
        tried.append(Found(seen.parents if seen else 0.0, one))
        if number >= rounds[0] and tried[-1].distance >= ENOUGH:
            break
    tried.sort(key=lambda found: -found.distance)
    tell(f"{tried[0].distance:.3f} after {len(tried)} tries")
    return tried
