"""Decide which parts of a frame to cover, so that no real face is sent when it cannot be swapped. No pixels, no
clock.

A face that is not swapped is covered. A *ward* is a face that was followed and must not be sent bare. While its track
is measured and swapped, nothing is covered. While it coasts, its predicted and its last seen position are covered
before the swap is pasted over them. When it is lost, its last position stays covered, growing with time, until it is
found again or nobody was seen there for ``empty_after_s``. A *stray* is what a detector takes for a head and no swap
accounts for: it is covered from the first frame on, and a little longer than it is seen; in a crowd of small faces,
of which the detectors miss some, the complete frame is. Until the first face is found, the complete frame is covered
until no detector has seen anybody for ``empty_after_s``; also after a gap, and when the size of the frame changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from rtswap.core.types import NOTHING_SEEN, Box, Head, Sighting, Track
from rtswap.runtime.own_heads import COVERED_FROM, SAME_HEAD, is_of, is_part_of
from rtswap.vision.boxes import grown, holds, overlap, side_of
from rtswap.vision.geometry import box_of, downwards

MARGIN = 0.35
"""Margin on each side, in boxes of the face: a mesh ends at the chin and the forehead, a face does not."""
STRAY_MARGIN, CLEAR_MARGIN = 0.5, 0.3
"""The same around heads of the second detector, which places them less exactly; and around one of at least
``LARGE_PX`` that is seen in this very frame."""
LARGE_PX = 64
"""Height of a face in pixels from which its place is told well."""
STRAY_S = 0.4
"""How long a stray stays covered after it was last seen: the second detector may miss it in a frame."""
MIXED_UP_S = 3.0
"""After a head lay over a swapped face, others are covered until nobody else was seen for so long, even if they are
to be shown: the swap may have gone over to them, and the recogniser does not always see it."""
GROWTH_PER_S = 0.6
"""Growth of a lost face's cover on each side, in boxes per second."""
SAME_PLACE = 0.3
"""Intersection over union above which a new track counts as the face that was lost there. Faces side by side, a width
apart, reach 0.26."""
WITH_HANDS, STILL, LOWER = 2.0, 0.6, 0.2
"""With hands at the chin a head is seen 1.9 times as large: so many times at most, where it was a moment ago
(intersection over union), with its middle so far towards the chin, in faces."""
ONE_HEAD = 2.5
"""How much larger one of two boxes of the same head is, at most, unless the other lies in its middle."""
AS_LARGE = 0.35, 1.2
"""Least and largest size of what looks but faintly like a head, in boxes of a lost face, that keeps it covered."""
CROWD, SMALL, SMALL_PX = 12, 1 / 20, 32.0
"""People in a crowd; their faces are narrower than this share of the frame's longer side, or than so many pixels. Of
60 faces 16 px wide the detectors see 19, of 220 that are a fortieth as wide as the frame 130."""
LONGEST_STEP_S = 1.0
"""Gap between two frames after which all positions are unknown."""


class Reason(StrEnum):
    """Why something is covered; the words of the summary."""

    NOBODY_YET = "no face found yet"
    LOST = "face lost"
    UNSEEN = "face missed for a moment"
    HIDDEN = "face hidden or turned away"
    OTHERS = "other people"
    DOUBT = "someone else or what looks like a head"
    FAILURE = "a failure"
    OFF = "swap switched off"


