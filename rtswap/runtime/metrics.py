"""Measure the time of each stage, the age of frames on delivery, and dropped frames.

``Spans`` times the stages of one frame; ``Metrics`` collects frames; the rest formats them.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any

import numpy as np

from rtswap.core.text import plural
from rtswap.runtime.guard import Reason

PERCENTILES = (50, 95, 99)
AGE = "frame_age"
"""Key of the frames' age among the stages."""


class Spans:
    """Seconds per stage of one frame: ``with spans("crop"): ...``. Not thread-safe; costs under 2 microseconds.

    Repeated stages are summed. Nested stages count for both.
    """

    __slots__ = ("_clock", "_open", "_seconds")

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._open: list[tuple[str, float]] = []
        self._seconds: dict[str, float] = {}

    def __call__(self, stage: str) -> Spans:
        self._open.append((stage, self._clock()))
        return self

    def __enter__(self) -> Spans:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        stage, began = self._open.pop()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + self._clock() - began

    def take(self) -> dict[str, float]:
        """Return the frame's seconds per stage, and reset."""
        seconds, self._seconds = self._seconds, {}
        return seconds


class Histogram:
    """Percentiles of any number of durations in fixed memory: buckets 2 % wide, so an error of 1 %. Seconds."""

    _SMALLEST_S = 1e-6
    _WIDTH = math.log(1.02)

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self.max_s = 0.0
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total_s += seconds
        self.max_s = max(self.max_s, seconds)
        self._buckets[int(math.log(max(seconds, self._SMALLEST_S) / self._SMALLEST_S) / self._WIDTH)] += 1

    def percentile(self, percent: float) -> float:
        """The percentile in seconds; NaN without data."""
        wanted = max(1.0, self.count * percent / 100)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(self.max_s, self._SMALLEST_S * math.exp((bucket + 0.5) * self._WIDTH))
        return math.nan


