"""Copy what a file input holds besides its pictures: sound, subtitles, chapters, titles, fonts. One line
reports what is lost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import av.container

from rtswap.core.errors import reason
from rtswap.core.text import plural
from rtswap.core.urls import redact, scheme
from rtswap.media.containers import OPEN_TIMEOUT_S, READ_TIMEOUT_S, BeginRead, Media, cause, open_media
from rtswap.media.decoding import video_stream
from rtswap.media.file_kinds import FileKind
from rtswap.media.joined_parts import TELEVISION
from rtswap.media.sound import SoundTrack
from rtswap.media.subtitles import SubtitleTracks

_TITLES = frozenset(
    ("title", "artist", "album", "comment", "copyright", "date", "description", "genre", "language", "synopsis")
)
"""Not copied: where, when and with what device it was filmed, and what described the original's bytes."""
MOST_SOUNDS = 16
"""Each opens the file once more: 120 took a minute and 2 GB."""
_FONTS = (b"\0\1\0\0", b"OTTO", b"true", b"ttcf", b"wOFF", b"wOF2")
"""How files of fonts begin."""


class Tracks:
    """The tracks of one input file besides its pictures, added to ``container``. Create it before the container's
    header is written. Problems are reported by ``on_event`` and cost the track, never the video."""

    def __init__(
        self,
        path: str,
        container: av.container.OutputContainer,
        kind: FileKind,
        suffix: str,
        on_event: Callable[[str], None],
        *,
        start_s: float = 0.0,
        end_s: float = math.inf,
        tls_ca: str | None = None,
        with_sound: bool = True,
    ) -> None:
        """``start_s`` and ``end_s``: where in the file the video begins and ends, in seconds. Without ``with_sound``
        the sound is left out."""
        self._path, self._kind, self._on_event, self._tls_ca = path, kind, on_event, tls_ca
        self._shown = redact(path) if scheme(path) else path
        self._tracks: list[SoundTrack | SubtitleTracks] = []
        try:
            source = self._open().container
            with source:
                heard = source.streams.audio if with_sound else ()
                late = source.format.name in TELEVISION  # whose rate is not known before it comes
                sounds = [s.index for s in heard if s.codec_context is not None and (s.rate or late)]
                lost = self._copy_head(source, container, start_s=start_s, end_s=end_s)
                lost += _undecodable("sound track", len(heard) - len(sounds) if sounds else 0)
                lost += _undecodable("subtitle track", sum(s.codec_context is None for s in source.streams.subtitles))
                subtitles = bool(source.streams.subtitles)
        except (OSError, ValueError, av.FFmpegError) as error:
            on_event(f"no sound: cannot read {self._shown} ({cause(error)})")
            return
        if heard and not sounds:
            on_event(f"no sound: {self._shown} has no audio that can be decoded")
        if kind.sound_encoder:
            if len(sounds) > MOST_SOUNDS:
                lost.append(plural(len(sounds) - MOST_SOUNDS, "further sound track"))
            for index in sounds[:MOST_SOUNDS]:
                sound = partial(_sound, index=index, container=container, kind=kind, on_event=on_event)
                self._add(partial(sound, start_s=start_s))
        elif sounds:
            lost.append("sound")
        if subtitles:
            texts = partial(SubtitleTracks, container=container, kind=kind, start_s=start_s, end_s=end_s)
            self._add(lambda source, begin: texts(source, video_stream(source), begin_read=begin))
            lost += [f"{plural(n, 'subtitle track')} ({name})" for name, n in Counter(self._lost_subtitles()).items()]
        if lost:
            on_event(f"not kept of {self._shown} in {suffix}: {', '.join(lost)}")

    def until(self, time_s: float) -> Iterator[Any]:
        """Yield the remaining packets of all tracks that begin before ``time_s`` (seconds from the file's start)."""
        for track in self._tracks:
            yield from track.until(time_s)

    def close(self) -> None:
        """Close the input file."""
        for track in self._tracks:
            track.close()

    def _open(self) -> Media:
        if not scheme(self._path):
            return open_media(str(Path(self._path).absolute()))
        return open_media(self._path, tls_ca=self._tls_ca, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))

    def _add(self, make: Callable[[av.container.InputContainer, BeginRead], SoundTrack | SubtitleTracks]) -> None:
        source = None
        try:
            source, begin_read, _ = self._open()
            self._tracks.append(make(source, begin_read))
        except (OSError, ValueError, av.FFmpegError) as error:
            self._on_event(f"a track of {self._shown} is lost: {reason(error)}")
            if source is not None:
                source.close()

    def _lost_subtitles(self) -> list[str]:
        return [name for track in self._tracks if isinstance(track, SubtitleTracks) for name in track.lost]

    def _copy_head(
        self,
        source: av.container.InputContainer,
        container: av.container.OutputContainer,
        *,
        start_s: float,
        end_s: float,
    ) -> list[str]:
        """Copy titles, chapters and fonts. Returns what is lost."""
        tags = {key.lower(): value for key, value in source.metadata.items()}
        container.metadata.update({key: value for key, value in tags.items() if key in _TITLES})
        lost = ["location"] if "location" in tags or "com.apple.quicktime.location.iso6709" in tags else []
        found = _chapters(source, start_s, end_s)
        if found and self._kind.chapters:
            container.set_chapters(found)
        elif found:
            lost.append(plural(len(found), "chapter"))
        attached = list(source.streams.attachments)
        fonts = [stream for stream in attached if self._kind.attachments and is_font(stream.data or b"")]
        for stream in fonts:
            container.add_attachment(stream.name or "attachment", stream.mimetype or "", stream.data)
        if len(attached) > len(fonts):
            lost.append(plural(len(attached) - len(fonts), "attachment"))
        return lost + _other_streams(source)


