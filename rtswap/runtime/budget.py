"""Choose the quality from measured latencies. No clock inside: a list of numbers is a complete test.

Quality falls fast, because a late frame is noticed at once. It rises slowly, and more slowly after a failed attempt,
because a quality that changes every second looks worse than either.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from rtswap.core.errors import ConfigError
from rtswap.core.types import Quality

_CHEAPER_DETECTION = 4
"""Factor by which full detections are rarer from level 1 on."""
_FACE_PX = (320, 224, 144)
"""Maximum face crop, in pixels, of the levels from 3 on."""


def quality_levels(full: Quality | None = None) -> tuple[Quality, ...]:
    """The quality levels. 0: ``full``. 1: rarer detection. 2: no colour match. 3..: smaller crops."""
    full = full or Quality()
    rarer = replace(full, detect_every=full.detect_every * _CHEAPER_DETECTION)
    plain = replace(rarer, match_color=False)
    smaller = [replace(plain, max_face_px=px) for px in _FACE_PX if px < full.max_face_px]
    return tuple(replace(quality, level=level) for level, quality in enumerate([full, rarer, plain, *smaller]))


_HELD = 4
"""A step up that lasts this many times the patience counts as successful."""


class Budget:
    """Keeps the latency of a frame below ``target_s`` by selecting one of ``levels``.

    ``window``: number of frames whose 90th percentile is compared with the target. ``settle``: minimum number of them
    measured at the current level. ``comfort``: share of the target below which a step up is allowed, after
    ``patience`` such frames in a row. Every failed step up doubles the patience for that step, up to ``max_patience``
    frames. An infinite ``target_s`` never steps down. Raises ConfigError.
    """

    def __init__(
        self,
        target_s: float,
        *,
        levels: Sequence[Quality] | None = None,
        window: int = 10,
        settle: int = 5,
        comfort: float = 0.75,
        patience: int = 60,
        max_patience: int = 3600,
    ) -> None:
        if not target_s > 0:
            raise ConfigError("invalid latency budget", expected="more than 0 ms", got=f"{target_s * 1000:g} ms")
        self.target_s = target_s
        self._levels = tuple(levels) if levels is not None else quality_levels()
        self._settle = settle
        self._comfort_s = comfort * target_s
        self._patience = patience
        self._max_patience = max_patience
        self._latencies: deque[float] = deque(maxlen=window)
        self._level = 0
        self._comfortable = 0
        self._at_level = 0
        self._came_up = False
        self._failures = [0] * len(self._levels)

    @property
    def level(self) -> int:
        return self._level

    @property
    def quality(self) -> Quality:
        """The quality of the next frame."""
        return self._levels[self._level]

    def observe(self, latency_s: float) -> Quality:
        """Record the latency of the last frame; returns the quality of the next. Negative numbers and NaN are
        ignored."""
        if not latency_s >= 0:
            return self.quality
        self._latencies.append(latency_s)
        self._at_level += 1
        if len(self._latencies) >= self._settle:
            slow_s = _percentile_90(self._latencies)
            self._comfortable = self._comfortable + 1 if slow_s <= self._comfort_s else 0
            if slow_s > self.target_s:
                self._step_down()
            elif self._comfortable >= self._patience_here():
                self._step_up()
        return self.quality

    def _step_down(self) -> None:
        if self._level + 1 >= len(self._levels):
            return
        if self._came_up:
            held = self._at_level > _HELD * self._patience
            self._failures[self._level] = 0 if held else self._failures[self._level] + 1
        self._move(self._level + 1, came_up=False)

    def _step_up(self) -> None:
        if self._level == 0:
            return
        self._move(self._level - 1, came_up=True)

    def _move(self, level: int, *, came_up: bool) -> None:
        self._level = level
        self._came_up = came_up
        self._latencies.clear()
        self._comfortable = 0
        self._at_level = 0

    def _patience_here(self) -> int:
        """Frames to wait before trying the level above."""
        failures = self._failures[self._level - 1] if self._level else 0
        return int(min(self._max_patience, self._patience * 2 ** min(failures, 30)))


def _percentile_90(latencies: Sequence[float] | deque[float]) -> float:
    """The second largest of 5 to 10 numbers: a single slow frame is no overload."""
    return sorted(latencies)[math.floor(0.9 * (len(latencies) - 1))]
