"""Video file output that stays playable after Ctrl-C, a crash, kill -9 or a full disk.

Frames are written to ``NAME.partial.mp4``, in independently playable fragments of a second. On a clean end the file
becomes an ordinary MP4 and is renamed to ``NAME.mp4``, so ``NAME.mp4`` is always complete; a crash and a session that
fails leave the partial file.
"""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import av
import av.container

from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.files import make_partial, publish
from rtswap.core.native_logs import quiet_ffmpeg
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.types import MarkedImage
from rtswap.core.urls import expanded
from rtswap.media.encoding import VideoEncoder, check_fits, check_quality, encoder_name
from rtswap.media.faststart import move_index
from rtswap.media.file_kinds import KINDS, codec_for, options_of
from rtswap.media.live_sound import LiveTrack
from rtswap.media.output_names import refuse_taken
from rtswap.media.tracks import Tracks

_COMMON = {"flush_packets": "1", "max_interleave_delta": "500000"}


class VideoWriter:
    """Output to one file. Raises OutputError if it cannot be created or written, UsageError for an unsupported
    suffix.

    Timestamps are the frames' ``time_s``; of a live input they count from the first frame's ``captured_at``.
    """

    def __init__(self, path: str | Path, request: OutputRequest) -> None:
        quiet_ffmpeg()
        self._path, self._request = Path(path), request
        self._suffix = self._path.suffix.lower()
        if self._suffix not in KINDS:
            raise UsageError(f"cannot record to {path}", expected=f"a name ending in {', '.join(KINDS)}")
        self._kind = KINDS[self._suffix]
        self._encoder_name = _encoder_for(self._suffix, request)
        refuse_taken(self._path, request.overwrite, request.audio_from)
        new: list[BinaryIO] = []
        self.partial_path = make_partial(self._path, lambda path: new.append(path.open("xb")))
        self._made_file = new[0]
        """The empty file, which FFmpeg opens at the first picture."""
        self._made = os.fstat(self._made_file.fileno())
        self._container: av.container.OutputContainer | None = None
        self._encoder: VideoEncoder | None = None
        self._tracks: Tracks | LiveTrack | None = None
        self._zero_s: float | None = None
        self._count = 0
        self._failed = self._closed = self._incomplete = self._ended = False
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return str(self._path)

    def send(self, image: MarkedImage) -> None:
        with self._lock:
            if self._closed or self._failed:
                raise OutputError(f"{self.name} is closed", got="another frame")
            try:
                self._write(image)
            except OutputError:
                self._incomplete = True
                raise
            except (OSError, ValueError, av.FFmpegError) as error:
                self._failed = True
                raise self._broken(error) from None

    def mark_incomplete(self) -> None:
        """See ``protocols.RecordingOutput``."""
        self._incomplete = True

    def play_out(self) -> None:
        """See ``protocols.OutputWithSound``."""
        self._ended = True

    def close(self) -> None:
        """Finish the file and rename it to its final name. A failed or incomplete recording keeps its partial name;
        one without frames is deleted."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._find()
            try:
                self._finish()
            except (OSError, ValueError, av.FFmpegError) as error:
                if not self._failed:
                    raise self._broken(error) from None
            finally:
                self._made_file.close()

    def _write(self, marked: MarkedImage) -> None:
        time_s = self._time_of(marked)
        if self._encoder is None or self._container is None:
            path = str(self.partial_path.absolute())  # else FFmpeg parses tcp:host.mp4 as a URL
            # By its name FFmpeg would follow a link that others planted meanwhile.
            held = _handle(self._made_file)
            place, options = (
                held if Path(held).exists() else path,
                _COMMON | options_of(self._suffix, self._request.plays),
            )
            self._container = av.open(place, "w", format=self._kind.muxer, options=options)
            self._encoder = self._set_up(self._container, marked)
        if self._tracks is not None:
            self._container.mux(list(self._tracks.until(time_s)))
        self._container.mux(self._encoder.encode(marked.image, time_s, marked.least_scale, marked.duration_s))
        self._count += 1

    def _set_up(self, container: av.container.OutputContainer, marked: MarkedImage) -> VideoEncoder:
        """Create the video and audio streams at the first frame, which sets the file's size."""
        request = self._request
        encoder = VideoEncoder(
            container,
            marked.image,
            encoder=self._encoder_name,
            fps=request.fps,
            live=request.live,
            crf=request.crf,
            bitrate=request.bitrate,
        )
        if request.audio_from is not None:
            self._tracks = Tracks(
                request.audio_from,
                container,
                self._kind,
                self._suffix,
                request.on_event,
                start_s=request.audio_start_s,
                end_s=request.audio_end_s,
                tls_ca=request.tls_ca,
                with_sound=request.with_sound,
            )
        elif request.live_sound is not None and request.live and self._kind.sound_encoder:
            self._tracks = LiveTrack(request.live_sound, container, self._kind, marked.captured_at)
        container.start_encoding()
        return encoder

    def _time_of(self, marked: MarkedImage) -> float:
        if not self._request.live:
            return marked.time_s if marked.time_s is not None else self._count / self._request.fps
        if self._zero_s is None:
            self._zero_s = marked.captured_at
        return marked.captured_at - self._zero_s

    def _finish(self) -> None:
        try:
            if self._container is not None and self._encoder is not None and not self._failed:
                packets = self._encoder.finish()
                if self._tracks is not None:
                    self._container.mux(list(self._tracks.until(self._end_of_sound(self._encoder))))
                self._container.mux(packets)
        finally:
            if self._tracks is not None:
                self._tracks.close()
            if self._container is not None:
                self._container.close()
        if not self._count:
            self._discard()
        elif self._incomplete:
            self._request.on_event(f"{self._path} is not complete: what was recorded is in {self.partial_path}")
        elif not self._failed:
            self._publish()

    def _end_of_sound(self, encoder: VideoEncoder) -> float:
        """Seconds: that of the pictures; of a file that was read to its end that of the sound, which may be later."""
        request = self._request
        return request.audio_end_s - request.audio_start_s if self._ended and not request.live else encoder.end_s

    def _find(self) -> None:
        """Look where the file is, which may have been moved, or its folder renamed, while it was written."""
        if not Path(_handle(self._made_file)).exists():  # Windows renames no open file
            self._made_file.close()
        elif not self._is_there():
            place = Path(os.readlink(_handle(self._made_file)))
            with suppress(OSError):
                if os.path.samestat(place.lstat(), self._made):
                    self.partial_path = place

    def _is_there(self) -> bool:
        """Whether what has the partial name is the recording, and no link or file that others put there."""
        try:
            return os.path.samestat(self.partial_path.lstat(), self._made)
        except OSError:
            return False

    def _discard(self) -> None:
        if self._is_there():
            self.partial_path.unlink(missing_ok=True)

    def _publish(self) -> None:
        if not self._is_there():
            raise OSError("the recording was deleted, or replaced, while it was written")
        if self._kind.index_last:
            self._move_index()
        publish(self.partial_path, self._path, overwrite=self._request.overwrite)
        if self._request.sign is not None:
            self._request.sign(self._path)

    def _move_index(self) -> None:
        """Move the file's index to its front. Where there is no room for a second copy, it stays at the end."""
        copy = self.partial_path.with_name(f".index-{secrets.token_hex(4)}{self._suffix}")
        try:
            if move_index(self.partial_path, copy):
                made = copy.lstat()
                copy.replace(self.partial_path)
                self._made = made
        except OSError:
            copy.unlink(missing_ok=True)

    def _broken(self, error: Exception) -> OutputError:
        kept = bool(self._count and self._is_there() and self.partial_path.stat().st_size)
        if not kept:
            self._discard()
        do = f"The recording so far is in {self.partial_path}." if kept else ""
        return OutputError(f"cannot write {self._path}", got=reason(error), do=do)


def _handle(made: BinaryIO) -> str:
    """What Linux calls an open file, whatever its name is by now."""
    return f"/proc/self/fd/{made.fileno()}"


def _check(address: str, request: OutputRequest) -> None:
    path = expanded(address)
    _encoder_for(path.suffix.lower(), request)
    refuse_taken(path, request.overwrite)


def _encoder_for(suffix: str, request: OutputRequest) -> str:
    """Return FFmpeg's encoder. Raises UsageError or OutputError if it cannot write such a file."""
    encoder = encoder_name(codec_for(suffix, request.codec))
    check_quality(encoder, request.crf, request.bitrate)
    check_fits(encoder, suffix)
    return encoder


SPEC = OutputSpec(
    "video",
    f"video ({' '.join(KINDS)})",
    lambda address: Path(address).suffix.lower() in KINDS,
    lambda address, request: VideoWriter(expanded(address), request),
    _check,
    by_suffix=True,
)