def is_font(data: bytes) -> bool:
    """Whether an attachment is a font, which subtitles need. Others may show the face as it was."""
    return data.startswith(_FONTS)


def _chapters(source: av.container.InputContainer, start_s: float, end_s: float) -> list[Any]:
    """Return the chapters between two times, cut to them, their times counted from ``start_s``, as FFmpeg does."""
    found: list[Any] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1)
        zero_s = (source.start_time or 0) / av.time_base + start_s
        begin = max(0, round(chapter["start"] - zero_s / base))
        end = round(chapter["end"] - zero_s / base)
        if not math.isinf(end_s):
            end = min(end, round((end_s - start_s) / base))
        if begin < end:
            found.append({**chapter, "start": begin, "end": end})
    return found


def _sound(
    source: av.container.InputContainer,
    begin_read: BeginRead,
    *,
    index: int,
    container: av.container.OutputContainer,
    kind: FileKind,
    on_event: Callable[[str], None],
    start_s: float,
) -> SoundTrack:
    return SoundTrack(source, source.streams[index], container, kind, on_event, begin_read, start_s=start_s)


def _other_streams(source: av.container.InputContainer) -> list[str]:
    """Return the tracks that rtswap copies into no file."""
    covers = [s for s in source.streams.video if s.disposition & av.stream.Disposition.attached_pic]
    others = len(source.streams.video) - len(covers) - 1
    data = [s for s in source.streams if s.type in ("data", "unknown") and not _is_chapter_track(s, source)]
    return [
        *(["the cover picture"] if covers else []),
        *([plural(others, "further video track")] if others > 0 else []),
        *([plural(len(data), "data track")] if data else []),
    ]


def _undecodable(track: str, count: int) -> list[str]:
    """Return the tracks of a codec that FFmpeg's build does not know, such as the teletext of television."""
    return [f"{plural(count, track)} of an unknown codec"] if count else []


def _is_chapter_track(stream: Any, source: av.container.InputContainer) -> bool:
    """MP4 files keep their chapters in a track of text as well."""
    return bool(source.chapters()) and stream.metadata.get("handler_name") in ("SubtitleHandler", None)
