"""Which heads that the first look is not sure of are looked at closely in a frame, and which wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtswap.core.types import Box
from rtswap.vision.boxes import side_of

MOST, MOST_AT_FIRST = 3, 9
"""Heads that are looked at closely in one frame, where some are new; otherwise one. And the most in the first frame
of a scene, in which nobody is known."""
NEAR, AS_LARGE = 0.6, 1.6
"""Distance of two boxes' middles, in sides of the larger one, up to which they are of one thing, and how many times
as large one may be: hands that talk move by half of their size from frame to frame."""
LEAST_PX = 40.0
"""Side in pixels of the frame that smaller ones count as there: prints on clothes move by more than themselves."""
DOUBTFUL = 0.6
"""Score of a close look from which the next one follows as soon as it is this head's turn."""
RISEN = 0.1
"""By how much the first look's score must have risen since for that, too."""
PATIENCE = 6
"""Looks after which even a head that was none is looked at again; if it is not there, it is forgotten."""


@dataclass(slots=True)
class _Examined:
    box: Box
    first: float
    """Score of the first look when it was looked at closely."""
    closely: float
    age: int = 0
    """Looks since."""

    def waits(self, score: float) -> bool:
        return self.age < PATIENCE and self.closely < DOUBTFUL and score < self.first + RISEN


class CloseLookQueue:
    """One per stream; not thread-safe."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was looked at: begin with another scene."""
        self._examined: list[_Examined] = []

    @property
    def is_new(self) -> bool:
        """Whether nothing was looked at closely for a while."""
        return not self._examined

    def choose(self, boxes: Sequence[Box], scores: Sequence[float]) -> list[int]:
        """Which of the ``boxes`` to look at closely now: new ones first, by their ``scores``; then those that have
        waited longest. Tell ``add`` what came out."""
        count = MOST_AT_FIRST if self.is_new else 1
        for one in self._examined:
            one.age += 1
        new: list[int] = []
        known: list[tuple[int, int]] = []
        for row, (box, score) in enumerate(zip(boxes, scores, strict=True)):
            seen = next((one for one in self._examined if _is_same(box, one.box)), None)
            if seen is None:
                new.append(row)
                continue
            seen.box = box
            if not seen.waits(score):
                known.append((-seen.age, row))
        self._examined = [one for one in self._examined if one.age <= PATIENCE]
        queue = [*sorted(new, key=lambda row: -scores[row]), *(row for _, row in sorted(known))]
        return queue[: max(count, MOST) if new else count]

    def add(self, box: Box, first: float, closely: float) -> None:
        """The head in ``box`` was looked at closely. ``first``, ``closely``: the scores of both looks."""
        self._examined = [one for one in self._examined if not _is_same(box, one.box)]
        self._examined.append(_Examined(box, first, closely))


def _is_same(first: Box, second: Box) -> bool:
    sides = side_of(first), side_of(second)
    away = float(np.hypot(*(first[:2] + first[2:] - second[:2] - second[2:]))) / 2
    return away < NEAR * max(*sides, LEAST_PX) and max(sides) < AS_LARGE * min(sides)
