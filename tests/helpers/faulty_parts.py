"""Inputs, trackers and swappers that fail on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from face_stream import SIZE, draw, face, middle, picture, track_at
from faulty_outputs import Fault

from rtswap.core.types import (
    NOTHING_SEEN,
    Box,
    Frame,
    Image,
    Matrix,
    Points,
    Quality,
    Sighting,
    StreamInfo,
    SwappedFace,
    Target,
    Track,
)
from rtswap.vision.geometry import box_of


class ScriptedInput:
    """Plays what ``make(index)`` gives for ``count`` frames; ``before(index)`` may sleep, raise, or press keys.

    A live one waits until the last frame was taken, so that no scripted fault is dropped.
    """

    def __init__(
        self,
        count: int,
        *,
        live: bool = False,
        fps: float = 30.0,
        make: Callable[[int], Image] = picture,
        time_of: Callable[[int], float] | None = None,
        before: Callable[[int], object] = lambda index: None,
        pause_s: float = 0.004,
    ) -> None:
        self.info = StreamInfo(*SIZE, fps, live)
        self.closed = threading.Event()
        self._count, self._make, self._before = count, make, before
        self._time_of = time_of or (lambda index: index / fps)
        self._pause_s = pause_s
        self.waiting: Callable[[], int] = lambda: 0

    def frames(self) -> Iterator[Frame]:
        for index in range(self._count):
            self._before(index)
            if self.closed.is_set():
                return
            if self.info.live:
                time.sleep(self._pause_s)
                while self.waiting() and not self.closed.is_set():
                    time.sleep(0.001)
            time_s = None if self.info.live else self._time_of(index)
            yield Frame(self._make(index), index, time.perf_counter(), time_s)

    def close(self) -> None:
        self.closed.set()


class ScriptedTracker:
    """Knows where the face is. ``faults``: frames in which ``kind`` happens instead."""

    def __init__(self, kind: str = "", faults: Iterable[int] = ()) -> None:
        self._kind, self._faults = kind, frozenset(faults)
        self._last: Track | None = None
        self.resets = 0

    others: Sequence[Box] = ()

    def update(self, frame: Frame, quality: Quality, sighting: Sighting | None = None) -> list[Track]:
        height, width = frame.image.shape[:2]
        truth = track_at(*middle(frame.index, (width, height)))
        tracks = self._wrong(truth) if frame.index in self._faults else [truth]
        if frame.index not in self._faults:
            self._last = truth
        return tracks

    def reset(self) -> None:
        self.resets += 1

    def _wrong(self, truth: Track) -> list[Track]:
        if self._kind == "exception":
            raise Fault("the tracker broke")
        x, y = (truth.box[:2] + truth.box[2:]) / 2
        nan = np.float32(np.nan)
        stale = self._last or truth
        wrong = {
            "nan landmarks": [_with(truth, landmarks=truth.landmarks * nan)],
            "some nan landmarks": [_with(truth, landmarks=np.where(truth.landmarks > y, nan, truth.landmarks))],
            "nan box": [_with(truth, box=truth.box * nan)],
            "all nan": [_with(truth, box=truth.box * nan, landmarks=truth.landmarks * nan)],
            "five landmarks": [_with(truth, landmarks=truth.landmarks[:5, :2])],
            "empty": [],
            "coasting": [_with(stale, confidence=0.5)],
            "coasting elsewhere": [track_at(x + 60, y, confidence=0.5)],
            "new id": [_with(truth, id=truth.id + 100)],
            "duplicates": [truth, truth, _with(truth, confidence=0.5)],
            "out of frame": [track_at(x - 500, y)],
            "leap": [track_at(x + 75, y)],
            "huge numbers": [track_at(1e30, 1e30, px=1e38)],
        }
        return wrong[self._kind]


def _with(track: Track, **changes: Any) -> Track:
    values = {name: getattr(track, name) for name in Track.__dataclass_fields__}
    return Track(**(values | changes))


TWO = (35, 40), (105, 40)


def two_people(index: int) -> Image:
    """A frame with the faces 0 and 1 at TWO."""
    image = picture(index, at=TWO[0])
    draw(image, face(1), TWO[1])
    return image


class TwoTracks:
    """Knows where both are, the one on the right first."""

    others: Sequence[Box] = ()

    def update(self, frame: Frame, quality: Quality, sighting: Sighting | None = None) -> list[Track]:
        return [track_at(*TWO[1], id=2), track_at(*TWO[0])]

    def reset(self) -> None: ...


class ScriptedLookout:
    """Sees ``heads(index)`` in each frame. ``faults``: frames in which it breaks."""

    def __init__(
        self, heads: Callable[[int], Sighting] = lambda index: NOTHING_SEEN, faults: Iterable[int] = ()
    ) -> None:
        self._heads, self._faults, self._index = heads, frozenset(faults), -1
        self.resets = 0

    def look(self, image: Image, settled: Sequence[Box] = ()) -> Sighting:
        self._index += 1
        if self._index in self._faults:
            raise Fault("the second detector broke")
        return self._heads(self._index)

    def look_beside(self, image: Image, tracks: Sequence[Track]) -> Sighting:
        return self._heads(self._index)

    def reset(self) -> None:
        self.resets += 1


class ScriptedSwapper:
    """Puts face ``put_on`` on. ``faults``: calls in which ``kind`` happens instead."""

    def __init__(self, kind: str = "", faults: Iterable[int] = (), *, put_on: int = 9) -> None:
        self._kind, self._faults = kind, frozenset(faults)
        self._put_on = put_on
        self.calls = -1
        self.forgotten: list[int] = []
        self.release = threading.Event()

    def view(self, landmarks: Points, max_px: int) -> tuple[Matrix, tuple[int, int]]:
        self.calls += 1
        x1, y1, x2, y2 = box_of(landmarks, 0.12)
        matrix = np.array([[1, 0, -np.floor(x1)], [0, 1, -np.floor(y1)]], np.float32)
        size = int(x2 - x1) + 2, int(y2 - y1) + 2
        if not self._now():
            return matrix, size
        if self._kind == "view raises":
            raise Fault("no view")
        wrong = {
            "nan matrix": (matrix * np.float32(np.nan), size),
            "singular matrix": (np.zeros((2, 3), np.float32), size),
            "view of elsewhere": (matrix + np.array([[0, 0, -70], [0, 0, 0]], np.float32), size),
            "view of no size": (matrix, (0, 0)),
        }
        return wrong.get(self._kind, (matrix, size))

    def swap(self, face_: Target, quality: Quality) -> SwappedFace:
        crop = np.full_like(face_.crop, 120)
        draw(crop, face(self._put_on), (crop.shape[1] // 2, crop.shape[0] // 2))
        mask = np.zeros(crop.shape[:2], np.uint8)
        mask[1:-1, 1:-1] = 255
        return self._wrong(face_, crop, mask) if self._now() else SwappedFace(crop, mask)

    def forget(self, track_id: int) -> None:
        self.forgotten.append(track_id)

    def _now(self) -> bool:
        return self.calls in self._faults

    def _wrong(self, target: Target, crop: Image, mask: Any) -> Any:
        if self._kind == "swap raises":
            raise Fault("no swap")
        if self._kind == "hang":
            self.release.wait(30)
        if self._kind == "slow":
            time.sleep(0.01)
        if self._kind == "writes into the target":
            target.crop[:] = 77
            return SwappedFace(target.crop, mask)
        wrong = {
            "nothing": None,
            "float crop": SwappedFace(crop.astype(np.float32), mask),
            "nan crop": SwappedFace(crop.astype(np.float32) * np.nan, mask),
            "crop shape": SwappedFace(crop[:-3], mask),
            "gray crop": SwappedFace(crop[..., 0], mask),
            "mask dtype": SwappedFace(crop, mask.astype(np.float32)),
            "mask shape": SwappedFace(crop, mask[:, :-3]),
            "zero mask": SwappedFace(crop, np.zeros_like(mask)),
            "faint mask": SwappedFace(crop, mask // 4),
            "target back": SwappedFace(target.crop, mask),
            "copy of the target": SwappedFace(target.crop.copy(), mask),
        }
        return wrong.get(self._kind, SwappedFace(crop, mask))
