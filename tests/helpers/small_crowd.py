"""A crowd for tests of one-shot recipes: blurred colours for faces, the canonical mesh as landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from people import place_mesh

from rtswap.training.crowd import Crowd
from rtswap.training.triplets import Triplets
from rtswap.vision.topology import OVAL


def small_crowd(count: int = 40, side: int = 64) -> Crowd:
    """``count`` people: a coloured face with darker eyes and mouth, turned by up to 20 degrees, on a background."""
    rng = np.random.default_rng(5)
    pictures = np.zeros((count, side, side, 3), np.uint8)
    masks = np.zeros((count, side, side), np.uint8)
    points = np.zeros((count, 468, 3), np.float32)
    for k in range(count):
        points[k] = place_mesh(0.6 * side, (side / 2, side / 2), yaw=float(rng.uniform(-20, 20)))
        ring = [np.round(points[k, OVAL, :2]).astype(np.int32)]
        cv2.fillPoly(masks[k], ring, 255)
        pictures[k] = rng.integers(20, 236, 3)
        cv2.fillPoly(pictures[k], ring, rng.integers(60, 236, 3).tolist())
        for at in (33, 263, 13):
            centre = tuple(np.round(points[k, at, :2]).astype(int).tolist())
            cv2.circle(pictures[k], centre, side // 16, rng.integers(0, 120, 3).tolist(), -1)
        pictures[k] = cv2.GaussianBlur(pictures[k], (0, 0), side / 64)
    vectors = rng.normal(size=(count, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Crowd(pictures, masks, points, vectors, np.arange(count))


@contextmanager
def supply_triplets(people: Crowd, *_: object, **__: object) -> Iterator[MadeTriplets]:
    """As ``triplets.supply``, without a process that makes them."""
    yield MadeTriplets(people)


class MadeTriplets:
    """Triplets whose swap by ``mesh`` is the truth, darker."""

    def __init__(self, people: Crowd) -> None:
        self._people = people

    def batch(self, rng: np.random.Generator, known: int, cross: int) -> Triplets:
        source = rng.integers(len(self._people), size=known + cross)
        goal = np.concatenate([source[:known], rng.integers(len(self._people), size=cross)])
        pictures, points, masks = (getattr(self._people, name) for name in ("pictures", "points", "masks"))
        truth = pictures[goal]
        return Triplets(
            pictures[source][:, :, ::-1], np.roll(truth, 1, 0), truth, truth // 2, masks[goal], masks[goal],
            points[source], points[goal], source, goal, np.arange(known + cross) < known,
        )  # fmt: skip
