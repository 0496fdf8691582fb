"""Play a recorded input as if it were a camera: at its own speed, again and again, with its sound."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import av

from rtswap.core.errors import reason
from rtswap.core.protocols import Input
from rtswap.core.types import Frame, StreamInfo
from rtswap.core.urls import scheme
from rtswap.media.containers import open_media
from rtswap.media.joined_parts import JoinedParts
from rtswap.media.live_sound import LiveSound

LATE_S = 0.2
"""Delay of a frame after which the clip goes on later, instead of catching up."""
AHEAD_S = 0.08
"""How much earlier than its picture sound is given out: recordings wait for it, and it comes in pieces."""


class Playback:
    """The frames of a recorded ``Input``, live and without an end. ``open`` opens the clip; it is called again at its
    end. Raises what it raises. A clip of one picture shows it ``1 / fps`` seconds at a time. ``on_event`` is told of
    sound that cannot be read."""

    def __init__(self, open: Callable[[], Input], on_event: Callable[[str], None] = lambda text: None) -> None:
        self._open, self._on_event = open, on_event
        self._input = open()
        info = self._input.info
        path = info.audio_path
        self._heard = path if path is not None and not scheme(path) and _has_sound(path) else None
        """The file whose sound is played."""
        self._sound = LiveSound(on_event) if self._heard is not None else None
        self._info = replace(info, live=True, frame_count=None, audio_path=None, live_sound=self._sound)
        self._closed = threading.Event()
        self._waiting: tuple[float, Any] | None = None
        """Sound that has been read and is not due."""

    @property
    def info(self) -> StreamInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        index, began, time_s = 0, time.perf_counter(), 0.0
        try:
            while not self._closed.is_set():
                sound = self._sounds()
                for frame in self._input.frames():
                    time_s, now = frame.time_s or 0.0, time.perf_counter()
                    if now > began + time_s + LATE_S:
                        began = now - time_s
                    self._play(sound, time_s, began)
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

    def _play(self, sound: Iterator[tuple[float, Any]], time_s: float, began: float) -> None:
        """Give out the sound that belongs to the picture at ``time_s``."""
        if self._sound is None:
            return
        until_s = time_s + 1 / self._info.fps + AHEAD_S
        while self._waiting is not None and self._waiting[0] < until_s:
            at_s, frame = self._waiting
            self._sound.take(frame, began + at_s)
            self._waiting = next(sound, None)

    def _sounds(self) -> Iterator[tuple[float, Any]]:
        """Begin to read the sound from the start of the clip: (seconds from there, samples)."""
        sound = self._decode()
        self._waiting = next(sound, None)
        return sound

    def _decode(self) -> Iterator[tuple[float, Any]]:
        if self._heard is None:
            return
        try:
            with open_media(self._heard).container as container:
                zero_s = (container.start_time or 0) / av.time_base
                for packet in JoinedParts(container).demux(container.streams.audio[0]):
                    for frame in packet.decode():
                        if frame.time is not None:
                            yield frame.time - zero_s, frame
        except (OSError, ValueError, av.FFmpegError) as error:
            self._on_event(f"the sound of the clip ends early ({reason(error)})")


def _has_sound(path: str) -> bool:
    """Whether a file has sound that can be decoded."""
    try:
        with open_media(path).container as container:
            return any(one.codec_context is not None and one.rate for one in container.streams.audio[:1])
    except (OSError, ValueError, av.FFmpegError):
        return False
