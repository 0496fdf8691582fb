"""Decide which parts of a frame to cover, so that no real face is sent when it cannot be swapped. No pixels, no
clock.

A *ward* is a face that was seen and must not be sent bare. While its track is measured and swapped, nothing is
covered. While it coasts, its predicted and its last seen position are covered before the swap is pasted over them.
When it is lost, its last position stays covered, growing with time, until it is found again or no face was seen for
``empty_after_s``. Until the first face is found, the complete frame is covered for the same time; also after a gap,
and when the size of the frame changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtswap.core.types import Box, Track
from rtswap.vision.geometry import box_of

MARGIN = 0.35
"""Margin on each side, in boxes of the face: a mesh ends at the chin and the forehead, a face does not."""
GROWTH_PER_S = 0.6
"""Growth of a lost face's cover on each side, in boxes per second."""
SAME_PLACE = 0.3
"""Intersection over union above which a new track counts as the face that was lost there. Faces side by side, a width
apart, reach 0.26."""
LONGEST_STEP_S = 1.0
"""Gap between two frames after which all positions are unknown."""


@dataclass(frozen=True, slots=True)
class _Ward:
    box: Box
    seen_at: float

    def reach(self, now: float) -> Box:
        """The area that the face can have reached."""
        grow = np.tile(self.box[2:] - self.box[:2], 2) * np.array([-1, -1, 1, 1], np.float32)
        return (self.box + grow * np.float32(GROWTH_PER_S * (now - self.seen_at))).astype(np.float32)


class Guard:
    """Tracks the faces to cover. One per session. Times are in seconds on any one clock."""

    def __init__(self, *, empty_after_s: float) -> None:
        self._empty_after_s = empty_after_s
        self._wards: dict[Hashable, _Ward] = {}
        self._blind_since: float | None = None
        self._blind = True
        self._lost = False
        self._last_at: float | None = None
        self._size = (0, 0)

    def judge(self, now: float, size: tuple[int, int], tracks: Sequence[Track], bare: Iterable[int]) -> list[Box]:
        """The boxes to cover in a frame of ``size`` = (width, height).

        ``tracks``: all tracks in the frame. ``bare``: ids of those that could not be swapped.
        """
        self._step_to(now, size)
        seen = [track for track in tracks if track.measured and _in_picture(track, size)]
        self._update(now, seen)
        naked = set(bare)
        ids = {track.id for track in seen}
        cover = [_around(track) for track in tracks if track.id in naked or track.id not in ids]
        cover += [ward.reach(now) for id_, ward in self._wards.items() if id_ not in ids]
        self._lost = not self._wards.keys() <= {track.id for track in tracks} - naked
        return [_whole(size)] if self._sees_nothing_yet(now, tracks) else cover

    def fail(self, now: float, size: tuple[int, int]) -> list[Box]:
        """The boxes to cover when the tracker itself failed: the complete frame."""
        self._step_to(now, size)
        self._go_blind(now)
        self._lost = self.watching
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
            self._go_blind(now)
        self._last_at, self._size = now, size
        gone = [id_ for id_, ward in self._wards.items() if now - ward.seen_at > self._empty_after_s]
        for id_ in gone:
            del self._wards[id_]

    def _update(self, now: float, seen: Sequence[Track]) -> None:
        ids = {track.id for track in seen}
        for track in seen:
            here, ward = _around(track), self._wards.pop(track.id, None)
            leapt = ward is not None and _overlap(ward.reach(now), here) == 0
            if ward is not None and leapt:
                self._wards[object()] = ward  # too fast for a person: perhaps someone else
            if ward is None or leapt:
                self._take_over(here, ids)
            self._wards[track.id] = _Ward(here, now)
            self._blind = False

    def _take_over(self, here: Box, seen: set[int]) -> None:
        """Replace the lost face at the place where a new one appeared, if there is one."""
        overlaps = {id_: _overlap(ward.box, here) for id_, ward in self._wards.items() if id_ not in seen}
        best = max(overlaps, key=lambda id_: overlaps[id_], default=None)
        if best is not None and overlaps[best] > SAME_PLACE:
            del self._wards[best]

    def _go_blind(self, now: float) -> None:
        """Reset the time of absence of every face: it was not observed."""
        self._blind, self._blind_since = True, now
        self._wards = {id_: replace(ward, seen_at=now) for id_, ward in self._wards.items()}

    def _sees_nothing_yet(self, now: float, tracks: Sequence[Track]) -> bool:
        if not self._blind:
            return False
        if self._blind_since is None:
            self._blind_since = now
        if now - self._blind_since >= self._empty_after_s and not tracks:
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


def _in_picture(track: Track, size: tuple[int, int]) -> bool:
    """False for a face whose box is outside the frame."""
    box = _around(track)
    return bool(np.isfinite(box).all() and (box[2:] > 0).all() and (box[:2] < size).all())


def _whole(size: tuple[int, int]) -> Box:
    return np.array([0, 0, *size], np.float32)


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = float(np.prod(np.maximum(0, high - low)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common
    return common / union if union > 0 else 0.0