class Metrics:
    """Frame statistics. Thread-safe. ``window``: number of frames in the rolling figures. ``notes`` are included in
    all output."""

    def __init__(self, window: int = 300, *, notes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._notes = dict(notes)
        self._lock = threading.Lock()
        self._window = window
        self._recent: dict[str, deque[float]] = {}
        self._whole: dict[str, Histogram] = {}
        self._finished: deque[float] = deque(maxlen=window)
        self._first_at: float | None = None
        self._first_swap_at: float | None = None
        self._last_at = 0.0
        self._frames = self._faces = self._faces_now = self._swapped_frames = self._dropped = self._level = 0
        self._covered_frames = self._plain_frames = 0
        self._covered_for: Counter[str] = Counter()

    def record(
        self, stages: Mapping[str, float], *, captured_at: float, finished_at: float, faces: int = 0, level: int = 0
    ) -> None:
        """Record a delivered frame. Times in seconds on one clock; ``faces`` swapped in it at quality ``level``."""
        with self._lock:
            self._add(AGE, max(0.0, finished_at - captured_at))
            for stage, seconds in stages.items():
                self._add(stage, seconds)
            self._finished.append(finished_at)
            self._first_at = finished_at if self._first_at is None else self._first_at
            self._last_at = finished_at
            self._frames += 1
            self._faces += faces
            self._faces_now = faces
            self._swapped_frames += faces > 0
            if faces and self._first_swap_at is None:
                self._first_swap_at = finished_at
            self._level = level

    def add_outcome(self, *, swapped: int, covered: int, reasons: Iterable[str] = ()) -> None:
        """Count the swapped and covered faces of one frame, delivered or dropped, and why they were covered."""
        with self._lock:
            self._covered_frames += covered > 0
            self._covered_for.update(reasons)
            self._plain_frames += not swapped and not covered

    @property
    def failures(self) -> int:
        """Number of frames in which something was covered because a part failed."""
        return self._covered_for[Reason.FAILURE]

    @property
    def frames(self) -> int:
        """Number of delivered frames."""
        return self._frames

    @property
    def first_swap_at(self) -> float | None:
        """Delivery time of the first frame with a swapped face, on the clock of ``record``; None before."""
        return self._first_swap_at

    def set_dropped(self, count: int) -> None:
        """Set the number of frames that the mailboxes have dropped."""
        with self._lock:
            self._dropped = count

    def recent(self) -> dict[str, Any]:
        """Figures of the rolling window, times in milliseconds."""
        with self._lock:
            stages = {stage: _of_window(values) for stage, values in self._recent.items()}
            return self._counts(_rate(self._finished), stages)

    def summary(self) -> dict[str, Any]:
        """Figures of the complete session, times in milliseconds."""
        with self._lock:
            stages = {stage: _of_histogram(histogram) for stage, histogram in self._whole.items()}
            lasted_s = self._last_at - self._first_at if self._first_at is not None else 0.0
            fps = (self._frames - 1) / lasted_s if lasted_s > 0 else 0.0
            return self._counts(fps, stages) | {
                "duration_s": round(lasted_s, 3),
                "frames_with_swap": self._swapped_frames,
                "frames_covered": self._covered_frames,
                "frames_covered_because": dict(sorted(self._covered_for.items(), key=_by_weight)),
                "frames_plain": self._plain_frames,
                "faces_per_frame": round(self._faces / self._frames, 3) if self._frames else 0.0,
            }

    def totals(self) -> dict[str, tuple[int, float]]:
        """Number of runs and total seconds per stage."""
        with self._lock:
            return {stage: (histogram.count, histogram.total_s) for stage, histogram in self._whole.items()}

    def _add(self, stage: str, seconds: float) -> None:
        if not math.isfinite(seconds):
            return
        if stage not in self._whole:
            self._whole[stage] = Histogram()
            self._recent[stage] = deque(maxlen=self._window)
        self._whole[stage].add(seconds)
        self._recent[stage].append(seconds)

    def _counts(self, fps: float, stages: dict[str, dict[str, float]]) -> dict[str, Any]:
        age = stages.pop(AGE, {})
        return self._notes | {
            "frames": self._frames,
            "fps": round(fps, 2),
            "dropped": self._dropped,
            "faces": self._faces_now,
            "level": self._level,
            "frame_age_ms": age,
            "stages_ms": stages,
        }


def status_line(metrics: Metrics, *, live: bool = True, stages: bool = False) -> str:
    """Format a status line: ``29.9 fps | 18 ms old | 1 face | 3 dropped``. ``live``: show the age of frames.
    ``stages``: also show the median of each stage in milliseconds."""
    now = metrics.recent()
    age = now["frame_age_ms"]
    parts = [f"{now['fps']:.1f} fps"] if now["fps"] or stages else []
    if age and live:
        parts.append(f"{age['p50']:.0f} ms old" + (f" (95 %: {age['p95']:.0f})" if stages else ""))
    parts.append(plural(now["faces"], "face"))
    if now["dropped"]:
        parts.append(f"{now['dropped']} dropped")
    if now["level"]:
        parts.append(f"quality lowered {now['level']}x")
    if stages and now["stages_ms"]:
        parts.append(" ".join(f"{stage} {ms['p50']:.1f}" for stage, ms in now["stages_ms"].items()) + " ms")
    return " | ".join(parts)


def _of_window(values: deque[float]) -> dict[str, float]:
    figures = np.percentile(np.fromiter(values, np.float64), PERCENTILES) * 1000
    return {f"p{percent}": round(float(figure), 3) for percent, figure in zip(PERCENTILES, figures, strict=True)}


def _of_histogram(histogram: Histogram) -> dict[str, float]:
    figures = {f"p{percent}": round(histogram.percentile(percent) * 1000, 3) for percent in PERCENTILES}
    mean_s = histogram.total_s / histogram.count
    return figures | {"mean": round(mean_s * 1000, 3), "max": round(histogram.max_s * 1000, 3)}


def _by_weight(reason: tuple[str, int]) -> tuple[int, bool]:
    """Sorting key of a reason and its frames: the most frequent first; of equals, failures."""
    return -reason[1], reason[0] != Reason.FAILURE


def _rate(finished: deque[float]) -> float:
    lasted_s = finished[-1] - finished[0] if len(finished) > 1 else 0.0
    return (len(finished) - 1) / lasted_s if lasted_s > 0 else 0.0
