"""The second detector as it watches a stream: the reduced picture, heads in it, cuts, and whether it can be sure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box, Head, Image, Sighting, Track
from rtswap.networks.heads import SIDE, HeadModel
from rtswap.tracking.association import iou
from rtswap.tracking.neighbours import BLOCK, LEAST_CHANGE, Neighbours, around
from rtswap.tracking.neighbours import SIDE as AROUND

AREA = 62_000
"""Pixels of the reduced picture: 320 x 192 of 16:9, 288 x 224 of 4:3."""
PHOTO_AREA = 4 * AREA
"""For single pictures, in which time does not count."""
FAINT = 0.3
"""Score from which a head is told."""
CERTAIN = 0.6
"""Score of a head that shows that a picture is clear."""
UNSURE = 0.2, 0.85
"""Scores between which a head is looked at more closely, in all pixels of the frame: faces of 15 px in 960 score 0.3
to 0.5 before."""
CLOSE_UP = 2.5
"""Side of what is looked at then, in heads."""
CONFIRMED = 0.87
"""Mean of the two networks' scores then that confirms a head: those faces reach 0.87 to 0.99. Of 197 pictures of one
person it covers places in 6, as the first network alone did from 0.85 and above 0.45."""
PHOTO_UNSURE, PHOTO_CONFIRMED = 0.45, 0.9
"""The same in single pictures, of which more pixels are seen anyway: buttons on shirts score less."""
OWN_SIZE = 0.6
"""Least size of a face's own head, in faces: what is smaller may be a picture that is held before it."""
MOST_CLOSE_UPS = 3
"""Heads that are looked at more closely in one frame, where some are new; otherwise one, in turns."""
SAME_HEAD = 0.3
"""Intersection over union above which a head is one that was there before."""
CHANGE = 0.05
"""Difference of a block that calls for a look, in standard deviations of the picture; ``LEAST_CHANGE`` at least."""
MOST_SKIPPED = 7
"""Frames in a row in which nothing changed that are not looked at."""
AROUND_FACE = 0.3
"""Margin of a swapped face, in its longer side, in which small changes call for no look: that is its own head."""
POPPED_UP = 0.7
"""Difference of a block within the face from the last frame that does, in standard deviations of the picture: a
picture is held before it, say."""
ANOTHER_SCENE = 0.6
"""Mean difference of two pictures' blocks, each of mean 0 and deviation 1, that only a cut reaches. Two scenes that
have nothing in common differ by 1.13."""
LEAST_CONTRAST = 2.0
"""Standard deviation in levels below which a picture is too dark or too flat to show that nobody is there."""
MOST_NOISE = 0.8
"""Noise over contrast above which it is too noisy."""
Floats = NDArray[np.float32]


