"""Who is beside or behind a followed face. On the whole picture the second detector takes half a face that looks out
from behind a clear one for a part of it; with the clear one painted out, it finds the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Head, Image, Points, Track
from rtswap.networks.heads import HeadModel, only_once
from rtswap.vision.geometry import box_of
from rtswap.vision.topology import CHIN, FOREHEAD, OVAL

SIDE = 128
"""Pixels of the square that is looked at, each way."""
REACH = 2.5
"""Its side, in longer sides of the face: what is farther away the whole picture shows."""
GROWN, UPWARDS = 1.2, 0.2
"""Size of what is painted out, in face ovals, and how far it reaches beyond the forehead, in faces."""
ENOUGH = 0.75
"""Pixels of the reduced picture per pixel of the square, each way, from which it is taken from there: the frame costs
ten times as much."""
LEAST_SCORE = 0.85
"""Score from which somebody is there: what is left of one person alone, mostly hands, reaches 0.78 on clips."""
LOOKS_OUT, APART = 0.6, 0.25
"""The same for a head no lower than the face, its middle at least so many faces away: necks and hands are lower, and
hair lies around the face."""
SMALLEST, LARGEST = 0.4, 2.0
"""Size of a head, in faces, below which the whole picture shows it as well; and above which it is none."""
ON_ONE_SIDE, ON_BOTH_SIDES = 0.46, 0.38
"""The same score where one half of the square is looked at alone, since two who look out on both sides make one large
head around the face; and where both halves reach it. Of 48 views of people alone one reached 0.41, on one side."""
BLOCK = 8
CHANGE = 0.25
"""Side in pixels of the blocks in which a square is compared with the last one that was looked at, and the difference
of a block, in standard deviations of the square, that calls for another look."""
MOST_SKIPPED = 3
"""Looks in a row that are saved because nothing changed."""
EVERY = 2
"""Frames per look: who comes out from behind a head takes several frames to do so, and a look costs 2 ms."""


@dataclass
class _Surroundings:
    """What was seen around one face."""

    blocks: NDArray[np.float32]
    heads: tuple[Head, ...]
    skipped: int = 0


class Neighbours:
    """Looks around one face a frame, in turns. One per stream; not thread-safe."""

    def __init__(self, model: HeadModel) -> None:
        self._model = model
        self._known: dict[int, _Surroundings] = {}
        """By track, the one whose turn is next first."""
        self._frames = 0
        self._doubtful = False
        """Whether the last look saw something: the next frame is looked at as well."""

    def reset(self) -> None:
        """The next frame belongs to another scene."""
        self._known = {}

    def look(self, image: Image, tracks: Sequence[Track], reduced: Image | None = None) -> tuple[Head, ...]:
        """The other heads around ``tracks`` that have been found so far. ``reduced``: the
        same picture with fewer pixels, if there is one. Raises EngineError, ModelError."""
        by_id = {track.id: track for track in tracks}
        self._known = {id_: seen for id_, seen in self._known.items() if id_ in by_id}
        turn = next((id_ for id_ in (*(id_ for id_ in by_id if id_ not in self._known), *self._known)), None)
        self._frames += 1
        if turn is not None and (turn not in self._known or self._frames % EVERY == 0 or self._doubtful):
            self._doubtful = False
            seen = self._look_around(image, reduced, by_id[turn], tracks, self._known.pop(turn, None))
            if seen is not None:
                self._known[turn] = seen
        return tuple(head for seen in self._known.values() for head in seen.heads)

    def _look_around(
        self,
        image: Image,
        reduced: Image | None,
        track: Track,
        tracks: Sequence[Track],
        before: _Surroundings | None,
    ) -> _Surroundings | None:
        x1, y1, x2, y2 = box_of(track.landmarks).tolist()
        side = REACH * max(x2 - x1, y2 - y1)
        corner = np.array([(x1 + x2 - side) / 2, (y1 + y2 - side) / 2], np.float32)
        scale = np.divide((reduced if reduced is not None else image).shape[1::-1], image.shape[1::-1])
        if reduced is not None and side * scale.min() >= ENOUGH * SIDE:
            square = around(reduced, corner * scale, side * scale)
        else:
            square = around(image, corner, np.array([side, side]))
        if square is None:
            return None
        paint_out(square, [(one.landmarks[:, :2] - corner) * (SIDE / side) for one in tracks])
        size = SIDE // BLOCK, SIDE // BLOCK
        gray = cv2.cvtColor(square, cv2.COLOR_BGR2GRAY)
        blocks = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.float32)
        if before is not None and before.skipped < MOST_SKIPPED:
            change = np.abs(blocks - before.blocks).max()
            if change <= CHANGE * gray.std():
                before.skipped += 1
                return before
        if int(np.ptp(gray)) <= 1:  # one grey value: nobody can be in it
            return _Surroundings(blocks, ())
        found = self._heads_in(square)
        places = found[:, :4] * np.float32(side / SIDE) + np.tile(corner, 2)
        heads = tuple(Head(place, float(score)) for place, score in zip(places, found[:, 4], strict=True))
        return _Surroundings(blocks, heads)

    def _heads_in(self, square: Image) -> NDArray[np.float32]:
        """(N, 5) as ``HeadModel.find``, of other people only."""
        found = self._model.find(square, LOOKS_OUT)
        across, down, size = _measured(found)
        counts = size >= SMALLEST
        there = (found[:, 4] >= LEAST_SCORE) | ((down <= 0) & (np.hypot(across, down) >= APART))
        found = found[there & counts]
        self._doubtful = bool(counts.any())
        if self._doubtful:
            sides = [self._heads_on_one_side(square, half) for half in (slice(SIDE // 2, SIDE), slice(0, SIDE // 2))]
            least = ON_BOTH_SIDES if all(map(len, sides)) else ON_ONE_SIDE
            found = np.concatenate([found, *(side[side[:, 4] >= least] for side in sides)])
        return only_once(found)

    def _heads_on_one_side(self, square: Image, hidden: slice) -> NDArray[np.float32]:
        one_side = square.copy()
        one_side[:, hidden] = np.round(cv2.mean(square)[:3])
        found = self._model.find(one_side, ON_BOTH_SIDES)
        across, down, size = _measured(found)
        fits = (size >= SMALLEST) & (size <= LARGEST) & (down <= 0) & (np.hypot(across, down) >= APART)
        return np.asarray(found[fits], np.float32)


def _measured(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, N) x, y and size of heads relative to the followed face, in face sizes."""
    middle = (found[:, :2] + found[:, 2:4]) / 2 - SIDE / 2
    size = found[:, 2:3] - found[:, :1]
    return np.concatenate([middle, size], 1).T * np.float32(REACH / SIDE)


