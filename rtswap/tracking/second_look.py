"""A second look at places where the second detector alone is not sure: closely, by three networks, and with
the contrast equalised.

Heads against the light, or in a dark corner of a bright picture, keep too little contrast for a network that
normalises the picture as a whole; equalised place by place they can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Box, Head, Image, Points, Track
from rtswap.networks.heads import HeadModel
from rtswap.tracking.association import iou
from rtswap.tracking.neighbours import SIDE, around, paint_out
from rtswap.vision.boxes import side_of

LEAST_SCORE = 0.2, 0.3
"""Score from which the first network's heads, and the other's, count."""
SAME_HEAD = 0.3
"""Intersection over union above which two boxes are of one head."""
CLOSE_UP = 2.5
"""Side of what is looked at closely, in heads."""
STEEPEST = 20.0
"""By how much equalising may raise contrast, as OpenCV counts it: at 8, half of the large heads with 3 % of their
contrast left are missed, at 20 none."""
TILES = 6
"""Tiles each way."""
DIM = 0.35
"""Contrast in the middle of a head, in the picture's, above which nothing needs equalising: faces in plain light keep
0.41 and more, in glare 0.34 and less."""
HOPELESS = 0.4
"""Score below which a close look is not repeated."""
SEEN, HIDDEN = 0.5, 0.2
"""Visibility below which a landmark is hidden, and their share from which a head is looked for in what hides them."""
HELD = 0.45
"""Size of what is looked at there, in faces: the face itself is too large to be taken for it."""
Floats = NDArray[np.float32]


class SecondLook:
    """``model`` is the network ``heads``, ``beside`` the network ``neighbours``, ``close`` the network ``close_ups``.
    Its methods raise EngineError and ModelError."""

    def __init__(self, model: HeadModel, beside: HeadModel, close: HeadModel) -> None:
        self._model, self._beside, self._close = model, beside, close

    def others(self, picture: Image) -> Floats:
        """(M, 5) heads that the second network finds in the reduced ``picture``."""
        return self._beside.find(picture, LEAST_SCORE[1])

    def in_shade(self, picture: Image) -> Floats:
        """(N, 5) ``x1 y1 x2 y2 score`` of heads in the reduced ``picture``, equalised, with the mean of both
        networks' scores: equalised walls and leaves look like heads to one of them, hardly ever to both."""
        even = equalised(picture)
        found = self._model.find(even, LEAST_SCORE[0])
        found = found[[_is_dim(picture, box) for box in found[:, :4]]]
        found[:, 4] = mean_scores(found, self.others(even)) if len(found) else 0
        return found

    def closely(
        self, image: Image, box: Box, least: float, *, shade: bool, again: float, without: Sequence[Points] = ()
    ) -> float:
        """Score of the head in ``box`` in all pixels of the frame, equalised for ``shade``; with the faces
        ``without``, meshes (468, 2 or 3), painted out. It is the mean of the three networks', of which the one for
        close-ups counts twice.

        Of up to four looks the best: as it is and equalised, each once more in the place that it says itself, as
        afar that is told coarsely; none after one that is at least ``least``, or hopeless. ``again``: what the
        further looks must reach beyond the first, since of several one is high more easily.
        """
        best, looks = 0.0, 0
        for even in (True,) if shade else (False, True):
            place: Box | None = box
            for _ in range(2):
                if place is None or best >= least or (looks and (best < HOPELESS or 1 - again < least)):
                    return best
                score, place = self._close_up(image, place, even=even, without=without)
                best, looks = max(best, score - (again if looks else 0)), looks + 1
        return best

    def held_before(self, image: Image, track: Track, least: float) -> Head | None:
        """The head in what hides a part of a followed face: in a picture that is held before it, say, which the whole
        picture shows as one head with the face itself."""
        hidden = track.visibility < SEEN
        if hidden.mean() < HIDDEN or not np.isfinite(track.landmarks).all():
            return None
        middle, side = track.landmarks[hidden, :2].mean(axis=0), HELD * side_of(track.box)
        box = np.concatenate([middle - side / 2, middle + side / 2]).astype(np.float32)
        score, place = self._close_up(image, box, even=False)
        return Head(place, score) if place is not None and score >= least else None

    def _close_up(
        self, image: Image, box: Box, *, even: bool, without: Sequence[Points] = ()
    ) -> tuple[float, Box | None]:
        """The mean score of the head in ``box``, and its place if it is worth another look."""
        x, y, right, _ = close_up_of(box).tolist()
        side, corner = right - x, np.array([x, y], np.float32)
        square = around(image, corner, np.array([side, side]))
        if square is None:
            return 0.0, None
        paint_out(square, [(mesh[:, :2] - corner) * (SIDE / side) for mesh in without])
        square = equalised(square) if even else square
        first = _in_middle(self._beside, square)
        if first[4] < HOPELESS:
            return float(first[4] / 2), None
        second, third = _in_middle(self._model, square), _in_middle(self._close, square)
        best = max(first, second, third, key=lambda row: float(row[4]))
        place = best[:4] * np.float32(side / SIDE) + np.tile(corner, 2)
        return float((first[4] + second[4]) / 4 + third[4] / 2), place


