"""Read only a part of an input: ``--start``, ``--end``, ``--duration``."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace

from rtswap.core.errors import InputError
from rtswap.core.protocols import Input, SeekableInput
from rtswap.core.text import clock
from rtswap.core.types import Frame, StreamInfo

_EARLY_S = 1e-3
"""Times in containers are rounded to milliseconds."""


class Excerpt:
    """The frames of ``input`` from ``start_s`` up to ``end_s``, in seconds from its beginning; their times count from
    ``start_s``. For a live input seconds count from the first frame. ``frames`` raises InputError if there are none.
    """

    def __init__(self, input: Input, start_s: float = 0.0, end_s: float = math.inf) -> None:
        self._input, self._start_s, self._end_s = input, start_s, end_s
        info, count = input.info, None
        if info.frame_count is not None:
            length_s = min(end_s, info.frame_count / info.fps) - start_s
            count = max(1, round(length_s * info.fps))
        self._info = replace(
            info,
            frame_count=count,
            audio_start_s=info.audio_start_s + start_s,
            audio_end_s=info.audio_start_s + end_s,
        )

    @property
    def info(self) -> StreamInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        if self._start_s and isinstance(self._input, SeekableInput):
            self._input.seek(self._start_s)
        index, last_s, began = 0, 0.0, time.perf_counter()
        for frame in self._input.frames():
            last_s = frame.captured_at - began if frame.time_s is None else frame.time_s
            if last_s < self._start_s - _EARLY_S:
                continue
            if last_s >= self._end_s - _EARLY_S:
                break
            time_s = None if frame.time_s is None else max(0.0, frame.time_s - self._start_s)
            shown_s = None if frame.duration_s is None else min(frame.duration_s, self._end_s - last_s)
            yield replace(frame, index=index, time_s=time_s, duration_s=shown_s)
            index += 1
        self._input.close()
        if not index and not self._info.live:
            end = "the end" if math.isinf(self._end_s) else clock(self._end_s, 2)
            raise InputError(
                f"no frame between {clock(self._start_s, 2)} and {end}",
                got=f"a last frame at {clock(last_s, 2)}",
                do="Change --start or --end.",
            )

    def close(self) -> None:
        self._input.close()
