"""Copy the subtitles of a file input to an output; texts are converted to the output's format."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import av
import av.container

from rtswap.media.containers import BeginRead
from rtswap.media.file_kinds import FileKind
from rtswap.media.joined_parts import JoinedParts
from rtswap.media.sound import codec_of, describe, holds_picture

_EMPTY = b"\0\0"
"""A text of MP4 is shown until the next one: this one, of no letters, ends it."""
_LONGEST_S = 60.0
"""How long before the begin of a part a text may begin that is still shown in it."""
_LATE_S = 1.5
"""By how much a text may come after the pictures that it is shown with: FFmpeg gives packets of MP4 that lie within a
second of each other in the order of the file."""
_TEXTS = frozenset({"subrip", "ass", "webvtt", "mov_text", "text", "microdvd", "sami", "subviewer"})


class SubtitleTracks:
    """The subtitle tracks of a file, read beside its video, whose packets show how far it has been read."""

    def __init__(
        self,
        source: av.container.InputContainer,
        video: Any,
        container: av.container.OutputContainer,
        kind: FileKind,
        begin_read: BeginRead = lambda: None,
        *,
        start_s: float = 0.0,
        end_s: float = math.inf,
    ) -> None:
        """``begin_read`` is called before each read. ``start_s`` and ``end_s``: the part of the file, in seconds,
        from whose begin times are counted, and to which texts are cut."""
        self._source, self._begin_read, self._lasts_s = source, begin_read, end_s - start_s
        self._zero_s = (source.start_time or 0) / av.time_base + start_s
        self._tracks: dict[int, tuple[Any, bool]] = {}
        self._ends: dict[int, Any] = {}
        self._needs_ends = kind.subtitle_encoder == "mov_text"
        self.lost: list[str] = []
        """FFmpeg's decoders of the tracks that the output cannot hold."""
        streams = [s for s in source.streams.subtitles if s.codec_context is not None]
        for stream in streams:
            name = codec_of(stream)
            copies = name in kind.subtitles and not holds_picture(bytes(stream.codec_context.extradata or b""))
            if not copies and not (kind.subtitle_encoder and name in _TEXTS):
                self.lost.append(stream.codec_context.name)
                continue
            out: Any
            if copies:
                out = container.add_stream_from_template(stream)
            else:
                out = container.add_stream(kind.subtitle_encoder)
                stream.codec_context.open(strict=False)
                out.codec_context.subtitle_header = stream.codec_context.subtitle_header
            describe(out, stream)
            self._tracks[stream.index] = out, copies
        wanted = [s for s in streams if s.index in self._tracks]
        read = [*([video] if video is not None else ()), *wanted]
        parts = JoinedParts(source)
        if wanted and start_s > _LONGEST_S and not parts.must_be_searched:
            with suppress(OSError, av.FFmpegError):  # else read from the beginning
                source.seek(round((self._zero_s - _LONGEST_S) * av.time_base))
        self._packets = parts.demux(*read) if wanted else iter(())
        self._read_s = float("-inf")
        self._waiting: list[Any] = []

    def until(self, time_s: float) -> Iterator[Any]:
        """Yield the remaining packets that begin before ``time_s`` (seconds from the file's start)."""
        while self._read_s < time_s + _LATE_S:
            self._begin_read()
            try:
                packet = next(self._packets, None)
            except (OSError, av.FFmpegError):
                packet = None  # the input reports the damage
            if packet is None:
                self._read_s = float("inf")
                break
            if packet.pts is None or not packet.size:
                continue
            starts_s = float(packet.pts * packet.time_base) - self._zero_s
            if packet.stream.index in self._tracks:
                self._waiting += self._convert(packet, starts_s)
            else:
                self._read_s = max(self._read_s, starts_s)
        waiting, self._waiting = self._waiting, []
        for packet in waiting:
            if float(packet.pts * packet.time_base) < time_s:
                yield packet
            else:
                self._waiting.append(packet)
        over = [index for index, end in self._ends.items() if float(end.pts * end.time_base) <= time_s]
        yield from (self._ends.pop(index) for index in over)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _convert(self, packet: Any, starts_s: float) -> list[Any]:
        out, copies = self._tracks[packet.stream.index]
        converted = packet
        if not copies:
            try:
                subtitle = packet.stream.codec_context.decode2(packet)
                if subtitle is None:
                    return []
                converted = out.codec_context.encode_subtitle(subtitle)
            except (av.FFmpegError, ValueError):
                return []  # a damaged line
        shown_s = float((packet.duration or 0) * packet.time_base)
        if starts_s < 0:
            starts_s, shown_s = 0.0, shown_s + starts_s
            if shown_s <= 0:
                return []
        converted.time_base = packet.time_base
        converted.pts = converted.dts = round(starts_s / packet.time_base)
        converted.duration = round(min(shown_s, self._lasts_s - starts_s) / packet.time_base)
        converted.stream = out
        return self._ended(converted) if self._needs_ends else [converted]

    def _ended(self, text: Any) -> list[Any]:
        """The text after the end of the one before, if there is time in between. FFmpeg writes no end into fragments
        but the last, where it lasts as long as the text."""
        before = self._ends.pop(text.stream.index, None)
        if text.duration and text.size > len(_EMPTY):
            end = self._ends[text.stream.index] = av.Packet(_EMPTY)
            end.time_base, end.stream = text.time_base, text.stream
            end.pts = end.dts = text.pts + text.duration
            end.duration = 1
        return [before, text] if before is not None and before.pts < text.pts else [text]
