"""Video file input with PyAV: every frame in order, with its timestamp."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import av
import av.container
import av.video.stream

from rtswap.core.errors import InputError, reason
from rtswap.core.files import open_regular
from rtswap.core.native_logs import quiet_ffmpeg
from rtswap.core.parts import InputSpec
from rtswap.core.text import duration, plural
from rtswap.core.types import Frame, StreamInfo
from rtswap.core.urls import local_path
from rtswap.media.containers import NAMES_OTHERS, open_media
from rtswap.media.decoding import (
    Decoder,
    PictureMaker,
    begins_late_s,
    limit_pixels,
    nominal_fps,
    start_s,
    stated_length_s,
    unrounded_s,
    video_stream,
)
from rtswap.media.faststart import lacks_index
from rtswap.media.hardware_decoding import open_on_gpu
from rtswap.media.inputs import no_pipe
from rtswap.media.joined_parts import JoinedParts
from rtswap.media.lifetime import ClosingInput
from rtswap.vision.foreign_pictures import foreign_kind
from rtswap.vision.images import CONVERT, KINDS

_EXPECTED = "a video (MP4, MOV, MKV, WebM, AVI, ...)"
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
"""FFmpeg decodes text files as video with these formats; rtswap rejects them."""
_CUT_OFF_S = 0.25
"""How much shorter than stated a video must be to be reported as cut off."""
_LEAST_STEP_S = 1e-4
_EARLY_S = 1e-3
"""Times in containers are rounded to milliseconds."""
_FIRST_BACK_S = 2.0
_HEAD_BYTES = 512


class VideoFile(ClosingInput):
    """Input from one file. Raises InputError if it is missing, empty or not a video, or no frame can be decoded.

    Frames are in stored order, rotated upright; their size may change within the file. ``time_s`` counts from the
    common start of video and audio and strictly increases.
    """

    _first: list[av.VideoFrame]

    def __init__(
        self, path: str | Path, *, hwaccel: str = "none", on_event: Callable[[str], None] = lambda event: None
    ) -> None:
        """``hwaccel``: ``cuda`` decodes on an NVIDIA GPU, or reports why it cannot; ``auto`` does so if possible."""
        quiet_ffmpeg()
        super().__init__(on_event)
        self._path = Path(path)
        self._size = _size_of(self._path)
        why_not = "" if hwaccel == "none" else self._begin_on_gpu()
        if why_not and hwaccel != "auto":
            on_event(f"decoding {self._path} on the CPU: {why_not}")
        if why_not or hwaccel == "none":
            self._begin(_open(self._path))

    @property
    def info(self) -> StreamInfo:
        return self._info

    @property
    def duration_s(self) -> float:
        """Length of the video, or of the file where the video's is not stated."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return self.file_s

    @property
    def file_s(self) -> float:
        """Length of the file with all its tracks."""
        return (self._container.duration or 0) / av.time_base

    @property
    def skipped(self) -> int:
        """Number of damaged packets so far."""
        return self._decoder.skipped

    def seek(self, time_s: float) -> None:
        """As ``SeekableInput``: to the key frame before. Files without timestamps are read from their beginning.

        Where FFmpeg goes to the time itself, after which pictures would be missing until the next key frame, further
        back."""
        if self._first and start_s(self._first[0]) is None:
            return
        parts = JoinedParts(self._container, self._say)
        if parts.must_be_searched:
            with suppress(OSError, av.FFmpegError):  # else read from the beginning
                parts.seek(self._stream, self._zero_s + time_s)
            self._decoder = self._new_decoder(parts)
            self._first = self._first_frames()
            return
        back_s = 0.0
        while not self._seek_to(time_s - back_s) and time_s > back_s:
            back_s = max(_FIRST_BACK_S, 3 * back_s)

    def _seek_to(self, time_s: float) -> bool:
        """Read on at ``time_s`` or before, and decode the first frames there. Returns whether they are from no later
        than that; also where the file cannot be positioned."""
        try:
            begins_s = self._zero_s + (time_s if time_s > 0 else -_FIRST_BACK_S)
            self._container.seek(round(begins_s * av.time_base))
            self._decoder = self._new_decoder()
            self._first = self._first_frames()
        except (OSError, av.FFmpegError):
            return True  # it cannot be positioned: read from the beginning
        except InputError:  # from there on it holds no picture
            return False
        return self._time_of(self._first[0], 0.0) <= max(time_s, 0.0) + _EARLY_S

    def frames(self) -> Iterator[Frame]:
        first_s, last_s, step_s = 0.0, -1.0, 1 / self._info.fps
        index, ends_s = 0, 0.0
        try:
            batch: list[av.VideoFrame] | None = self._first
            while batch is not None and not self.closed.is_set():
                for frame in batch:
                    time_s = self._time_of(frame, last_s + step_s if index else 0.0)
                    if index:
                        since_s = unrounded_s(time_s - first_s, self._stream)
                        last_s = max(first_s + since_s, last_s + _LEAST_STEP_S)
                    else:
                        first_s = last_s = time_s
                    shown_s = unrounded_s(float((frame.duration or 0) * (frame.time_base or 0)), self._stream)
                    ends_s = last_s + shown_s
                    image = self._pictures.to_image(frame)
                    yield Frame(image, index, time.perf_counter(), last_s, duration_s=shown_s or None)
                    index += 1
                    if self.closed.is_set():
                        return
                batch = self._next()
            if self.closed.is_set():
                return
            if self._decoder.skipped:
                skipped = plural(self._decoder.skipped, "damaged packet")
                self.on_event(f"{self._path}: {skipped} skipped, {plural(index, 'frame')} read")
            stated_s = stated_length_s(self._container, self._stream)
            if stated_s - ends_s > _CUT_OFF_S:
                self.on_event(f"{self._path} is cut off: {duration(ends_s)} of {duration(stated_s)} read")
            if _size_of(self._path) > self._size:
                self._say("it grew while it was read; what is written from now on is missing")
        finally:
            self.close()

    def _say(self, what: str) -> None:
        self.on_event(f"{self._path}: {what}")

    def release(self) -> None:
        """As ``ClosingInput``."""
        self._container.close()

    def _begin_on_gpu(self) -> str:
        """Start decoding on the GPU. Returns why that failed; empty on success."""
        container, why_not = open_on_gpu(self._path)
        if container is None:
            return why_not
        try:
            self._begin(container)
        except InputError as error:  # an error in the file is raised again by the CPU decoder
            return str(error)
        return ""

    def _begin(self, container: av.container.InputContainer) -> None:
        """Decode the first frames. On an error closes the container and raises InputError."""
        self._container = container
        try:
            self._stream = self._checked_stream()
            self._decoder = self._new_decoder()
            self._pictures = PictureMaker(self._stream, self._say)
            self._zero_s: float = (container.start_time or 0) / av.time_base
            self._first = self._first_frames()
            self._info = self._describe()
        except BaseException:
            container.close()
            raise

    def _new_decoder(self, parts: JoinedParts | None = None) -> Decoder:
        parts = parts or JoinedParts(self._container, self._say)
        return Decoder(self._container, self._stream, self._say, demux=parts.demux)

    def _next(self) -> list[av.VideoFrame] | None:
        with self.lock:
            if self.closed.is_set():
                return None
            try:
                return self._decoder.next()
            except (OSError, av.FFmpegError) as error:
                raise InputError(f"read error in {self._path}", got=reason(error), do="Check the disk.") from None

    def _time_of(self, frame: av.VideoFrame, otherwise_s: float) -> float:
        begins_s = start_s(frame)
        return otherwise_s if begins_s is None else begins_s - self._zero_s

    def _first_frames(self) -> list[av.VideoFrame]:
        """Return the first decoded frames, which give the actual size. Raises InputError for a file without frames,
        before anything else starts."""
        while (frames := self._next()) is not None:
            if frames:
                return frames
        raise InputError(
            f"no frame can be decoded from {self._path}",
            expected=_EXPECTED,
            got=plural(self._decoder.skipped, "damaged packet") if self._decoder.skipped else "no frames",
            do="Save or download the file again.",
        )

    def _checked_stream(self) -> av.video.stream.VideoStream:
        name, container = self._path, self._container
        if container.format.name in _TEXT_FORMATS:
            raise InputError(f"{name} is not a video", expected=_EXPECTED, got="a text file", do="Check the path.")
        stream = video_stream(container)
        if stream is None and any(s.type in ("video", "unknown") and not _is_cover(s) for s in container.streams):
            do = "Convert it to H.264 (ffmpeg -i IN -c:v libx264 OUT.mp4)."
            raise InputError(f"{name} has an unsupported video codec", expected=_EXPECTED, do=do)
        if stream is None:
            _refuse_unfinished(name)
            raise InputError(f"{name} has no video stream", expected=_EXPECTED, do="Check the path.")
        limit_pixels(stream)
        if not stream.codec_context.is_hwaccel:
            stream.thread_type = "AUTO"
        return stream

    def _describe(self) -> StreamInfo:
        image = self._pictures.to_image(self._first[0])
        fps = nominal_fps(self._stream)
        count = self._stream.frames or None
        if count is None and self._container.duration:
            count = max(1, round((self.file_s - begins_late_s(self._container)) * fps))
        return StreamInfo(
            image.shape[1], image.shape[0], fps, live=False, frame_count=count, audio_path=str(self._path)
        )


