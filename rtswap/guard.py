"""What must be covered so that no real face goes out when it cannot be swapped. No pixels here, and no clock.

A *ward* is a face that has been seen and may not leave bare. While its track is measured and swapped nothing need be
done. While it coasts, the place where it is thought to be is covered before the swap is laid over it. When it is
lost, the place where it was last seen stays covered, wider with time, until it is found again or nobody has been in
the picture for ``empty_after_s``. Before anybody has been found, the whole picture is covered for as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rtswap.geometry import box_of
from rtswap.types import Box, Track

MARGIN = 0.35
"""Of a face's box, on each side: a mesh ends at the chin and the forehead, a face does not."""
GROWTH_PER_S = 0.6
"""Boxes by which a lost face's cover grows on each side per second: a walking person stays under it."""
SAME_PLACE = 0.2
"""Intersection over union from which a new track is taken for the face that was lost there."""
LONGEST_STEP_S = 1.0
"""After a longer gap between two frames nothing is known any more: whoever was there may be anywhere."""


@dataclass(frozen=True, slots=True)
class _Ward:
    box: Box
    seen_at: float


class Guard:
    """One per session. Times in seconds on any one clock."""

    def __init__(self, *, empty_after_s: float) -> None:
        self._empty_after_s = empty_after_s
        self._wards: dict[int, _Ward] = {}
        self._blind_since: float | None = None
        self._blind = True
        self._last_at: float | None = None

    def judge(self, now: float, size: tuple[int, int], tracks: Sequence[Track], bare: Iterable[int]) -> list[Box]:
        """The boxes to cover in a frame of ``size`` = (width, height).

        ``tracks``: all that are followed in it. ``bare``: ids of those that could not be swapped.
        """
        if self._last_at is not None and not 0 <= now - self._last_at <= LONGEST_STEP_S:
            self._go_blind(now)
        self._last_at = now
        self._update(now, tracks)
        naked = set(bare)
        cover = [_around(track) for track in tracks if track.id in naked or not track.measured]
        followed = {track.id for track in tracks}
        for id_, ward in list(self._wards.items()):
            if id_ not in followed:
                cover += self._lost(id_, ward, now, tracks)
        if self._sees_nothing_yet(now, tracks):
            return [_whole(size)]
        return cover

    def fail(self, now: float, size: tuple[int, int]) -> list[Box]:
        """The boxes to cover when the tracker itself failed: everything."""
        self._last_at = now
        self._go_blind(now)
        return [_whole(size)]

    @property
    def watching(self) -> bool:
        """Whether some face has been seen that may not leave bare."""
        return bool(self._wards)

    def _update(self, now: float, tracks: Sequence[Track]) -> None:
        for track in tracks:
            if track.measured:
                self._wards[track.id] = _Ward(_around(track), now)
                self._blind = False

    def _lost(self, id_: int, ward: _Ward, now: float, tracks: Sequence[Track]) -> list[Box]:
        gone_s = now - ward.seen_at
        found_again = any(track.measured and _overlap(ward.box, _around(track)) > SAME_PLACE for track in tracks)
        if found_again or gone_s > self._empty_after_s:
            del self._wards[id_]
            return []
        grow = np.tile(ward.box[2:] - ward.box[:2], 2) * np.array([-1, -1, 1, 1], np.float32)
        return [(ward.box + grow * np.float32(GROWTH_PER_S * gone_s)).astype(np.float32)]

    def _go_blind(self, now: float) -> None:
        self._blind, self._blind_since = True, now

    def _sees_nothing_yet(self, now: float, tracks: Sequence[Track]) -> bool:
        if not self._blind:
            return False
        if self._blind_since is None:
            self._blind_since = now
        if now - self._blind_since >= self._empty_after_s and not tracks:
            self._blind = False
        return self._blind


def _around(track: Track) -> Box:
    """The track's face with hair and chin; everything where the track's numbers are no numbers."""
    points = track.landmarks[np.isfinite(track.landmarks).all(1)]
    corners = track.box.reshape(2, 2) if np.isfinite(track.box).all() else np.empty((0, 2), np.float32)
    known = np.concatenate([points[:, :2], corners])
    if not len(known):
        return np.array([-np.inf, -np.inf, np.inf, np.inf], np.float32)
    return box_of(known, MARGIN)


def _whole(size: tuple[int, int]) -> Box:
    return np.array([0, 0, *size], np.float32)


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = float(np.prod(np.maximum(0, high - low)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common
    return common / union if union > 0 else 0.0
