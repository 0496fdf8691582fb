"""Play a recorded input as if it were a camera: at its own speed, again and again."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from rtswap.core.protocols import Input
from rtswap.core.types import Frame, StreamInfo

LATE_S = 0.2
"""Delay of a frame after which the clip goes on later, instead of catching up."""


class Playback:
    """The frames of a recorded ``Input``, live and without an end. ``open`` opens the clip; it is called again at its
    end. Raises what it raises. A clip of one picture shows it ``1 / fps`` seconds at a time."""

    def __init__(self, open: Callable[[], Input]) -> None:
        self._open = open
        self._input = open()
        self._info = replace(self._input.info, live=True, frame_count=None, audio_path=None)
        self._closed = threading.Event()

    @property
    def info(self) -> StreamInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        index, began, time_s = 0, time.perf_counter(), 0.0
        try:
            while not self._closed.is_set():
                for frame in self._input.frames():
                    time_s, now = frame.time_s or 0.0, time.perf_counter()
                    if now > began + time_s + LATE_S:
                        began = now - time_s
                    if self._closed.wait(max(0.0, began + time_s - now)):
                        return
                    yield Frame(frame.image, index, time.perf_counter())
                    index += 1
                began += time_s + 1 / self._info.fps
                self._input.close()
                self._input = self._open()
                gc.collect()  # 15 ms: PyAV's containers are cycles, and keep memory and threads until they are found
        finally:
            self._input.close()

    def close(self) -> None:
        self._closed.set()
        self._input.close()
