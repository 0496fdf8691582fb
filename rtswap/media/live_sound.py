"""The sound of a live stream, from the input's thread to the recordings, on the clock of ``Frame.captured_at``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import av.container

from rtswap.core.errors import reason
from rtswap.media.file_kinds import FileKind
from rtswap.media.sound import check_length

_RATE = 48_000
_KEPT_FRAMES, _KEPT_BYTES = 2000, 64 << 20
"""About 40 s. A recording that takes nothing for longer loses the oldest sound; of large parts fewer are kept, by the
size of the newest."""
_JITTER_S = 0.08
"""Differences in arrival up to this are not gaps in the sound."""
_JUMP_S = 1.0
_SMOOTHING = 0.02
Heard = tuple[float, av.AudioFrame]
"""(captured_at in seconds, samples)"""


class LiveSound:
    """Decodes the audio packets of a live stream while somebody listens. Called by the input's thread, except for
    ``listen`` and ``leave``."""

    def __init__(self, on_event: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._listeners: tuple[deque[Heard], ...] = ()
        self._offset_s: float | None = None
        self._damaged = False

    def see(self, stream_s: float | None, captured_at: float) -> None:
        """Note that a picture with this time of the stream's clock was captured then: sound follows the pictures."""
        if stream_s is None:
            return
        offset_s = captured_at - stream_s
        if self._offset_s is None or abs(offset_s - self._offset_s) > _JUMP_S:
            self._offset_s = offset_s
        else:
            self._offset_s += _SMOOTHING * (offset_s - self._offset_s)

    def hear(self, packet: Any) -> None:
        """Decode a packet for all listeners. Damaged sound is reported once."""
        if not self._listeners or self._offset_s is None:
            return
        try:
            for frame in packet.decode():
                if frame.time is not None:
                    self.take(frame, frame.time + self._offset_s)
        except (av.FFmpegError, ValueError) as error:
            self.report(error)

    def report(self, error: Exception) -> None:
        """Tell of damaged sound, once."""
        if not self._damaged:
            self._on_event(f"the sound is damaged ({reason(error)}); skipping unreadable parts")
        self._damaged = True

    def take(self, frame: av.AudioFrame, captured_at: float) -> None:
        """Pass decoded sound on to all listeners. ``captured_at``: when it began, in seconds."""
        most = _KEPT_BYTES // max(1, sum(plane.buffer_size for plane in frame.planes))
        for listener in self._listeners:
            listener.append((captured_at, frame))
            with suppress(IndexError):  # who listens takes them meanwhile
                while len(listener) > max(1, most):
                    listener.popleft()

    def listen(self) -> deque[Heard]:
        """Return a queue that fills from now on."""
        queue: deque[Heard] = deque(maxlen=_KEPT_FRAMES)
        self._listeners = (*self._listeners, queue)
        return queue

    def leave(self, queue: deque[Heard]) -> None:
        """Fill this queue no longer."""
        self._listeners = tuple(one for one in self._listeners if one is not queue)


class LiveTrack:
    """A recording's audio track from a live stream. Create it before the container's header is written."""

    def __init__(
        self, sound: LiveSound, container: av.container.OutputContainer, kind: FileKind, zero_s: float
    ) -> None:
        """``zero_s``: the ``captured_at`` of the recording's first frame."""
        self._sound, self._zero_s = sound, zero_s
        self._queue = sound.listen()
        self._out: Any = container.add_stream(kind.sound_encoder, rate=_RATE, layout="stereo")
        self._resampler = self._new_resampler()
        self._due: int | None = None

    def until(self, time_s: float) -> Iterator[Any]:
        """Yield the packets of the sound up to ``time_s`` (seconds from the first frame) that has arrived."""
        while self._queue and self._queue[0][0] - self._zero_s < time_s:
            at_s, frame = self._queue.popleft()
            try:
                yield from self._packets(at_s, frame)
            except (av.FFmpegError, ValueError) as error:  # among them another rate than before
                self._sound.report(error)
                self._resampler, self._due = self._new_resampler(), None

    def close(self) -> None:
        """Stop listening."""
        self._sound.leave(self._queue)

    def _packets(self, at_s: float, frame: av.AudioFrame) -> Iterator[Any]:
        check_length(frame)
        start = round((at_s - self._zero_s) * frame.sample_rate)
        if self._due is not None and abs(start - self._due) < _JITTER_S * frame.sample_rate:
            start = self._due
        if start < (self._due or 0):
            return
        self._due = start + frame.samples
        frame.pts, frame.time_base = start, Fraction(1, frame.sample_rate)
        for resampled in self._resampler.resample(frame):
            yield from self._out.encode(resampled)

    def _new_resampler(self) -> av.AudioResampler:
        return av.AudioResampler(format=self._out.codec_context.format.name, layout="stereo", rate=_RATE)
