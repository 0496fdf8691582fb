"""Which of the heads that a detector sees belong to a face that is swapped, so that its swap accounts for them."""

from __future__ import annotations

import cv2

from rtswap.core.types import Head, Track
from rtswap.vision.boxes import grown, holds, side_of
from rtswap.vision.geometry import downwards
from rtswap.vision.topology import OVAL

COVERED_FROM = 0.76
"""Score from which a head is covered at once. Lower ones only keep covers."""
SAME_HEAD = 0.15, 0.4, 1.7
"""A head is that of a track if its middle lies in the track's box, grown by so much of it on each side, and if it is
so many times as large, at least and at most."""
CLEAR_HEAD = 0.6
"""The same at least for heads that are covered at once: a smaller one is a picture that is held before the face."""
IN_PLAIN_SIGHT = 0.75
"""Visibility of all landmarks in a small head's box from which nothing is before the face there. Under pictures of
faces that were held before one the least was at most 0.57, under what looks like a head in a face (chins with and
without beards, glasses) 0.7 to 0.99."""
UNDER_CHIN = 0.05
"""How far below the outline of a face, in faces, the middle of such a part may lie: of chins it is 0.02."""


def is_of(head: Head, track: Track, most: float = SAME_HEAD[2]) -> bool:
    """Whether a head, at most so many times as large, is that of a track."""
    margin, least, _ = SAME_HEAD
    least = CLEAR_HEAD if head.score >= COVERED_FROM else least
    times = side_of(head.box) / max(side_of(track.box), 1.0)
    return least <= times <= most and holds(grown(track.box, margin), head.box)


def is_part_of(head: Head, track: Track) -> bool:
    """Whether a small head is a part of a track's face: a chin, a beard or glasses. All of the face that it would
    hide can be seen."""
    x1, y1, x2, y2 = head.box.tolist()
    across, down = track.landmarks[:, 0], track.landmarks[:, 1]
    here = (across >= x1) & (across <= x2) & (down >= y1) & (down <= y2)
    small = side_of(head.box) < CLEAR_HEAD * side_of(track.box)
    if not (small and here.any() and track.visibility[here].min() >= IN_PLAIN_SIGHT):
        return False
    middle = (head.box[:2] + head.box[2:]) / 2 - UNDER_CHIN * side_of(track.box) * downwards(track.landmarks)
    outline = track.landmarks[OVAL, :2]
    return cv2.pointPolygonTest(outline, middle.tolist(), measureDist=False) >= 0
