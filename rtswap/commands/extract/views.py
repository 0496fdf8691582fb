"""The pictures in which faces are looked for: a photo, or frames of a video with their neighbours in time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Frame, Image
from rtswap.tracking.neighbours import BLOCK
from rtswap.tracking.reduced_picture import is_another_scene, reduced

MOST_NEIGHBOURS = 8
"""Frames to either side of a view; of more, every second, third ... is used, so that they take little memory."""


class Moment(NamedTuple):
    """A frame of a video."""

    image: Image
    time_s: float


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A photo or frame in which faces are looked for."""

    image: Image
    frame: int | None = None
    time_s: float | None = None
    before: tuple[Moment, ...] = ()
    """Neighbours of the same scene, the oldest first."""
    after: tuple[Moment, ...] = ()

    @property
    def moment(self) -> Moment:
        return Moment(self.image, self.time_s or 0.0)


class _Seen(NamedTuple):
    number: int
    moment: Moment
    scene: int
    """Counts cuts."""


def views_of(
    frames: Iterable[Frame], *, fps: float, every_s: float, window_s: float, first: int = 0, next_s: float = 0.0
) -> Iterator[View]:
    """Yield frames at least ``every_s`` apart with their neighbours within ``window_s``, as soon as these are known.

    Frames before number ``first`` and before ``next_s`` seconds are neighbours only: a run that continues another one
    sees the same.
    """
    stride = max(1, math.ceil(window_s * fps / MOST_NEIGHBOURS))
    closest_s = 0.5 * window_s / MOST_NEIGHBOURS
    recent: deque[_Seen] = deque()
    waiting: deque[_Seen] = deque()
    scene, cell = 0, -1
    blocks: NDArray[np.float32] | None = None
    for frame in frames:
        time_s = frame.time_s or 0.0
        wanted = frame.index >= first and time_s >= next_s
        if wanted:
            next_s = time_s + every_s
        if not window_s:
            if wanted:
                yield View(frame.image, frame.index, time_s)
            continue
        before_cell, cell = cell, int(time_s // closest_s)
        if not wanted and (frame.index % stride or cell == before_cell):
            continue  # a film may have far more frames in this time than it says
        before, blocks = blocks, _blocks_of(frame.image)
        scene += before is not None and is_another_scene(before, blocks)
        seen = _Seen(frame.index, Moment(frame.image, time_s), scene)
        while waiting and (time_s > waiting[0].moment.time_s + window_s or scene != waiting[0].scene):
            yield _view_of(waiting.popleft(), recent, window_s)
        recent.append(seen)
        if wanted:
            waiting.append(seen)
        oldest_s = (waiting[0] if waiting else seen).moment.time_s - window_s
        while recent[0].moment.time_s < oldest_s:
            recent.popleft()
    while waiting:
        yield _view_of(waiting.popleft(), recent, window_s)


def _view_of(seen: _Seen, recent: Iterable[_Seen], window_s: float) -> View:
    image, at_s = seen.moment
    near = [one for one in recent if one.scene == seen.scene and abs(one.moment.time_s - at_s) <= window_s]
    before = tuple(one.moment for one in near if one.number < seen.number)
    after = tuple(one.moment for one in near if one.number > seen.number)
    return View(image, seen.number, at_s, before, after)


def _blocks_of(image: Image) -> NDArray[np.float32]:
    """Grey means by which cuts are found, as the lookout does."""
    grey = cv2.cvtColor(reduced(image), cv2.COLOR_BGR2GRAY)
    size = grey.shape[1] // BLOCK, grey.shape[0] // BLOCK
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
