"""The second detector as it watches a stream: the reduced picture, heads in it, cuts, and whether it can be sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import NOTHING_SEEN, Box, Head, Image, Sighting, Track
from rtswap.networks.heads import HeadModel, only_once
from rtswap.tracking.association import iou
from rtswap.tracking.close_look_queue import CloseLookQueue
from rtswap.tracking.fine_look import FineLook
from rtswap.tracking.neighbours import BLOCK, LEAST_CHANGE, Neighbours
from rtswap.tracking.reduced_picture import AREA, is_another_scene, is_clear, reduced
from rtswap.tracking.second_look import SAME_HEAD, SecondLook, close_up_of, mean_scores
from rtswap.vision.boxes import holds, side_of

PHOTO_AREA = 4 * AREA
"""For single pictures, in which time does not count."""
FAINT = 0.3
"""Score from which a head is told."""
KEEPS = 0.4
"""Score in either network from which a cover stays, while nobody is swapped: a head that nods until only its crown is
seen scores 0.45 in the other one and 0.16 in the first, and one in stripes of light 0.4 and 0."""
CERTAIN = 0.6
"""Score of a head that shows that a picture is clear."""
UNSURE = 0.2, 0.85
"""Scores between which a head is looked at more closely, in all pixels of the frame: faces of 15 px in 960 score 0.3
to 0.5 before."""
AT_FIRST = 0.15
"""The lower one in the first frame of a scene: faces of 28 px in 1920 in soft light score 0.16."""
CONFIRMED = 0.88
"""Score of ``SecondLook.closely`` that confirms a head. Of 237 pictures of one person, moved as by a hand, places are
covered in 12."""
PHOTO_UNSURE, PHOTO_CONFIRMED = 0.45, 0.91
"""The same in single pictures, of which more pixels are seen anyway: buttons on shirts score less."""
OWN_SIZE = 0.6
"""Least size of a face's own head, in faces: what is smaller may be a picture that is held before it."""
NOSE = 0.25
"""Distance of its middle from a swapped face's, in faces, within which a small head is its nose and mouth: those of
dark skin score 1.0, looked at closely, and people with dark skin were blurred while they were swapped."""
BEFORE, CONFIRMED_BEFORE = 0.3, 0.8
"""Share of a head that lies in a swapped face's box from which it may be before that face, and what confirms it
there: the swap ends where something is before the face, so that a picture that is held there would be bare."""
SMALL = 18.0
"""Size in pixels of the reduced picture below which it tells a head's place but coarsely."""
AGAIN = 0.02, 0.06
"""By how much further close looks must be surer than the first: at heads that are hard to see, and at others, since
of several looks at a fist one is sure more easily."""
SHADE_EVERY = 6
"""Looks, while somebody is swapped, of which one is for heads in shade, too."""
SURER_IN_SHADE = 0.03
"""By how much further those must then be confirmed: hands of somebody who signs look like heads, equalised."""
CHANGE = 0.05
"""Difference of a block that calls for a look, in standard deviations of the picture; ``LEAST_CHANGE`` at least."""
MOST_SKIPPED = 7
"""Frames in a row in which nothing changed that are not looked at."""
AROUND_FACE = 0.3
"""Margin of a swapped face, in its longer side, in which small changes call for no look: that is its own head."""
POPPED_UP = 0.7
"""Difference of a block within the face from the last frame that does, in standard deviations of the picture: a
picture is held before it, say."""
CAME, CAME_SHARE, CALM = 0.2, 0.25, 0.5
"""Difference of a block from the last frame, in standard deviations of the picture, that shows that something came
there; share of a place in which that is so where somebody may have come; and share of the whole picture up to which
it is not the camera that moves."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Unsure:
    """A head that the first look was not sure of."""

    box: Box
    """In the reduced picture."""
    before: float
    """Its score then."""
    shade: bool
    again: float
    """As ``SecondLook.closely``'s."""


