"""Put the parts of a joined recording one after the other: each brings a clock of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import av
import av.container

from rtswap.core.native_logs import described
from rtswap.core.text import clock, plural, size

_FORMATS = frozenset({"mpegts", "mpeg", "hls"})
"""Files of these may be joined byte by byte, as cameras, television recorders and DVDs do; so are playlists."""
TELEVISION = frozenset({"mpegts", "mpeg"})
"""Files of these may have tracks that begin in the middle."""
_CLOCKS = ("video", "audio")
_BACK_S = 0.1
_AHEAD_S = 60.0
"""A longer gap is none: the next part was recorded later."""
_SOUND = re.compile(r"Stream #0:(\d+)\S* Audio")
_REST_BYTES, _REST_GAPS = 32_000, 4
"""How much may follow the last picture in a file, also in gaps between pictures: sound, tables, padding."""


def packets_of(container: av.container.InputContainer, *streams: Any) -> Iterator[Any]:
    """Yield packets as ``container.demux`` does, whose end is an IndexError in PyAV 18 where tracks have appeared
    since the container was opened, as at the change of a television programme. All packets have come by then."""
    with suppress(IndexError):
        yield from container.demux(*streams)


class JoinedParts:
    """Reads packets as ``container.demux`` does. Where the clock of a joined recording jumps, the packets that follow
    go on where the track ended. All readers of a file see the same jumps, so that its tracks stay in step."""

    def __init__(
        self, container: av.container.InputContainer, on_event: Callable[[str], None] = lambda text: None
    ) -> None:
        """``on_event`` is told of the first jump."""
        self._container, self._on_event = container, on_event
        self._offset_s = 0.0
        self._last: dict[int, tuple[float, float]] = {}
        """Track -> when its newest packet begins, and how long it lasts, in seconds."""
        self._told = False

    def demux(self, *streams: Any) -> Iterator[Any]:
        """Yield the packets of ``streams``."""
        if self._container.format.name not in _FORMATS:
            return packets_of(self._container, *streams)
        return self._corrected({stream.index for stream in streams})

    @property
    def must_be_searched(self) -> bool:
        """Whether only ``seek`` finds a time in this file."""
        return self._container.format.name in _FORMATS

    def seek(self, stream: Any, time_s: float, begin_read: Callable[[], None] = lambda: None) -> None:
        """Go on at the last key frame of ``stream`` that begins by ``time_s``, seconds on the file's clock; at the
        beginning where there is none. Reads all packets up to there: FFmpeg would find the time in any of the parts.
        ``begin_read`` is called before each read. Raises OSError and FFmpegError."""
        place, skipped, state, count = 0, 0, (0.0, dict[int, tuple[float, float]]()), 0
        for packet in self._from(0):
            begin_read()
            if packet.dts is None or not packet.size:
                continue
            before = self._offset_s, dict(self._last)
            self._correct(packet)
            if packet.stream.index == stream.index:
                if packet.dts * packet.time_base > time_s:
                    break
                begins = packet.dts if packet.pts is None else packet.pts
                known = packet.pos is not None or self._is_playlist
                if known and packet.is_keyframe and begins * packet.time_base <= time_s:
                    place, skipped, state = packet.pos or 0, count, before
                count += 1
        self._offset_s, self._last = state
        packets = self._from(place)
        while skipped and self._is_playlist:  # of which the place is one in a part
            begin_read()
            packet = next(packets)
            skipped -= packet.stream.index == stream.index and packet.dts is not None and packet.size > 0

    @property
    def _is_playlist(self) -> bool:
        return self._container.format.name == "hls"

    def _from(self, place: int) -> Iterator[Any]:
        """The packets that have a clock, from a place in bytes; of a playlist from its beginning."""
        streams = [stream for stream in self._container.streams if stream.type in _CLOCKS]
        if not self._is_playlist:
            self._container.seek(place, unsupported_byte_offset=True)
            return packets_of(self._container, *streams)
        next(packets_of(self._container, *streams), None)  # FFmpeg knows now where the playlist's clock begins
        begins = [self._container.start_time or 0]
        begins += [int((one.start_time or 0) * (one.time_base or 0) * av.time_base) + 1 for one in streams]
        for time_us in sorted(begins):
            with suppress(PermissionError):  # before that clock
                self._container.seek(time_us)
                return packets_of(self._container, *streams)
        raise OSError("the playlist cannot be positioned")

    def _corrected(self, wanted: set[int]) -> Iterator[Any]:
        streams = self._container.streams
        others = [stream for stream in streams if stream.index in wanted or stream.type in _CLOCKS]
        last = gap = 0
        for packet in packets_of(self._container, *others):
            if packet.dts is not None and packet.size:
                self._correct(packet)
            if packet.stream.index in wanted:
                if packet.stream.type == "video" and packet.pos is not None:
                    last, gap = packet.pos, max(gap, packet.pos - last) if last else 0
                yield packet
        if last and not self._is_playlist:
            self._say_unread(self._container.size - last, _REST_GAPS * gap)

    def _say_unread(self, rest: int, usual: int) -> None:
        """Report tracks that begin in the middle. ``rest``: the bytes behind the last picture; ``usual``: how many
        there may be."""
        if rest > max(_REST_BYTES, usual):
            ends_s = max(at_s + lasts_s for at_s, lasts_s in self._last.values())
            at = clock(ends_s - (self._container.start_time or 0) / av.time_base, 1)
            self._on_event(f"other tracks begin at {at}, as of another programme: the last {size(rest)} are not read")
            return
        sounds = {int(found) for found in _SOUND.findall(described(self._container))}
        if later := sum(index >= len(self._container.streams) for index in sounds):
            self._on_event(f"not read: {plural(later, 'sound track')} that came in the middle")

    def _correct(self, packet: Any) -> None:
        base = packet.time_base
        if packet.stream.type in _CLOCKS:
            self._follow(packet, float(packet.dts * base))
        shift = round(self._offset_s / base)
        packet.dts += shift
        if packet.pts is not None:
            packet.pts += shift

    def _follow(self, packet: Any, clock_s: float) -> None:
        at_s = clock_s + self._offset_s
        last_s, step_s = self._last.get(packet.stream.index, (at_s, 0.0))
        due_s = last_s + step_s
        newest_s = max((last_s for last_s, _ in self._last.values()), default=at_s)
        if at_s < due_s - _BACK_S or at_s > newest_s + _AHEAD_S:
            self._offset_s = due_s - clock_s
            at_s = due_s
            self._tell()
        lasts_s = float((packet.duration or 0) * packet.time_base) or min(at_s - last_s, 1.0)
        self._last[packet.stream.index] = at_s, max(0.0, lasts_s)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._on_event("joined of several recordings, whose clocks differ; they are put one after the other")
