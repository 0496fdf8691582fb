"""Copy an audio track of a file input to an output, in sync with the video."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import av.container

from rtswap.core.errors import reason
from rtswap.media.containers import BeginRead
from rtswap.media.decoding import video_stream
from rtswap.media.file_kinds import FileKind
from rtswap.media.joined_parts import JoinedParts

_IN_QUICKTIME = {
    "bod": "tib",
    "cym": "wel",
    "deu": "ger",
    "ell": "gre",
    "eus": "baq",
    "fas": "per",
    "hye": "arm",
    "isl": "ice",
    "kat": "geo",
    "mkd": "mac",
    "msa": "may",
    "mya": "bur",
    "nld": "dut",
    "nno": "nor",
    "nob": "nor",
    "sqi": "alb",
    "swe": "sve",
    "zho": "chi",
    "cze": "ces",
    "fre": "fra",
    "rum": "ron",
    "slo": "slk",
}
"""Languages by their codes of ISO 639-2, and what FFmpeg calls them in MOV, where it leaves others out."""
Event = Callable[[str], None]

_NEEDS_HEADER = frozenset({"aac", "alac", "flac", "opus", "vorbis"})
_LEAST_MP3_RATE = 16_000
"""Hertz. FFmpeg writes no slower MP3 into MP4."""
_MAX_ERRORS_IN_A_ROW = 20
LONGEST_S = 60.0
"""Of sound in one packet; usual are 0.02 to 2 seconds."""
_EARLIER_S = 0.5
"""How long before the begin of a part sound is read where packets are cut anywhere: FFmpeg needs some of them until
it finds where they begin."""
_CLOCK_S = 0.01
"""Seconds. Containers with millisecond timestamps cause gaps and overlaps up to this; a longer gap is real."""


class SoundTrack:
    """Returns audio packets up to a given time, copied if the container supports the codec, else converted.

    Damaged audio is reported once and skipped; it never stops the video.
    """

    def __init__(
        self,
        source: av.container.InputContainer,
        stream: Any,
        container: av.container.OutputContainer,
        kind: FileKind,
        on_event: Event,
        begin_read: BeginRead = lambda: None,
        *,
        start_s: float = 0.0,
    ) -> None:
        """``source`` is the track's own, since it is read at the track's own pace; ``close`` closes it.
        ``begin_read`` is called before each read."""
        self._begin_read = begin_read
        self._source, self._stream, self._on_event = source, stream, on_event
        self._zero_s = (source.start_time or 0) / av.time_base + start_s
        self._from_start = not start_s
        stated = stream.codec_context.delay > 0 and kind.muxer in ("matroska", "webm")
        self._hides_first = stated or "use_editlist" in kind.options
        self._parts = JoinedParts(source)
        if start_s:
            with suppress(OSError, av.FFmpegError):  # else read from the beginning
                if self._parts.must_be_searched:
                    self._parts.seek(stream, self._zero_s - _EARLIER_S, begin_read)
                elif self._zero_s >= _first_picture_s(source):  # FFmpeg goes to no time before it
                    source.seek(round(self._zero_s * av.time_base))
        self._errors = self._errors_in_a_row = 0
        self._stated: int | None = None
        self._waiting: Any = None
        name = codec_of(stream)
        header = bytes(stream.codec_context.extradata or b"")
        whole = name not in _NEEDS_HEADER or bool(header)
        whole &= name != "mp3" or stream.rate >= _LEAST_MP3_RATE
        self.copies = name in kind.sound and whole and bool(stream.rate) and not holds_picture(header)
        self._out: Any
        self._packets: Generator[Any, None, None]
        if self.copies:
            self._out = container.add_stream_from_template(stream)
            self._packets = self._copy()
        else:
            layout = "mono" if stream.codec_context.channels == 1 else "stereo"
            if stream.codec_context.channels > 2:
                on_event(f"sound with {stream.codec_context.channels} channels becomes stereo ({kind.sound_encoder})")
            rate = 48_000 if kind.sound_encoder == "libopus" else _usual_rate(stream.rate)
            self._out = container.add_stream(kind.sound_encoder, rate=rate, layout=layout)
            self._packets = self._transcode(layout)
        describe(self._out, stream)

    def until(self, time_s: float) -> Iterator[Any]:
        """Yield the remaining packets that begin before ``time_s`` (seconds from the file's start)."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or self._waiting.pts * self._waiting.time_base >= time_s:
                return
            packet, self._waiting = self._waiting, None
            yield packet

    def close(self) -> None:
        self._packets.close()
        self._source.close()

    def _copy(self) -> Generator[Any, None, None]:
        """Yield copied packets, without those before time zero (encoder delay), so that audio stays in sync. A first
        one that only begins before it is sound: the container says from where on it is heard. Where the output can
        say so, the one before is kept as well: AAC and MP3 need it to decode the first, else faded in for 10 ms."""
        last, alike = -math.inf, 0
        for packet in self._demux():
            packet.pts = packet.dts = at = round(packet.pts - self._zero_s / packet.time_base)
            lasts = packet.duration or 0
            needed = self._from_start and self._hides_first and at < 0 < at + 2 * lasts
            heard = at + lasts > 0 if self._from_start else at >= 0
            if at >= last and (needed or (heard and not packet.is_discard)):
                last, alike = at, alike + 1 if at == last else 0
                self._space_out(packet, alike)
                packet.stream = self._out
                yield packet

    def _space_out(self, packet: Any, alike: int) -> None:
        """Give a packet of the same time as the one before a time of its own, which most containers need. Packets of
        TrueHD last 0.83 ms, and Matroska counts milliseconds; RealMedia gives many packets one time."""
        if alike:
            sample = Fraction(1, self._stream.rate)
            lasts = self._stream.codec_context.frame_size
            lasts = lasts if lasts * sample >= packet.time_base else 1
            packet.pts = packet.dts = round(packet.pts * packet.time_base / sample) + alike * lasts
            packet.time_base, packet.duration = sample, lasts

    def _transcode(self, layout: str) -> Generator[Any, None, None]:
        resampler = av.AudioResampler(format=self._out.codec_context.format, layout=layout, rate=self._out.rate)
        due = 0
        for packet in self._demux():
            try:
                for frame in packet.decode():
                    check_length(frame)
                    start = self._sample_of(frame, due)
                    if start < due:
                        continue
                    frame.pts, frame.time_base = start, Fraction(1, frame.sample_rate)
                    due = start + frame.samples
                    for resampled in resampler.resample(frame):
                        yield from self._out.encode(resampled)
                self._errors_in_a_row = 0
            except (av.FFmpegError, ValueError) as error:
                heard = packet.pts * packet.time_base >= self._zero_s  # else the rest of what was in the middle there
                if heard and self._gives_up(error):
                    break
        try:
            yield from self._out.encode(None)
        except av.FFmpegError as error:  # sound that is not a number, which encoders refuse later
            self._gives_up(error)

    def _sample_of(self, frame: Any, due: int) -> int:
        """Return the index of the frame's first sample, from the file's start; ``due`` if they differ only by
        timestamp rounding, or if it has no time of its own."""
        before, self._stated = self._stated, frame.pts
        if frame.pts in (None, before):
            return due
        start = round((frame.pts * frame.time_base - self._zero_s) * frame.sample_rate)
        return due if abs(start - due) < frame.sample_rate * _CLOCK_S else start

    def _demux(self) -> Iterator[Any]:
        packets = self._parts.demux(self._stream)
        while True:
            self._begin_read()
            try:
                packet = next(packets, None)
            except (OSError, av.FFmpegError) as error:
                if self._gives_up(error):
                    return
                packets = self._parts.demux(self._stream)
                continue
            if packet is None:
                return
            if packet.pts is not None and packet.size:
                yield packet

    def _gives_up(self, error: Exception) -> bool:
        self._errors += 1
        self._errors_in_a_row += 1
        if self._errors == 1:
            self._on_event(f"the sound is damaged ({reason(error)}); skipping unreadable parts")
        return self._errors_in_a_row >= _MAX_ERRORS_IN_A_ROW


def _first_picture_s(source: av.container.InputContainer) -> float:
    """When the first picture is shown, in seconds on the file's clock; -inf if that is not stated."""
    video = video_stream(source)
    if video is None or video.start_time is None or video.time_base is None:
        return -math.inf
    return float(video.start_time * video.time_base)


def check_length(frame: Any) -> None:
    """Raise ValueError for a part so long that it takes gigabytes at a usual rate: 10 kB at one sample a second took
    2.7."""
    if frame.samples > LONGEST_S * frame.sample_rate:
        raise ValueError(f"{frame.samples} samples at {frame.sample_rate} Hz")


def codec_of(stream: Any) -> str:
    """FFmpeg's name of the codec, not of a decoder of it: those of MP3, DTS and ASS are mp3float, dca and ssa."""
    return str(stream.codec_context.codec.canonical_name)


def holds_picture(header: bytes) -> bool:
    """Whether a codec's header holds a picture, as the comments of Vorbis and the [Graphics] of ASS may: it may show
    the face as it was."""
    return any(mark in header.upper() for mark in (b"METADATA_BLOCK_PICTURE=", b"[GRAPHICS]"))


def describe(out: Any, stream: Any) -> None:
    """Give an output's track the language, title and role (default, forced ...) of the input's."""
    out.metadata.update({key: value for key, value in stream.metadata.items() if key in ("language", "title")})
    if out.container.format.name == "mov" and (language := stream.metadata.get("language")):
        out.metadata["language"] = _IN_QUICKTIME.get(language, language)
    if title := stream.metadata.get("title"):
        out.metadata["handler_name"] = title  # where MP4 keeps it
    out.disposition = stream.disposition


def _usual_rate(rate: int) -> int:
    """Return the sampling rate for an encoder: a standard rate up to 48 kHz unchanged, any other becomes 48 kHz."""
    return rate if rate in (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000) else 48_000
