"""What systems for any photo learn from ``mesh``: for a photo and a target of two people, what should come out.

Of half of them it is a person's own picture, on which ``mesh`` had put somebody else's face to make the target; of
the others it is what ``mesh`` makes of both. The system itself sees photo and target alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtswap.training.crowd import Crowd
from rtswap.training.triplets import Triplets, supply
from rtswap.training.warp import Variation, draw_maps, placed
from rtswap.vision.resample import looked_up
from rtswap.vision.topology import LEFT_EYE, NOSE_TIP, RIGHT_EYE

FACE = Variation(turn=6.0, zoom=0.06, shift=0.02, warp=0.0)
PHOTO = Variation(turn=8.0, zoom=0.08, shift=0.03, warp=0.0)
"""How both are placed anew each time; both or neither are mirrored."""

DRAWN = 3
"""Of so many triplets the one is learnt whose photo is turned most as its target is: what a photo shows at a place
then tells what belongs there."""


class Lessons(NamedTuple):
    """N pairs of people, pictures of R px, BGR."""

    faces: NDArray[np.uint8]
    """(N, R, R, 3) the targets."""
    masks: NDArray[np.uint8]
    """(N, R, R) 255 where the swap is."""
    points: NDArray[np.float32]
    """(N, 468, 3) px of the targets."""
    photos: NDArray[np.uint8]
    """(N, R, R, 3) of the sources."""
    photo_points: NDArray[np.float32]
    """(N, 468, 3) px"""
    truth: NDArray[np.uint8]
    """(N, R, R, 3) what should come out."""
    source: NDArray[np.int64]
    """(N,) rows of the crowd: whose photos."""


@contextmanager
def open_triplets(
    crowd: Crowd, folder: Path, side: int, batch: int, *, seed: int, workers: int = 0
) -> Iterator[Callable[[int], tuple[Triplets, np.random.Generator]]]:
    """Batches by number, as ``workers.Numbered``'s, of the triplets that have been made by then: half of each has a
    truth; and a generator for what is drawn of each. ``crowd``: larger than ``side``; the rest as ``supply``'s."""
    with supply(crowd, folder, side, makers=max(1, workers)) as stored:

        def drawn(number: int) -> tuple[Triplets, np.random.Generator]:
            rng = np.random.default_rng((seed, number))
            return stored.batch(rng, batch // 2, batch - batch // 2), rng

        yield drawn


def turned_most_alike(rows: Triplets) -> Triplets:
    """Choose the row of each ``DRAWN`` whose faces are turned most alike, by the nose's place between the eyes."""

    def turn(points: NDArray[np.float32]) -> NDArray[np.float32]:
        left, right, nose = (points[:, ring, 0].mean(1) for ring in (LEFT_EYE, RIGHT_EYE, [NOSE_TIP]))
        return np.asarray((nose - (left + right) / 2) / np.abs(right - left).clip(1))

    off = np.abs(turn(rows.photo_points) - turn(rows.target_points)).reshape(-1, DRAWN)
    return rows.part(off.argmin(1) + DRAWN * np.arange(len(off)))


def lessons(rows: Triplets, rng: np.random.Generator) -> Lessons:
    """Choose one of each ``DRAWN`` rows and place it at random."""
    rows = turned_most_alike(rows)
    samples = [_lesson(rows, k, rng) for k in range(len(rows))]
    return Lessons(*(np.stack(part) for part in zip(*samples, strict=True)))


def _lesson(rows: Triplets, k: int, rng: np.random.Generator) -> Lessons:
    side, flip = rows.target.shape[1], float(rng.random() < 0.5)
    (_, straight), (_, other) = (draw_maps(rng, replace(how, mirrored=flip), side, side) for how in (FACE, PHOTO))
    truth = (rows.truth if rows.known[k] else rows.warped)[k]
    face, mask, truth = (looked_up(one, straight) for one in (rows.target[k], rows.mask[k], truth))
    points, photo_points = placed(rows.target_points[k], straight), placed(rows.photo_points[k], other)
    return Lessons(face, mask, points, looked_up(rows.photo[k], other), photo_points, truth, rows.source[k])