def _is_cover(stream: av.stream.Stream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _open(path: Path) -> av.container.InputContainer:
    try:
        if path.is_file() and path.stat().st_size == 0:
            do = "Save or download the file again."
            raise InputError(f"{path} is empty", expected=_EXPECTED, got="0 bytes", do=do)
        if path.is_fifo():
            raise no_pipe(path)
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a file", expected=_EXPECTED, do="Check the path.")
        if foreign := _foreign_picture(path):
            raise InputError(f"cannot read {path}", expected=f"a video, or {KINDS}", got=foreign, do=CONVERT)
        return open_media(str(path.absolute())).container
    except FileNotFoundError:
        raise InputError(f"no such file: {path}", do="Check the path.") from None
    except av.error.InvalidDataError:
        do = "Check that the file plays, or save or download it again."
        got = "another format or a truncated file"
        _refuse_unfinished(path)
        raise InputError(f"cannot read {path}", expected=_EXPECTED, got=got, do=do) from None
    except av.error.ArgumentError:
        do = "Convert it to MP4, or a picture to PNG."
        raise InputError(f"cannot read {path}", expected=_EXPECTED, got=NAMES_OTHERS, do=do) from None
    except (OSError, ValueError, av.FFmpegError) as error:
        do = "Check the path and its permissions." if isinstance(error, OSError) else ""
        raise InputError(f"cannot read {path}", expected=_EXPECTED, got=reason(error), do=do) from None


def _refuse_unfinished(path: Path) -> None:
    """Raise InputError for a recording that has not ended, or whose end is missing."""
    if lacks_index(path):
        got = "an MP4 or MOV whose index (moov) is missing or cut off"
        do = "Wait until it is written, or save, copy or download it again."
        raise InputError(f"cannot read {path}", expected=_EXPECTED, got=got, do=do) from None


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _foreign_picture(path: Path) -> str:
    """The kind of a picture that rtswap does not read; empty for every other file."""
    with open_regular(path) as file:
        return foreign_kind(path, file.read(_HEAD_BYTES))


def _takes(address: str) -> bool:
    try:
        return bool(address) and local_path(address).exists()
    except (OSError, ValueError):  # a name too long, a zero byte
        return False


SPEC = InputSpec(
    "video",
    "video file",
    _takes,
    lambda address, request: VideoFile(local_path(address), hwaccel=request.hwaccel, on_event=request.on_event),
)