@dataclass(frozen=True, slots=True)
class _Ward:
    box: Box
    seen_at: float
    doubted_at: float
    """When a detector last saw something in its reach."""

    def reach(self, now: float, most_s: float) -> Box:
        """The area that the face can have reached."""
        grow = np.tile(self.box[2:] - self.box[:2], 2) * np.array([-1, -1, 1, 1], np.float32)
        passed = min(now - self.seen_at, most_s)
        return (self.box + grow * np.float32(GROWTH_PER_S * passed)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Stray:
    head: Head
    seen_at: float
    sure: bool = True
    """False: faint, and covered only because it touches one that is not."""
    beside: bool = False
    """Seen beside a swapped face, so that it is not that face's own head."""


class Guard:
    """Tracks the faces to cover. One per session. Times are in seconds on any one clock. ``others_shown``: while
    everybody who is to be swapped is, strays are not covered. ``photos``: single pictures, in all pixels of which
    the detectors look."""

    def __init__(self, *, empty_after_s: float, others_shown: bool = False, photos: bool = False) -> None:
        self._empty_after_s, self._others_shown, self._photos = empty_after_s, others_shown, photos
        self._wards: dict[Hashable, _Ward] = {}
        self._strays: list[_Stray] = []
        self._own: list[_Stray] = []
        """The heads of those who were swapped a moment ago."""
        self._touched_at = -np.inf
        """When a stray last lay over a swapped face, or was still in view since one did."""
        self._blind_since: float | None = None
        self._blind = True
        self._lost = False
        self._last_at: float | None = None
        self._size = (0, 0)
        self.reasons: frozenset[Reason] = frozenset()
        """Why something was covered in the last frame."""

    def use(self, *, empty_after_s: float, others_shown: bool) -> None:
        """Apply these settings from the next frame on; faces seen before stay known."""
        self._empty_after_s, self._others_shown = empty_after_s, others_shown

    def judge(
        self,
        now: float,
        size: tuple[int, int],
        tracks: Sequence[Track],
        bare: Mapping[int, Reason],
        sighting: Sighting = NOTHING_SEEN,
        others: Sequence[Box] = (),
    ) -> list[Box]:
        """The boxes to cover in a frame of ``size`` = (width, height).

        ``tracks``: all tracks in the frame. ``bare``: ids of those that were not swapped, and why. ``sighting``: what
        the second detector saw; ``others``: faces that the first one found and the tracker does not follow.
        """
        self._step_to(now, size)
        seen = [track for track in tracks if track.measured and _in_picture(track, size)]
        self._update(now, seen)
        ids = {track.id for track in seen}
        swapped = [track for track in seen if track.id not in bare]
        heads = [*sighting.heads, *(Head(box, 1.0) for box in others)]
        doubts = [head for head in heads if not self._belongs_to_any(head, swapped)]
        self._note_doubts(now, doubts, heads, sighting)
        self._own = [*_recent(self._own, now), *(_Stray(head, now) for head in self._own_heads(heads, swapped))]
        unswapped = [track for track in tracks if track.id in bare]
        coasting = [track for track in tracks if track.id not in bare and track.id not in ids]
        wards = [ward.reach(now, self._empty_after_s) for id_, ward in self._wards.items() if id_ not in ids]
        self._lost = not self._wards.keys() <= {track.id for track in tracks} - bare.keys()
        strays = self._strays_to_cover(now, swapped, missing=bool(wards))
        if self._sees_nothing_yet(now, tracks, bool(doubts) or not sighting.sure):
            self.reasons = frozenset({Reason.NOBODY_YET})
            return [_whole(size)]
        why = {Reason.UNSEEN: coasting, Reason.LOST: wards if self._lost else [], Reason.DOUBT: strays}
        told = (reason for reason, places in why.items() if places)
        self.reasons = frozenset([*(bare[track.id] for track in unswapped), *told])
        around = [_whole(size)] if strays and self._is_crowd(tracks, max(size)) else []
        return [*around, *map(_around, (*unswapped, *coasting)), *wards, *strays]

    def fail(self, now: float, size: tuple[int, int]) -> list[Box]:
        """Return the boxes to cover after a failure, when it is unknown who is in the frame: the complete frame."""
        self._step_to(now, size)
        self._go_blind(now)
        self._lost = self.watching
        self.reasons = frozenset({Reason.FAILURE})
        return [_whole(size)]

    @property
    def watching(self) -> bool:
        """True if a face was seen that must not be sent bare."""
        return bool(self._wards)

    @property
    def blind(self) -> bool:
        """True if it is unknown who is in the frame, so that all of it is covered."""
        return self._blind

    @property
    def lost(self) -> bool:
        """True if such a face was not tracked in the last frame, or could not be swapped. Coasting faces are not
        lost."""
        return self._lost

    def _step_to(self, now: float, size: tuple[int, int]) -> None:
        if self._last_at is not None and not 0 <= now - self._last_at <= LONGEST_STEP_S:
            self._go_blind(now)
        if size != self._size and self._last_at is not None:
            scale = np.tile(np.divide(size, np.maximum(self._size, 1)), 2).astype(np.float32)
            self._wards = {id_: replace(ward, box=ward.box * scale) for id_, ward in self._wards.items()}
            self._strays, self._own = [], []
            self._go_blind(now)
        self._last_at, self._size = now, size
        for id_, ward in [*self._wards.items()]:
            if now - max(ward.seen_at, ward.doubted_at) > self._empty_after_s:
                del self._wards[id_]

    def _update(self, now: float, seen: Sequence[Track]) -> None:
        ids = {track.id for track in seen}
        for track in seen:
            here, ward = _around(track), self._wards.pop(track.id, None)
            leapt = ward is not None and overlap(ward.reach(now, self._empty_after_s), here) == 0
            if ward is not None and leapt:
                self._wards[object()] = ward  # too fast for a person: perhaps someone else
            if ward is None or leapt:
                self._take_over(here, ids)
            self._wards[track.id] = _Ward(here, now, now)
            self._blind = False

    def _take_over(self, here: Box, seen: set[int]) -> None:
        """Replace the lost face at the place where a new one appeared, if there is one."""
        overlaps = {id_: overlap(ward.box, here) for id_, ward in self._wards.items() if id_ not in seen}
        best = max(overlaps, key=lambda id_: overlaps[id_], default=None)
        if best is not None and overlaps[best] > SAME_PLACE:
            del self._wards[best]

    def _note_doubts(self, now: float, doubts: Sequence[Head], heads: Sequence[Head], sighting: Sighting) -> None:
        """Remember where something may be a face that no swap accounts for, even faintly. A faint head is enough
        where a swap accounted for one a moment ago: its mesh has slid off. Those ``beside`` followed faces are
        sure. ``doubts``: some of ``heads``."""
        for id_, ward in self._wards.items():
            reach = ward.reach(now, self._empty_after_s)
            kept = [*doubts, *sighting.beside, *(head for head in sighting.faint if _as_large(head.box, ward.box))]
            if not sighting.sure or any(holds(reach, head.box) for head in kept):
                self._wards[id_] = replace(ward, doubted_at=now)
        for beside, head in [*((False, head) for head in doubts), *((True, head) for head in sighting.beside)]:
            near = [stray for stray in self._strays if stray.sure and _may_be_one(stray.head.box, head.box)]
            same = [stray for stray in self._strays if overlap(stray.head.box, head.box) > SAME_PLACE]
            left = any(overlap(own.head.box, head.box) > SAME_PLACE for own in _recent(self._own, now))
            clear = beside or head.score >= COVERED_FROM or left
            if clear or near:
                moved = any(stray in same or _nearest(stray, heads) is head for stray in near)
                self._strays = [stray for stray in self._strays if stray not in same]
                self._strays.append(_Stray(head, now, clear or moved, beside))
        self._strays = _recent(self._strays, now)

    def _accounts_for(self, head: Head, track: Track) -> bool:
        """Whether the swap of a track accounts for a head."""
        away = (head.box[:2] + head.box[2:] - track.box[:2] - track.box[2:]) / 2
        low = float(away @ downwards(track.landmarks)) >= LOWER * side_of(track.box)
        still = any(overlap(own.head.box, head.box) > STILL for own in self._own)
        return is_of(head, track, WITH_HANDS if low and still else SAME_HEAD[2])

    def _belongs_to_any(self, head: Head, tracks: Sequence[Track]) -> bool:
        return any(self._accounts_for(head, track) or is_part_of(head, track) for track in tracks)

    def _own_heads(self, heads: Sequence[Head], tracks: Sequence[Track]) -> list[Head]:
        """The clearest head that each track accounts for; fainter ones are shoulders and hands beside it."""
        of_tracks = ([head for head in heads if self._accounts_for(head, track)] for track in tracks)
        return [max(found, key=lambda head: head.score) for found in of_tracks if found]

    def _strays_to_cover(self, now: float, swapped: Sequence[Track], *, missing: bool) -> list[Box]:
        """Not those that are out of sight where somebody is swapped now: that was the head."""
        touching = any(overlap(stray.head.box, track.box) > 0 for stray in self._strays for track in swapped)
        if touching or (self._strays and now - self._touched_at <= MIXED_UP_S):
            self._touched_at = now
        if self._others_shown and swapped and not missing and now - self._touched_at > MIXED_UP_S:
            return []
        return [
            grown(
                stray.head.box,
                CLEAR_MARGIN if stray.seen_at == now and side_of(stray.head.box) >= LARGE_PX else STRAY_MARGIN,
            )
            for stray in self._strays
            if stray.seen_at == now or stray.beside or not any(is_of(stray.head, track) for track in swapped)
        ]

    def _is_crowd(self, tracks: Sequence[Track], longer: int) -> bool:
        """Whether so many small faces are in view that there are more."""
        boxes = [*(track.box for track in tracks), *(stray.head.box for stray in self._strays)]
        least = SMALL_PX if self._photos else max(SMALL * longer, SMALL_PX)
        return sum(side_of(box) < least for box in boxes) >= CROWD

    def _go_blind(self, now: float) -> None:
        """Reset the time of absence of every face: it was not observed."""
        self._blind, self._blind_since = True, now
        self._wards = {id_: replace(ward, seen_at=now, doubted_at=now) for id_, ward in self._wards.items()}

    def _sees_nothing_yet(self, now: float, tracks: Sequence[Track], doubtful: bool) -> bool:
        if not self._blind:
            return False
        if self._blind_since is None or doubtful:
            self._blind_since = now
        if now - self._blind_since >= self._empty_after_s and not tracks and not doubtful:
            self._blind = False
        return self._blind


def _around(track: Track) -> Box:
    """Box of the track's face with hair and chin; everything if its coordinates are not finite."""
    points = track.landmarks
    if not np.isfinite(points).all():
        points = points[np.isfinite(points).all(1)]
    corners = track.box.reshape(2, 2) if np.isfinite(track.box).all() else np.empty((0, 2), np.float32)
    known = np.concatenate([points[:, :2], corners])
    if not len(known):
        return np.array([-np.inf, -np.inf, np.inf, np.inf], np.float32)
    return box_of(known, MARGIN)


def _recent(strays: Sequence[_Stray], now: float) -> list[_Stray]:
    return [stray for stray in strays if 0 <= now - stray.seen_at <= STRAY_S]


def _nearest(stray: _Stray, heads: Sequence[Head]) -> Head | None:
    return max(heads, key=lambda head: overlap(head.box, stray.head.box), default=None)


def _may_be_one(a: Box, b: Box) -> bool:
    """Whether two boxes may be of one head: they touch, and are about as large, or one lies in the middle of the
    other, as a mouth in its face."""
    if overlap(a, b) == 0:
        return False
    sizes = side_of(a), side_of(b)
    return max(sizes) <= ONE_HEAD * min(sizes) or holds(grown(a, -0.25), b) or holds(grown(b, -0.25), a)


def _as_large(head: Box, ward: Box) -> bool:
    """Whether a head can be that of a ward, whose box has margins."""
    least, most = AS_LARGE
    return least <= side_of(head) / max(side_of(ward), 1.0) <= most


def _in_picture(track: Track, size: tuple[int, int]) -> bool:
    """False for a face whose box is outside the frame."""
    box = _around(track)
    return bool(np.isfinite(box).all() and (box[2:] > 0).all() and (box[:2] < size).all())


def _whole(size: tuple[int, int]) -> Box:
    return np.array([0, 0, *size], np.float32)
