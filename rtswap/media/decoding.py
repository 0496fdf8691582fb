"""Decode packets of files and network streams to upright BGR frames; skip damaged packets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import av
import av.container
import av.video.stream
import cv2
import numpy as np

from rtswap.core.errors import reason
from rtswap.core.interrupts import hold_interrupts
from rtswap.core.types import Image
from rtswap.media.colours import FrameColours, side_data
from rtswap.media.deinterlacing import Deinterlacer
from rtswap.media.joined_parts import packets_of
from rtswap.vision.images import MAX_PIXELS

_TAGGED_LENGTH = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
"""As Matroska's tag DURATION writes it: 00:00:01.021000000."""
_MAX_ERRORS_IN_A_ROW = 50
_USUAL_FPS = 30.0
_LEAST_TICKS = 4
"""Of a container's clock in a frame's time: with fewer every time would lie near the frame rate."""
_MOST_ASPECT = 16
_FLIPS: dict[tuple[bool, bool, bool], Callable[[Any], Any]] = {
    # (swap x and y, then mirror x, then mirror y)
    (False, True, False): lambda image: cv2.flip(image, 1),
    (False, False, True): lambda image: cv2.flip(image, 0),
    (False, True, True): lambda image: cv2.rotate(image, cv2.ROTATE_180),
    (True, False, False): cv2.transpose,
    (True, True, False): lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    (True, False, True): lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    (True, True, True): lambda image: cv2.flip(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), 0),
}


class Decoder:
    """Decodes one video stream packet by packet. Damaged packets are skipped, counted and reported; interlaced frames
    are deinterlaced."""

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.video.stream.VideoStream,
        on_event: Callable[[str], None],
        *,
        on_sound: Callable[[Any], None] | None = None,
        demux: Callable[..., Iterator[Any]] | None = None,
    ) -> None:
        """``on_sound`` gets the packets of the first audio stream. ``demux``: in place of the container's own."""
        self._stream, self._on_event, self._on_sound = stream, on_event, on_sound
        self._demux: Callable[..., Iterator[Any]] = demux or partial(packets_of, container)
        self._demuxed: list[Any] = [stream, *(container.streams.audio[:1] if on_sound is not None else ())]
        self._packets = self._demux(*self._demuxed)
        self._deinterlacer = Deinterlacer(on_event)
        self._errors_in_a_row = 0
        self._ended = False
        self.skipped = 0

    def next(self) -> list[av.VideoFrame] | None:
        """Return the frames of the next packet, usually one, sometimes none; None at the end.

        Raises the container's OSError (connection lost). Damaged data raises nothing.
        """
        if self._ended:
            return None
        try:
            with hold_interrupts():
                packet = next(self._packets, None)
        except av.error.InvalidDataError as error:
            return self._skip(error)
        if packet is None:
            self._ended = True
            return self._deinterlacer.flush() or None
        if packet.stream.index != self._stream.index:
            if self._on_sound is not None and packet.size:
                self._on_sound(packet)
            return []
        if not packet.size and packet.dts is not None:  # in Ogg Theora: the picture stays as it is
            return []
        try:
            frames = packet.decode()
        except av.error.EOFError:
            return []
        except (av.FFmpegError, ValueError) as error:
            return self._skip(error)
        if frames:
            self._errors_in_a_row = 0
        return self._deinterlacer.process(frames)

    def _skip(self, error: Exception) -> list[av.VideoFrame] | None:
        self.skipped += 1
        self._errors_in_a_row += 1
        if self.skipped == 1:
            self._on_event(f"skipping damaged data ({reason(error)})")
        if self._errors_in_a_row >= _MAX_ERRORS_IN_A_ROW:
            self._ended = True
            return self._deinterlacer.flush() or None
        self._packets = self._demux(*self._demuxed)
        return []


class PictureMaker:
    """Converts decoded frames of one stream to Images: upright, with square pixels, in the colours of SDR video.

    ``stream``: None for square pixels. ``on_event`` reports what is changed or guessed.
    The display matrix is read only when the rotation changes: PyAV's ``side_data`` creates a reference cycle between
    frame and data, so hundreds of frames would stay in memory until a garbage collection.
    """

    def __init__(
        self,
        stream: av.video.stream.VideoStream | None = None,
        on_event: Callable[[str], None] = lambda event: None,
    ) -> None:
        self._colours = FrameColours(on_event)
        if stream is not None and _has_alpha_beside(stream):
            on_event("transparency is not kept")
        self._aspect = _pixel_aspect(stream, on_event)
        self._on_event, self._untold = on_event, self._aspect != 1
        self._rotation: int | None = None
        self._matrix = (1, 0, 0, 1)

    def to_image(self, frame: av.VideoFrame) -> Image:
        """Return an upright, writable (H, W, 3) BGR image that owns its memory. One conversion, no further copy, for
        ordinary video."""
        image = self._colours.to_bgr(frame, square_size(frame.width, frame.height, self._aspect))
        if frame.rotation != self._rotation:
            self._rotation, self._matrix = frame.rotation, display_matrix(frame)
        upright = turn_upright(image, self._matrix)
        if self._untold:
            self._untold = False
            shape = f"{self._aspect.numerator}:{self._aspect.denominator}"
            scaled = f"pictures are scaled to {upright.shape[1]}x{upright.shape[0]}"
            self._on_event(f"pixels are {shape}, not square; {scaled}")
        return upright