class Sentinel:
    """Implements ``protocols.Lookout``. ``beside``: the network that looks around followed faces; ``photos``: every
    picture is one by itself. One per stream; not thread-safe.

    The network looks at every frame in which anything changed beside the faces that are swapped, and at every
    eighth.
    """

    def __init__(self, model: HeadModel, beside: HeadModel, *, photos: bool = False) -> None:
        self._model, self._beside, self._photos = model, beside, photos
        self._low, self._confirmed = (PHOTO_UNSURE, PHOTO_CONFIRMED) if photos else (UNSURE[0], CONFIRMED)
        self._neighbours = Neighbours(beside)
        self.reset()

    def reset(self) -> None:
        """See ``protocols.Lookout``."""
        self._last: Floats | None = None
        self._looked: Floats | None = None
        """Blocks of the last frame, and of the last one that was looked at."""
        self._found: Floats = np.zeros((0, 5), np.float32)
        self._skipped = 0
        self._examined: list[Box] = []
        """Where heads are that were looked at more closely, the one whose turn is next first."""
        self._sure = True
        self._picture: Image | None = None
        """The last frame, reduced."""
        self._elsewhere: tuple[Head, ...] = ()
        """Who was seen beside followed faces in the whole picture."""
        self._neighbours.reset()

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
            self._examined = []
        if cut or self._skipped >= MOST_SKIPPED or self._has_changed(blocks, spread, known, before):
            flat = int(np.ptp(gray)) <= 1  # one grey value: nobody can be in it
            self._found = np.zeros((0, 5), np.float32) if flat else self._model.find(picture, UNSURE[0])
            if not (settled or flat or self._photos):
                self._ask_beside(picture)
            self._look_closely(image, scale, settled)
            self._found = self._found[self._found[:, 4] >= FAINT]
            self._looked, self._skipped = blocks, 0
            self._sure = flat or bool((self._found[:, 4] >= CERTAIN).any()) or is_clear(gray)
        else:
            self._skipped += 1
        heads = tuple(Head(row[:4] * scale, float(row[4])) for row in self._found)
        return Sighting(heads, cut, self._sure)

    def look_beside(self, image: Image, tracks: Sequence[Track]) -> tuple[Head, ...]:
        """See ``protocols.Lookout``."""
        if self._picture is None or self._last is None or not tracks:
            self._elsewhere = ()
            return ()
        if self._skipped == 0:
            scale = np.tile(np.divide(image.shape[1::-1], self._picture.shape[1::-1]), 2).astype(np.float32)
            self._elsewhere = self._neighbours.look_everywhere(self._picture, tracks, scale)
        return (*self._neighbours.look(image, tracks, self._picture, self._last), *self._elsewhere)

    def _ask_beside(self, picture: Image) -> None:
        """Raise the scores of heads to the mean of both networks', in a whole picture in which nobody is swapped."""
        others = self._beside.find(picture, FAINT)
        same = iou(list(self._found[:, :4]), list(others[:, :4])) > SAME_HEAD
        for row, column in np.argwhere(same):
            self._found[row, 4] = max(self._found[row, 4], (self._found[row, 4] + others[column, 4]) / 2)

    def _look_closely(self, image: Image, scale: Floats, settled: Sequence[Box]) -> None:
        """Raise the scores of heads that a closer look confirms, of those that are not of ``settled`` faces: new ones
        first."""
        boxes = self._found[:, :4] * scale
        unsure = [
            row
            for row, score in enumerate(self._found[:, 4])
            if self._low <= score < UNSURE[1] and not any(_may_be_of(boxes[row], face) for face in settled)
        ]
        same = iou([boxes[row] for row in unsure], self._examined) > SAME_HEAD
        turns = {row: int(known.argmax()) if known.any() else -1 for row, known in zip(unsure, same, strict=True)}
        queue = sorted(turns, key=lambda row: turns[row])
        count = MOST_CLOSE_UPS if -1 in turns.values() else 1
        for row in queue[:count]:
            score = self._closer_score(image, boxes[row])
            if score >= self._confirmed:
                self._found[row, 4] = max(self._found[row, 4], score)
        waiting = [row for row in queue[count:] if turns[row] >= 0]
        self._examined = [boxes[row] for row in (*waiting, *queue[:count])]

    def _closer_score(self, image: Image, box: Box) -> float:
        """Mean of both networks' scores of a head, in all pixels of the frame; less if one alone refuses it."""
        side = CLOSE_UP * float((box[2:] - box[:2]).max())
        corner = np.asarray((box[:2] + box[2:] - side) / 2, np.float32)
        square = around(image, corner, np.array([side, side]))
        if square is None:
            return 0.0
        first = _score_in_middle(self._beside, square)
        return (first + _score_in_middle(self._model, square)) / 2 if first >= 2 * self._confirmed - 1 else 0.0

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
    middle = (head[:2] + head[2:]) / 2
    inside = bool((middle >= face[:2]).all() and (middle <= face[2:]).all())
    return inside and float(head[2] - head[0]) >= OWN_SIZE * float((face[2:] - face[:2]).max())


def _score_in_middle(model: HeadModel, square: Image) -> float:
    """Score of a head in the middle of a square of ``CLOSE_UP`` heads, 0 if there is none. Raises EngineError and
    ModelError."""
    found = model.find(square, FAINT)
    off = np.hypot(*((found[:, :2] + found[:, 2:4]) / 2 - AROUND / 2).T) * (CLOSE_UP / AROUND)
    size = (found[:, 2] - found[:, 0]) * (CLOSE_UP / AROUND)
    return float(found[(off < 0.5) & (size > 0.5) & (size < 2), 4].max(initial=0))


def reduced(image: Image, area: int = AREA) -> Image:
    """``image`` with about ``area`` pixels, never enlarged by more than its sides are rounded to multiples of 32."""
    height, width = image.shape[:2]
    scale = min(1.0, math.sqrt(area / (width * height)))
    wide, tall = (max(SIDE, SIDE * round(length * scale / SIDE)) for length in (width, height))
    if width >= 2 * wide and height >= 3.5 * tall:  # every other row is enough, and quick
        image = np.asarray(cv2.resize(image[::2], (width // 2, height // 4), interpolation=cv2.INTER_AREA))
    while image.shape[1] >= 2 * wide and image.shape[0] >= 2 * tall:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(cv2.resize(image, (wide, tall), interpolation=cv2.INTER_LINEAR))


def is_another_scene(before: Floats, after: Floats) -> bool:
    """Whether blocks of two frames are of different scenes, whatever their light."""
    if before.shape != after.shape:
        return True
    first, second = ((blocks - blocks.mean()) / (blocks.std() + 1) for blocks in (before, after))
    return float(np.abs(first - second).mean()) > ANOTHER_SCENE


def is_clear(gray: Image) -> bool:
    """Whether a picture has light enough, and little enough noise, to show somebody. Noise: Immerkaer, "Fast noise
    variance estimation", 1996."""
    contrast = float(gray.std())
    if contrast < LEAST_CONTRAST:
        return False
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = cv2.norm(cv2.filter2D(gray, cv2.CV_16S, kernel), cv2.NORM_L1) / gray.size
    noise = rough * math.sqrt(math.pi / 2) / 6
    return noise < MOST_NOISE * contrast