def around(image: Image, corner: Points, sides: Points) -> Image | None:
    """The rectangle at ``corner``, as large as ``sides`` (x, y), as (SIDE, SIDE, 3); its mean colour where it leaves
    the image; None if hardly anything of it lies in the image."""
    if not np.isfinite([*corner, *sides]).all() or sides.min() < 1:
        return None
    (left, right), (start, end) = _span(corner[0], sides[0], image.shape[1])
    (top, bottom), (first, last) = _span(corner[1], sides[1], image.shape[0])
    width, height = end - start, last - first
    if min(right - left, bottom - top, width, height) < 8:
        return None
    part = image[top:bottom, left:right]
    while part.shape[1] >= 2 * width and part.shape[0] >= 2 * height:
        half = part.shape[1] // 2, part.shape[0] // 2
        part = np.asarray(cv2.resize(part, half, interpolation=cv2.INTER_AREA), np.uint8)
    part = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    square = np.empty((SIDE, SIDE, 3), np.uint8)
    square[:] = np.round(cv2.mean(part)[:3])
    square[first:last, start:end] = part
    return square


def _span(corner: float, side: float, limit: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where one side of the rectangle lies in the image, and in the square."""
    low, high = (min(max(edge, 0), limit) for edge in (math.floor(corner), math.ceil(corner + side)))
    start, end = (min(max(round((edge - corner) * (SIDE / side)), 0), SIDE) for edge in (low, high))
    return (low, high), (start, end)


def paint_out(square: Image, faces: Sequence[Points]) -> None:
    """Fill the faces, meshes (468, 2) in the square's pixels, and the hair above them with its mean colour, in
    place."""
    colour = cv2.mean(square)[:3]
    for mesh in faces:
        oval = mesh[OVAL]
        middle = oval.mean(axis=0)
        grown = middle + (oval - middle) * np.float32(GROWN)
        outline = np.concatenate([grown, grown + (mesh[FOREHEAD] - mesh[CHIN]) * np.float32(UPWARDS)])
        near = np.clip(outline, -SIDE, 2 * SIDE).astype(np.int32)  # of NaN, whatever comes: it is covered
        cv2.fillConvexPoly(square, cv2.convexHull(near), colour)