def _has_alpha_beside(stream: av.video.stream.VideoStream) -> bool:
    """Whether a WebM holds transparency, which FFmpeg's own decoders of VP8 and VP9 leave out."""
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())


def square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return the (width, height) with square pixels of a picture whose pixels are ``aspect`` times as wide as high;
    the shorter side grows, so that no detail is lost. Unchanged if that would be too large."""
    wide, high = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return (wide, high) if wide * high <= MAX_PIXELS else (width, height)


def _pixel_aspect(stream: av.video.stream.VideoStream | None, on_event: Callable[[str], None]) -> Fraction:
    """Return the stream's sample aspect ratio; 1 if it has none or an absurd one."""
    aspect = stream.sample_aspect_ratio if stream is not None else None
    if stream is None or not aspect or aspect == 1:
        return Fraction(1)
    if not 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT:
        on_event(f"ignoring the pixel aspect ratio {aspect.numerator}:{aspect.denominator}")
        return Fraction(1)
    return Fraction(aspect)


def display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Return (a, b, c, d) of x' = a x + c y, y' = b x + d y, by which players rotate the stored frame; the identity
    if the frame has no display matrix. Where PyAV cannot read it, it is made of the rotation alone."""
    data = side_data(frame, "DISPLAYMATRIX")
    if data is None:
        cos, sin = {-90: (0, 1), 90: (0, -1), 180: (-1, 0), -180: (-1, 0)}.get(frame.rotation, (1, 0))
        return cos, sin, -sin, cos
    values = np.frombuffer(bytes(data), np.int32)
    return int(values[0]), int(values[1]), int(values[3]), int(values[4])


def turn_upright(image: Image, matrix: tuple[int, int, int, int]) -> Image:
    """Rotate by quarter turns and mirror as the matrix says. Returns the same array for the identity."""
    a, b, c, d = matrix
    key = (True, c < 0, b < 0) if abs(b) > abs(a) else (False, a < 0, d < 0)
    turn = _FLIPS.get(key)
    return image if turn is None else np.asarray(turn(image), np.uint8)


def video_stream(container: av.container.InputContainer) -> av.video.stream.VideoStream | None:
    """Return the first video stream with a known codec that is not cover art; None if there is none."""
    for stream in container.streams.video:
        cover = stream.disposition & av.stream.Disposition.attached_pic
        if not cover and stream.codec_context is not None:
            return stream
    return None


def stated_length_s(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float:
    """Return the length of the video in seconds as the file states it; at most 0 if it does not."""
    form = container.format.name
    if "mp4" in form and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if form == "avi" and stream.average_rate:  # its duration is computed from the file's size
        return stream.frames / float(stream.average_rate)
    found = _TAGGED_LENGTH.fullmatch(stream.metadata.get("DURATION", "")) if "matroska" in form else None
    end_s = (
        sum(float(part) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0.0
    )
    return end_s - begins_late_s(container)


def begins_late_s(container: av.container.InputContainer) -> float:
    """By how much the length that a file states is too long, in seconds. FFmpeg states of Matroska when it ends, also
    if its clock begins at 100 s, as that of a part of a recording does."""
    return (container.start_time or 0) / av.time_base if "matroska" in container.format.name else 0.0


def nominal_fps(stream: av.video.stream.VideoStream) -> float:
    """Return the container's frames per second; 30 if it has none between 0.1 and 1000."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.1 <= float(rate) <= 1000:
            return float(rate)
    return _USUAL_FPS


def start_s(frame: av.VideoFrame) -> float | None:
    """Return the frame's presentation time in seconds of its stream's clock; None if it has none."""
    return None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)


def unrounded_s(time_s: float, stream: av.video.stream.VideoStream) -> float:
    """Return a time since the first picture without the rounding of the container's clock: that of Matroska, WebM
    and FLV counts milliseconds, and a constant 30 frames per second would go on as steps of 33 and 34 ms. A time that
    lies further from the stream's frame rate than one tick of the clock stays as it is."""
    tick_s, fps = float(stream.time_base or 0), float(stream.base_rate or 0)
    if not fps or _LEAST_TICKS * tick_s * fps > 1:
        return time_s
    even_s = round(time_s * fps) / fps
    return even_s if abs(even_s - time_s) <= tick_s else time_s


def limit_pixels(stream: av.video.stream.VideoStream) -> None:
    """Limit the frame size, so that a damaged or malicious header cannot make the decoder allocate all memory."""
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