def close_up_of(box: Box) -> Box:
    """The square that is looked at closely for the head in ``box``."""
    middle, half = (box[:2] + box[2:]) / 2, CLOSE_UP / 2 * side_of(box)
    return np.concatenate([middle - half, middle + half]).astype(np.float32)


def mean_scores(found: Floats, others: Floats) -> Floats:
    """(N,) mean of both scores of the heads (N, 5) that the first found; ``others`` (M, 5): the other's"""
    same = iou(list(found[:, :4]), list(others[:, :4])) > SAME_HEAD
    seconds = np.where(same, others[None, :, 4], 0).max(axis=1, initial=0)
    return np.asarray((found[:, 4] + seconds) / 2, np.float32)


def equalised(picture: Image) -> Image:
    """``picture`` with the contrast of its luma equalised in tiles, its colours as they were (Zuiderveld, "Contrast
    limited adaptive histogram equalization", 1994)."""
    channels = cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb)
    luma = np.ascontiguousarray(channels[..., 0])
    channels[..., 0] = cv2.createCLAHE(STEEPEST, (TILES, TILES)).apply(luma)
    return np.asarray(cv2.cvtColor(channels, cv2.COLOR_YCrCb2BGR), np.uint8)


def _is_dim(picture: Image, box: Box) -> bool:
    """Whether the middle of ``box`` keeps little of the picture's contrast."""
    quarter = (box[2:] - box[:2]) / 4
    x1, y1, x2, y2 = np.maximum([*(box[:2] + quarter), *(box[2:] - quarter) + 1], 0).astype(int).tolist()
    middle = picture[y1:y2, x1:x2, 1]
    return middle.size > 0 and _contrast_on(middle) < DIM * float(picture[..., 1].std())


def _contrast_on(part: Image) -> float:
    """Standard deviation of a part of one channel, without the slope of the light on it: a lamp beside the camera
    puts a slope of half of the picture's contrast on a face that keeps a tenth of its own."""
    rest = part - np.float32(part.mean())
    for axis in (0, 1):
        along = np.linspace(-1, 1, part.shape[axis], dtype=np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        rest -= along * np.float32((rest * along).mean() / (along * along).mean())
    return float(rest.std())


def _in_middle(model: HeadModel, square: Image) -> Floats:
    """The head ``x1 y1 x2 y2 score`` in the middle of a square of ``CLOSE_UP`` heads; zeros if there is none."""
    found = model.find(square, LEAST_SCORE[1])
    off = np.hypot(*((found[:, :2] + found[:, 2:4]) / 2 - SIDE / 2).T) * (CLOSE_UP / SIDE)
    size = (found[:, 2] - found[:, 0]) * (CLOSE_UP / SIDE)
    heads = found[(off < 0.5) & (size > 0.5) & (size < 2)]
    return heads[heads[:, 4].argmax()] if len(heads) else np.zeros(5, np.float32)
