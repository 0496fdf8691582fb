"""The faces of one person, as recipes learn them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.finishes.color_transfers import Colors, rct
from rtswap.core.types import Image, Mask, Points
from rtswap.training.warp import Map, Variation, draw_maps
from rtswap.vision.raster import fill
from rtswap.vision.resample import looked_up, resized
from rtswap.vision.topology import LEFT_EYE, LIPS_OUTER, RIGHT_EYE

YAW_BINS = 16
"""Equal ranges of yaw between the outermost ones; with uniform yaw each is drawn equally often."""
GROWN = 0.35
"""How far around eyes and lips their weight reaches, as a share of their width."""

BLUR = 0.06
"""Longest motion blur, as a share of a sample's side."""


@dataclass(frozen=True)
class Person:
    """N aligned faces of S px."""

    pictures: NDArray[np.uint8]
    """(N, S, S, 3) BGR."""
    masks: NDArray[np.uint8]
    """(N, S, S): 255 where the face can be seen."""
    features: NDArray[np.uint8]
    """(N, S, S): 255 at eyes and mouth."""
    yaws: NDArray[np.float32]
    """(N,) degrees."""
    points: NDArray[np.float32] | None = None
    """(N, 468, 2) px: the landmarks, where they are known."""

    def __len__(self) -> int:
        return len(self.pictures)

    def part(self, rows: NDArray[np.int64]) -> Person:
        """Return only these faces."""
        points = None if self.points is None else self.points[rows]
        return Person(self.pictures[rows], self.masks[rows], self.features[rows], self.yaws[rows], points)

    @classmethod
    def join(cls, *people: Person) -> Person:
        """Join the faces of several people as if they were one, without landmarks."""
        parts = zip(*((one.pictures, one.masks, one.features, one.yaws) for one in people), strict=True)
        return cls(*map(np.concatenate, parts))

    def rows_by_yaw(self) -> list[NDArray[np.int64]]:
        """Rows of each range of yaw that has any."""
        edges = np.linspace(self.yaws.min(), self.yaws.max() + 1e-3, YAW_BINS + 1)
        place = np.digitize(self.yaws, edges)
        return [np.flatnonzero(place == number) for number in np.unique(place)]


def features_of(landmarks: Points, side: int) -> Mask:
    """(side, side): 255 at the eyes and the mouth. ``landmarks``: (468, 2 or 3) px."""
    drawn = np.zeros((side, side), np.uint8)
    for ring in (LEFT_EYE, RIGHT_EYE, LIPS_OUTER):
        points = landmarks[ring, :2].astype(np.float32)
        fill(drawn, [points], 255)
        reach = max(1, round(GROWN / 2 * float(np.ptp(points[:, 0]))))
        part = np.zeros_like(drawn)
        fill(part, [points], 255)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        drawn = np.maximum(drawn, cv2.dilate(part, kernel)).astype(np.uint8)
    return drawn


@dataclass(frozen=True)
class Draw:
    """How samples of one person are drawn."""

    person: Person
    side: int
    """Of a sample in px."""
    variation: Variation
    uniform_yaw: bool = False
    colours_of: Person | None = None
    """Give samples the colours of random faces of this person."""
    coloured: float = 1.0
    """Share of the samples that get them."""
    moving: float = 0.0
    """Share of the samples with motion blur, in both pictures."""

    def sample(self, rng: np.random.Generator) -> tuple[Image, Image, Mask, Mask]:
        """Warped face and the face (side, side, 3), its mask and its features (side, side)."""
        row = self._row(rng)
        person = self.person
        warped, straight = draw_maps(rng, self.variation, person.pictures.shape[1], self.side)
        given, shown = looked_up(person.pictures[row], warped), looked_up(person.pictures[row], straight)
        mask, features = looked_up(person.masks[row], straight), looked_up(person.features[row], straight)
        if self.colours_of is not None and rng.random() < self.coloured:
            other = int(rng.integers(len(self.colours_of)))
            given, shown = recolour([given, shown], shown, mask, self.colours_of, other)
        if self.moving and rng.random() < self.moving:
            kernel = motion(rng, self.side)
            given, shown = (np.asarray(cv2.filter2D(picture, -1, kernel), np.uint8) for picture in (given, shown))
        return given, shown, mask, features

    def batch(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.uint8], ...]:
        """``count`` samples, stacked."""
        return tuple(np.stack(part) for part in zip(*(self.sample(rng) for _ in range(count)), strict=True))

    def _row(self, rng: np.random.Generator) -> int:
        if not self.uniform_yaw:
            return int(rng.integers(len(self.person)))
        bins = self.person.rows_by_yaw()
        return int(rng.choice(bins[int(rng.integers(len(bins)))]))


def motion(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """Kernel of a random motion of up to ``BLUR`` of the side."""
    reach = max(1, round(BLUR / 2 * side * rng.uniform(0.3, 1)))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    angle = rng.uniform(0, np.pi)
    x, y = round(16 * reach * np.cos(angle)), round(16 * reach * np.sin(angle))
    middle = 16 * reach
    cv2.line(kernel, (middle - x, middle - y), (middle + x, middle + y), 255, 1, cv2.LINE_AA, 4)
    return np.asarray(kernel / np.float32(kernel.sum()), np.float32)


def recolour(pictures: list[Image], face: Image, mask: Mask, other: Person, row: int) -> list[Image]:
    """``pictures`` with the colours of another person's face: Reinhard's transfer between both faces' skin."""

    def colors(picture: Image, seen: Map | Mask) -> Colors:
        small = resized(picture, (32, 32), cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
        weights = resized(seen, (32, 32), cv2.INTER_AREA).reshape(-1).astype(np.float32)
        return Colors(small, weights + np.float32(1e-3))

    affine = rct(colors(face, mask), colors(other.pictures[row], other.masks[row]))
    return [np.asarray(cv2.transform(picture, affine), np.uint8) for picture in pictures]
