"""Network stream input (rtsp, rtmp, http, udp, ...) with PyAV: low latency, reconnects when it breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import av
import av.container
import av.video.stream

from rtswap.core.errors import InputError
from rtswap.core.native_logs import quiet_ffmpeg
from rtswap.core.parts import InputSpec
from rtswap.core.types import Frame, StreamInfo
from rtswap.core.urls import redact, scheme
from rtswap.media.containers import OPEN_TIMEOUT_S, READ_TIMEOUT_S, WEB, advice, cause, open_media
from rtswap.media.decoding import (
    Decoder,
    PictureMaker,
    begins_late_s,
    limit_pixels,
    nominal_fps,
    start_s,
    video_stream,
)
from rtswap.media.flood import TOLD, Flood
from rtswap.media.lifetime import ClosingInput
from rtswap.media.live_sound import LiveSound
from rtswap.media.tls import hint

_LOW_LATENCY = {"fflags": "nobuffer", "flags": "low_delay", "analyzeduration": "1000000", "probesize": "500000"}
"""``nobuffer`` discards the data read for probing, which is right for a live stream but not for a file."""
_BY_SCHEME = {
    "rtsp": {"rtsp_transport": "tcp"},
    "rtsps": {"rtsp_transport": "tcp"},
    "udp": {"overrun_nonfatal": "1", "fifo_size": "50000"},
    "srt": {"latency": "120000"},
}


class NetworkStream(ClosingInput):
    """Input from a URL. Raises InputError if it cannot be opened at the start; later it reconnects.

    A file served over http has a duration or a length: it is not live, none of its frames is dropped, and it ends.
    URLs appear in messages without passwords and stream keys.
    """

    def __init__(
        self,
        url: str,
        *,
        on_event: Callable[[str], None],
        tls_ca: str | None = None,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        quiet_ffmpeg()
        super().__init__(on_event, wait)
        self._url, self.name = url, redact(url)
        self._timeouts = (open_timeout_s, read_timeout_s)
        self._tls_ca = tls_ca
        self._recorded = False
        self._container: av.container.InputContainer | None = None
        self._sound = LiveSound(self._say)
        self._flood: Flood | None = None
        began = time.perf_counter()
        try:
            first = self._connect()
        except (OSError, ValueError, av.FFmpegError) as error:
            self.close()
            usual = (
                "Download the file and give that."
                if self._recorded
                else "Check the address and that the stream is running."
            )
            do = advice(error, hint(url, usual))
            late = time.perf_counter() - began >= open_timeout_s
            flooded = self._flood is not None and self._flood.cut
            got = TOLD if flooded else f"no picture within {open_timeout_s:g} s" if late else cause(error)
            raise InputError(f"cannot open {self.name}", got=got, do=do) from None
        self._first = first
        on_event(f"{self.name}: {self._info.width}x{self._info.height} at {self._info.fps:.4g} fps")

    @property
    def info(self) -> StreamInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        index = 0
        batch: list[av.VideoFrame] | None = self._first
        try:
            while not self.closed.is_set():
                if batch is None and self._info.live:
                    batch = self._reconnect()
                if batch is None:
                    return
                for frame in batch:
                    captured_at = time.perf_counter()
                    self._sound.see(start_s(frame), captured_at)
                    time_s = None if self._info.live else self._time_of(frame, index)
                    yield Frame(self._pictures.to_image(frame), index, captured_at, time_s)
                    index += 1
                    if self.closed.is_set():
                        return
                batch = self._next()
        finally:
            self.close()

    def _say(self, what: str) -> None:
        self.on_event(f"{self.name}: {what}")

    def release(self) -> None:
        """As ``ClosingInput``; a read in progress ends by its timeout."""
        if self._flood is not None:
            self._flood.close()
        if self._container is not None:
            self._container.close()
            self._container = None

    def _time_of(self, frame: av.VideoFrame, index: int) -> float:
        begins_s = start_s(frame)
        return index / self._info.fps if begins_s is None else begins_s - self._zero_s

    def _next(self) -> list[av.VideoFrame] | None:
        """Return the next packet's frames, or None if the stream has ended or the connection is lost."""
        with self.lock:
            if self.closed.is_set():
                return None
            self._begin_read()
            try:
                return self._read(self._decoder)
            except (OSError, av.FFmpegError) as error:
                if not self._info.live:
                    raise InputError(
                        f"lost the connection to {self.name}", got=cause(error), do="Try again."
                    ) from None
                self.on_event(f"{self.name}: {cause(error)}")
                return None

    def _read(self, decoder: Decoder) -> list[av.VideoFrame] | None:
        if self._flood is None:
            return decoder.next()
        self._flood.begin_read()
        try:
            batch = decoder.next()
        except (OSError, av.FFmpegError):
            if not self._flood.cut:
                raise
            batch = None
        if batch is None and self._flood.cut:
            self._say(TOLD)
        return batch

    def _connect(self) -> list[av.VideoFrame]:
        """Open the stream and decode up to the first frame, which gives the actual size."""
        protocol = scheme(self._url)
        options = {} if protocol in WEB else _LOW_LATENCY | _BY_SCHEME.get(protocol, {})
        with self.lock:
            if self._flood is not None:
                self._flood.close()
            self._flood = None if protocol in WEB else Flood()
            media = open_media(self._url, tls_ca=self._tls_ca, options=options, timeout=self._timeouts)
            container, self._begin_read, self._recorded = media
            if self._flood is not None:
                self._flood.opened()
            try:
                stream = video_stream(container)
                if stream is None:
                    raise ValueError("no video stream")
                limit_pixels(stream)
                stream.thread_type = "SLICE"  # each frame thread would add a frame of latency
                decoder = Decoder(container, stream, self._say, on_sound=None if self._recorded else self._sound.hear)
                batch = self._first_batch(decoder)
            except BaseException:
                container.close()
                raise
            self._container, self._decoder = container, decoder
            self._pictures = PictureMaker(stream, self._say)
            self._describe(container, stream, batch[0])
        return batch

    def _first_batch(self, decoder: Decoder) -> list[av.VideoFrame]:
        until = time.perf_counter() + self._timeouts[0]
        while (batch := self._read(decoder)) is not None and not self.closed.is_set():
            if batch:
                return batch
            if time.perf_counter() > until:
                break
        raise ValueError("no frame can be decoded")

    def _describe(
        self,
        container: av.container.InputContainer,
        stream: av.video.stream.VideoStream,
        first: av.VideoFrame,
    ) -> None:
        self._zero_s = (container.start_time or 0) / av.time_base
        height, width = self._pictures.to_image(first).shape[:2]
        fps = nominal_fps(stream)
        sound_there = not self._recorded and any(s.codec_context is not None for s in container.streams.audio)
        info = StreamInfo(width, height, fps, not self._recorded, live_sound=self._sound if sound_there else None)
        if self._recorded:
            sound = self._url if container.streams.audio else None
            length_s = (container.duration or 0) / av.time_base - begins_late_s(container)
            count = max(1, round(length_s * fps)) if container.duration else None
            info = replace(info, frame_count=count, audio_path=sound)
        self._info = info

    def _reconnect(self) -> list[av.VideoFrame]:
        """Retry with increasing delays and return the first frames; empty only if the input is closed."""
        for _ in self.attempts():
            try:
                batch = self._connect()
            except (OSError, ValueError, av.FFmpegError):
                continue
            self.on_event(f"{self.name} is back")
            return batch
        return []


SPEC = InputSpec(
    "stream",
    "URL (rtsp, rtmp, http, udp)",
    lambda address: scheme(address) not in ("", "file"),
    lambda address, request: NetworkStream(address, tls_ca=request.tls_ca, on_event=request.on_event),
)
