"""Who is beside or behind a followed face. On the whole picture the second detector takes half a face that looks out
from behind a clear one for a part of it. A network of the same kind, trained on squares in which the clear one is
painted out, finds the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Head, Image, Points, Track
from rtswap.networks.heads import HeadModel
from rtswap.vision.boxes import holds, side_of
from rtswap.vision.geometry import box_of, downwards
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
LEAST_SCORE, ONE_MORE, UNSURE = 0.5, 0.2, 0.15
"""Score from which somebody is there; from which one more is, beside somebody; and from which the next frame is
looked at as well. Of 237 pictures of one person 3 reach 0.5."""
EVERYWHERE = 0.7
"""The same in the whole picture: skirts and hands of one person reach 0.63 on clips, somebody at the border 0.75."""
OWN_HEAD = 0.2
"""Margin of a face, in its box, within which a head in the whole picture is the face's own."""
AS_LARGE = 0.6
"""Least size there, in followed faces: a smaller head is seen beside a clear face anyway, and in portraits leaves and
cars of 0.2 to 0.4 faces reach 0.7."""
LOW, LEAST_BELOW = 0.35, 0.85
"""How far from the face's middle towards its chin and beyond, in faces, a head must score this much: hands and prints
on clothes are there, and reach 0.78 on clips. What is in front of a chest the whole picture shows."""
SMALLEST = 0.4
"""Size of a head, in faces, below which the whole picture shows it as well."""
BLOCK = 8
"""Side in pixels of the blocks in which the reduced picture is compared with an earlier one."""
CHANGE, IN_DOUBT = 0.4, 0.1
"""Difference of a block around a face from the last time that was looked at, in standard deviations of the picture,
that calls for a look: heads that talk and sway change it by 0.04 a frame, somebody who comes out by 0.3 and more. And
the same where somebody may be there already."""
LEAST_CHANGE = 1.6
"""The same in levels, at least."""
MOST_SKIPPED = 7
"""Frames after which a face is looked around though nothing changed."""
Floats = NDArray[np.float32]


@dataclass
class _Surroundings:
    """What was seen around one face."""

    blocks: Floats
    heads: tuple[Head, ...]
    doubtful: bool
    """Whether it may be somebody: smaller changes call for a look."""
    skipped: int = 0