class Sentinel:
    """Implements ``protocols.Lookout``. ``beside``: the network that looks around followed faces; ``close``: the one
    for close-ups; ``photos``: every picture is one by itself. One per stream; not thread-safe.

    The network looks at every frame in which anything changed beside the faces that are swapped, and at every
    eighth.
    """

    def __init__(self, model: HeadModel, beside: HeadModel, close: HeadModel, *, photos: bool = False) -> None:
        self._model, self._photos = model, photos
        self._second = SecondLook(model, beside, close)
        self._low, self._confirmed = (PHOTO_UNSURE, PHOTO_CONFIRMED) if photos else (UNSURE[0], CONFIRMED)
        self._neighbours = Neighbours(beside)
        self._fine, self._queue = FineLook(model), CloseLookQueue()
        self.reset()

    def reset(self) -> None:
        """See ``protocols.Lookout``."""
        self._last: Floats | None = None
        self._looked: Floats | None = None
        """Blocks of the last frame, and of the last one that was looked at."""
        self._found: Floats = np.zeros((0, 5), np.float32)
        self._skipped = 0
        self._in_shade: Floats = np.zeros((0, 5), np.float32)
        self._looks = 0
        """Since heads in shade were looked for."""
        self._faint: Floats = np.zeros((0, 5), np.float32)
        """What looked a little like a head to either network, while nobody was swapped."""
        self._unsure: list[_Unsure] = []
        """Heads of the last look that it was not sure of, and a closer one may have confirmed."""
        self._queue.reset()
        self._sure = True
        self._sighting, self._scale = NOTHING_SEEN, np.ones(4, np.float32)
        """What was last told; the frame's pixels per pixel of the reduced picture, (x, y, x, y)."""
        self._picture: Image | None = None
        """The last frame, reduced."""
        self._elsewhere: tuple[Head, ...] = ()
        """Who was seen beside followed faces in the whole picture."""
        self._came: tuple[Head, ...] = ()
        """What came into a picture in which nobody is swapped, and looks a little like a head."""
        self._neighbours.reset()
        self._fine.reset()

    def look(self, image: Image, settled: Sequence[Box] = ()) -> Sighting:
        """See ``protocols.Lookout``."""
        self._picture = picture = reduced(image, PHOTO_AREA if self._photos else AREA)
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        size = picture.shape[1] // BLOCK, picture.shape[0] // BLOCK
        blocks = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        spread = float(blocks.std())
        before, self._last = self._last, blocks
        cut = before is not None and is_another_scene(before, blocks)
        scale = np.tile(np.divide(image.shape[1::-1], picture.shape[1::-1]), 2).astype(np.float32)
        known = [(box / scale / BLOCK).astype(np.float32) for box in settled]
        if cut:
            self._neighbours.reset()
            self._fine.reset()
            self._queue.reset()
            self._looks = SHADE_EVERY
        if cut or self._skipped >= MOST_SKIPPED or self._has_changed(blocks, spread, known, before):
            self._came, self._unsure, flat = (), [], int(np.ptp(gray)) <= 1  # one grey value: nobody can be in it
            self._found = np.zeros((0, 5), np.float32) if flat else self._look_twice(image, picture, scale, settled)
            if not (flat or settled or self._photos or before is None or before.shape != blocks.shape):
                self._came = self._newcomers(np.abs(blocks - before), spread, scale)
            self._looked, self._skipped = blocks, 0
            self._sure = flat or bool((self._found[:, 4] >= CERTAIN).any()) or is_clear(gray)
        else:
            self._skipped += 1
        self._scale = scale
        faint = [] if settled else [Head(row[:4] * scale, float(row[4])) for row in self._faint if row[4] >= KEEPS]
        self._sighting = Sighting(self._heads(), cut, self._sure, faint=tuple(faint))
        return self._sighting

    def look_beside(self, image: Image, tracks: Sequence[Track]) -> Sighting:
        """See ``protocols.Lookout``."""
        if self._picture is None or self._last is None or not tracks:
            self._elsewhere = ()
            return replace(self._sighting, beside=self._came if self._skipped == 0 else ())
        if self._skipped == 0:
            self._elsewhere = self._neighbours.look_everywhere(self._picture, tracks, self._scale)
            self._look_without(image, tracks)
        held = [self._second.held_before(image, track, self._confirmed) for track in tracks]
        around = self._neighbours.look(image, tracks, self._picture, self._last)
        beside = (*around, *self._elsewhere, *(head for head in held if head is not None))
        return replace(self._sighting, heads=self._heads(), beside=beside)

    def _heads(self) -> tuple[Head, ...]:
        return tuple(Head(row[:4] * self._scale, float(row[4])) for row in self._found)

    def _look_without(self, image: Image, tracks: Sequence[Track]) -> None:
        """Look closely at unsure heads beside ``tracks`` with those faces painted out: beside a face, its ear or neck
        looks like a head. What that does not confirm keeps the score of the first look, or of this one if less. A
        head that lies in a face may be before it, and would be painted out, too."""
        meshes, faces = [track.landmarks for track in tracks], [track.box for track in tracks]
        for one in self._unsure:
            box = one.box * self._scale
            near = (iou([close_up_of(box)], faces) > 0).any()
            if not near or any(_share_in(box, face) > BEFORE for face in faces):
                continue
            score = self._second.closely(
                image, box, self._confirmed, shade=one.shade, again=one.again, without=meshes
            )
            if score < self._confirmed:
                same = (self._found[:, :4] == one.box).all(axis=1)
                self._found[same, 4] = min(one.before, max(score, FAINT))
        self._found = self._found[self._found[:, 4] >= FAINT]

    def _look_twice(self, image: Image, picture: Image, scale: Floats, settled: Sequence[Box]) -> Floats:
        """The heads (N, 5) in the reduced ``picture``, those that a second look confirms with its score. Heads in
        shade must be confirmed once."""
        found = self._model.find(picture, min(self._worth_a_look(), UNSURE[0]))
        if not (settled or self._photos):
            others = self._second.others(picture)
            found[:, 4] = np.maximum(found[:, 4], mean_scores(found, others))
            self._faint = np.concatenate([found, others])
            alone = (iou(list(others[:, :4]), list(found[:, :4])) <= SAME_HEAD).all(axis=1)
            seen_by_one = others[alone & (others[:, 4] >= KEEPS)]
            seen_by_one[:, 4] = np.maximum(seen_by_one[:, 4] / 2, FAINT)
            found = np.concatenate([found, seen_by_one])
        self._looks += 1
        if not settled or self._looks >= SHADE_EVERY:
            self._in_shade, self._looks = self._second.in_shade(picture), 0
        clear = [*found[found[:, 4] >= CERTAIN, :4], *(face / scale for face in settled)]
        self._in_shade = self._in_shade[~np.array([_is_part(box, clear) for box in self._in_shade[:, :4]], bool)]
        small = self._small_heads(image, found, scale, bool(settled))
        coarse, lit = len(found), len(found) + len(small)
        heads = np.concatenate([found, small, self._in_shade])
        again = self._beyond_first_look(heads[:, :4], clear, settled)
        closer = self._look_closely(image, heads, scale, lit, settled, again)
        before = [any(_share_in(box, face) > BEFORE for face in settled) for box in heads[:, :4] * scale]
        closer[np.array(before, bool) & (closer >= CONFIRMED_BEFORE)] = self._confirmed
        self._unsure = [
            _Unsure(box, float(first), row >= lit, again[row])
            for row, (box, first) in enumerate(zip(heads[:, :4].copy(), heads[:, 4], strict=True))
            if first < UNSURE[1] and max(first, closer[row]) >= CERTAIN
        ]
        heads[:, 4] = np.where(closer >= self._confirmed, np.maximum(heads[:, 4], closer), heads[:, 4])
        self._in_shade[:, 4] = heads[lit:, 4]
        known = (iou(list(heads[:, :4]), list(self._found[:, :4])) > SAME_HEAD).any(axis=1)
        kept = heads[:, 4] >= np.where(known | (np.arange(len(heads)) < coarse), FAINT, self._confirmed)
        self._fine.seen = heads[coarse:lit][kept[coarse:lit]]
        return only_once(heads[kept])

    def _small_heads(self, image: Image, found: Floats, scale: Floats, swapped: bool) -> Floats:
        """Heads that only a finer picture shows, or shows better. They must be confirmed once. While somebody is
        ``swapped``, that is looked into at every other look."""
        if self._photos:
            return np.zeros((0, 5), np.float32)
        later = swapped and self._looks % 2 and not self._fine.is_new
        small = self._fine.seen if later else self._fine.look(image, scale)
        return small[(iou(list(small[:, :4]), list(found[:, :4])) <= SAME_HEAD).all(axis=1)]

    def _worth_a_look(self) -> float:
        """Score from which a head is looked at more closely."""
        return self._low if self._photos or not self._queue.is_new else AT_FIRST

    def _newcomers(self, change: Floats, spread: float, scale: Floats) -> tuple[Head, ...]:
        """Of what looks a little like a head, in shade, too, what stands where the picture changed from one frame to
        the next, while most of it did not. ``change``: of its blocks."""
        changed = change > max(LEAST_CHANGE, CAME * spread)
        if changed.mean() > CALM:
            return ()
        faint = np.concatenate([self._faint, self._in_shade])
        faint = faint[faint[:, 4] >= FAINT]
        came = []
        for x1, y1, x2, y2 in np.round(faint[:, :4] / BLOCK).astype(int):
            part = changed[max(y1, 0) : max(y2, y1 + 1), max(x1, 0) : max(x2, x1 + 1)]
            came.append(part.size > 0 and float(part.mean()) >= CAME_SHARE)
        return tuple(Head(row[:4] * scale, float(row[4])) for row in faint[np.array(came, bool)])

    def _look_closely(
        self, image: Image, heads: Floats, scale: Floats, lit: int, settled: Sequence[Box], again: Sequence[float]
    ) -> Floats:
        """(N,) scores after a closer look at heads that are not of ``settled`` faces, new ones first; 0 for those
        that were not looked at. From number ``lit`` on they are in shade. ``again``: as ``SecondLook.closely``'s."""
        boxes, scores, closer = heads[:, :4] * scale, heads[:, 4], np.zeros(len(heads), np.float32)
        unsure = [
            row
            for row, score in enumerate(scores)
            if self._worth_a_look() <= score < UNSURE[1]
            and not any(_may_be_of(boxes[row], face) or _is_nose_of(boxes[row], face) for face in settled)
        ]
        chosen = self._queue.choose([boxes[row] for row in unsure], [float(scores[row]) for row in unsure])
        for row in (unsure[number] for number in chosen):
            shade = row >= lit
            surer = SURER_IN_SHADE if shade and settled else 0.0
            least = self._confirmed + surer
            closer[row] = self._second.closely(image, boxes[row], least, shade=shade, again=again[row]) - surer
            self._queue.add(boxes[row], float(scores[row]), float(closer[row]))
        return closer

    def _beyond_first_look(self, boxes: Floats, clear: Sequence[Box], settled: Sequence[Box]) -> list[float]:
        """What a head that the first close look does not confirm must reach in further ones: less if it is too small
        for the reduced picture to place it well, and while nobody is swapped; infinitely much if it may be a part of
        one of the ``clear`` ones, since beards look like heads. ``boxes`` and ``clear`` in the reduced picture."""
        nobody = not (settled or self._photos)
        return [
            np.inf if _is_part(box, clear) else AGAIN[0] if nobody or box[2] - box[0] < SMALL else AGAIN[1]
            for box in boxes
        ]

    def _has_changed(self, blocks: Floats, spread: float, known: Sequence[Box], before: Floats | None) -> bool:
        if self._looked is None or before is None or self._looked.shape != blocks.shape:
            return True
        change, sudden = cv2.absdiff(blocks, self._looked), cv2.absdiff(blocks, before)
        for x1, y1, x2, y2 in known:
            within = sudden[max(int(y1), 0) : max(int(y2), 0), max(int(x1), 0) : max(int(x2), 0)]
            if float(within.max(initial=0)) > max(LEAST_CHANGE, POPPED_UP * spread):
                return True
            margin = AROUND_FACE * max(x2 - x1, y2 - y1)
            left, top = max(int(x1 - margin), 0), max(int(y1 - margin), 0)
            change[top : max(int(y2 + margin) + 1, 0), left : max(int(x2 + margin) + 1, 0)] = 0
        return float(change.max()) > max(LEAST_CHANGE, CHANGE * spread)


def _may_be_of(head: Box, face: Box) -> bool:
    """Whether a head can be that of a face: its middle lies in the face, and it is not much smaller."""
    return holds(face, head) and float(head[2] - head[0]) >= OWN_SIZE * side_of(face)


def _is_nose_of(head: Box, face: Box) -> bool:
    away = (head[:2] + head[2:] - face[:2] - face[2:]) / 2
    return float(np.linalg.norm(away)) < NOSE * side_of(face)


def _is_part(head: Box, clear: Sequence[Box]) -> bool:
    """Whether a head may be the nose and mouth of a larger one: those of dark skin and beards look like one,
    equalised."""
    return any(holds(one, head) and not _may_be_of(head, one) for one in clear)


def _share_in(head: Box, face: Box) -> float:
    """Share of a head's box that lies in a face's."""
    sides = np.minimum(head[2:], face[2:]) - np.maximum(head[:2], face[:2])
    return float(np.maximum(sides, 0).prod() / max(float((head[2:] - head[:2]).prod()), 1e-6))