class Neighbours:
    """Looks around one face a frame, in turns. One per stream; not thread-safe. ``model``: the network
    ``neighbours``."""

    def __init__(self, model: HeadModel) -> None:
        self._model = model
        self._known: dict[int, _Surroundings] = {}
        """By track, the one whose turn is next first."""
        self._doubtful = False

    def reset(self) -> None:
        """The next frame belongs to another scene."""
        self._known = {}

    def look(self, image: Image, tracks: Sequence[Track], reduced: Image, blocks: Floats) -> tuple[Head, ...]:
        """The other heads around ``tracks`` that have been found so far. ``reduced``: the same picture with fewer
        pixels, and its ``blocks`` of one grey value each. Raises EngineError, ModelError."""
        by_id = {track.id: track for track in tracks}
        self._known = {id_: seen for id_, seen in self._known.items() if id_ in by_id}
        turns = [*(id_ for id_ in by_id if id_ not in self._known), *self._known]
        scale = tuple(BLOCK * image.shape[k] / reduced.shape[k] for k in (1, 0))
        turn = next((id_ for id_ in turns if self._is_due(by_id[id_], tracks, blocks, scale)), None)
        for seen in self._known.values():
            seen.skipped += 1
        if turn is not None:
            self._known.pop(turn, None)
            found = self._look_around(image, reduced, by_id[turn], tracks)
            if found is not None:
                self._known[turn] = _Surroundings(blocks, found, self._doubtful)
        return tuple(head for seen in self._known.values() for head in seen.heads)

    def look_everywhere(self, reduced: Image, tracks: Sequence[Track], scale: Floats) -> tuple[Head, ...]:
        """The heads in the whole reduced picture beside the faces of ``tracks``, all of which are painted out: one
        that lies beside a clear face, or is cut off by the border, is missed otherwise. ``scale``: the frame's pixels
        per pixel of ``reduced``, (x, y, x, y). Raises EngineError, ModelError."""
        picture = reduced.copy()
        paint_out(picture, [one.landmarks[:, :2] / scale[:2] for one in tracks])
        heads = [Head(row[:4] * scale, float(row[4])) for row in self._model.find(picture, EVERYWHERE)]
        own = [box_of(one.landmarks, OWN_HEAD) for one in tracks]
        least = AS_LARGE * min(side_of(one.box) for one in tracks)
        return tuple(
            head
            for head in heads
            if float(head.box[2] - head.box[0]) >= least
            and (head.score >= LEAST_BELOW or not all(_is_below(head, one) for one in tracks))
            and not any(holds(box, head.box) for box in own)
        )

    def _is_due(self, track: Track, tracks: Sequence[Track], blocks: Floats, scale: tuple[float, ...]) -> bool:
        """Whether anything changed around a face, beside the faces themselves. ``scale``: the frame's pixels per
        block, each way."""
        before = self._known.get(track.id)
        if before is None or before.skipped >= MOST_SKIPPED or before.blocks.shape != blocks.shape:
            return True
        change = cv2.absdiff(blocks, before.blocks)
        for one in tracks:
            x1, y1, x2, y2 = one.box.tolist()
            wide, tall = (GROWN - 1) / 2 * (x2 - x1), (GROWN - 1) / 2 * (y2 - y1)
            change[_within((x1 - wide, y1 - tall - UPWARDS * (y2 - y1), x2 + wide, y2 + tall), scale)] = 0
        x1, y1, x2, y2 = track.box.tolist()
        margin = (REACH - 1) / 2 * max(x2 - x1, y2 - y1)
        around_it = change[_within((x1 - margin, y1 - margin, x2 + margin, y2 + margin), scale)]
        least = IN_DOUBT if before.doubtful else CHANGE
        return float(around_it.max(initial=0)) > max(LEAST_CHANGE, least * float(blocks.std()))

    def _look_around(
        self, image: Image, reduced: Image, track: Track, tracks: Sequence[Track]
    ) -> tuple[Head, ...] | None:
        """The heads around one face; None if hardly anything of it lies in the image."""
        x1, y1, x2, y2 = box_of(track.landmarks).tolist()
        side = REACH * max(x2 - x1, y2 - y1)
        corner = np.array([(x1 + x2 - side) / 2, (y1 + y2 - side) / 2], np.float32)
        scale = np.divide(reduced.shape[1::-1], image.shape[1::-1])
        if side * scale.min() >= ENOUGH * SIDE:
            square = around(reduced, corner * scale, side * scale)
        else:
            square = around(image, corner, np.array([side, side]))
        if square is None:
            return None
        paint_out(square, [(one.landmarks[:, :2] - corner) * (SIDE / side) for one in tracks])
        self._doubtful = False
        if int(np.ptp(square)) <= 1:  # one grey value: nobody can be in it
            return ()
        found = self._heads_in(square, downwards(track.landmarks))
        places = found[:, :4] * np.float32(side / SIDE) + np.tile(corner, 2)
        heads = [Head(place, float(score)) for place, score in zip(places, found[:, 4], strict=True)]
        # Whoever is behind another face is seen when that one is looked around.
        others = [box_of(one.landmarks) for one in tracks if one.id != track.id]
        return tuple(head for head in heads if not any(holds(box, head.box) for box in others))

    def _heads_in(self, square: Image, down: Floats) -> Floats:
        """(N, 5) as ``HeadModel.find``. ``down``: ``downwards`` of the face in the middle."""
        found = self._model.find(square, UNSURE)
        found = found[found[:, 2] - found[:, 0] >= SMALLEST * SIDE / REACH]
        high = ((found[:, :2] + found[:, 2:4] - SIDE) / 2) @ down <= LOW * SIDE / REACH
        self._doubtful = bool(high.any())
        least = ONE_MORE if (high & (found[:, 4] >= LEAST_SCORE)).any() else LEAST_SCORE
        return np.asarray(found[found[:, 4] >= np.where(high, least, LEAST_BELOW)], np.float32)


def _is_below(head: Head, track: Track) -> bool:
    """Whether a head is where the chest of somebody is."""
    away = (head.box[:2] + head.box[2:] - track.box[:2] - track.box[2:]) / 2
    return float(away @ downwards(track.landmarks)) >= LOW * side_of(track.box)


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
    """Fill the faces, meshes (468, 2) in the square's or picture's pixels, and the hair above them with its mean
    colour, in place."""
    colour, reach = cv2.mean(square)[:3], max(square.shape)
    for mesh in faces:
        near = np.clip(outline(mesh), -2 * reach, 3 * reach).astype(np.int32)  # of NaN, whatever comes: it is covered
        cv2.fillConvexPoly(square, cv2.convexHull(near), colour)


def outline(mesh: Points) -> Points:
    """(N, 2) whose convex hull is what is painted out of a face, from its mesh (468, 2)."""
    oval = mesh[OVAL]
    middle = oval.mean(axis=0)
    grown = middle + (oval - middle) * np.float32(GROWN)
    return np.concatenate([grown, grown + (mesh[FOREHEAD] - mesh[CHIN]) * np.float32(UPWARDS)])


def _within(box: tuple[float, ...], scale: tuple[float, ...]) -> tuple[slice, slice]:
    """The blocks that a box of the frame touches; all of them for one that is not finite."""
    if not all(map(math.isfinite, box)):
        return slice(None), slice(None)
    (left, right), (top, bottom) = ((box[k] / scale[k], box[k + 2] / scale[k]) for k in (0, 1))
    return slice(max(int(top), 0), max(math.ceil(bottom), 0)), slice(max(int(left), 0), max(math.ceil(right), 0))
