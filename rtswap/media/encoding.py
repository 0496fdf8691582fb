"""Encode frames to packets, for files and network streams."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from typing import TypeAlias, cast

import av
import av.container
import av.video.stream
import cv2
import numpy as np

from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.types import Image
from rtswap.media.file_kinds import KINDS
from rtswap.media.fitting import Fitter
from rtswap.media.palettes import PalettePictures
from rtswap.media.scheduling import scheduling_kept

TICKS = 60_000
"""Per second. MPEG-4 allows no finer clock, and frames at 24, 25, 30, 50 and 60 fps last a whole number of ticks."""
LEAST_STEP = TICKS // 1000
"""Timestamps strictly increase, by at least a millisecond, the resolution of Matroska and FLV."""
LEAST_GIF_STEP = TICKS // 100
"""GIF's own clock: FFmpeg writes no two frames of the same hundredth."""
KEYFRAME_S = 1.0
"""Seconds between key frames: the most that a crash can lose, since complete groups of pictures are on disk."""

ENCODERS = {
    "h264": "libx264",
    "h265": "libx265",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "mpeg4": "mpeg4",
}
_LAYOUTS = {"gif": "pal8", "apng": "rgb24", "mjpeg": "yuvj420p"}
"""Encoder -> pixel format, if not yuv420p."""
ON_HARDWARE = ("_nvenc", "_qsv", "_amf", "_vaapi", "_videotoolbox")
"""Suffixes of FFmpeg's hardware encoders, which may be missing on a machine."""
_EXACT = frozenset({"gif", "apng", "ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle"})
"""Encoders without a quality or a bit rate."""
_USUAL_CRF = {"libx264": (19, 21), "libx265": (23, 23), "libsvtav1": (30, 30), "libvpx-vp9": (30, 30)}
"""Encoders with constant quality -> their usual one for files and live."""
_MARKED_CRF = {"libx264": 25, "libx265": 25, "libsvtav1": 38, "libvpx-vp9": 34}
"""Encoders -> highest CRF after which the invisible mark was found in clips of 416x256 and larger, of people before
plain walls; by ``_LARGER`` higher in those of at least ``_LARGE`` pixels. For any other, the first."""
_LARGE, _LARGER = 300_000, 3
_LEAST_BITS = 20_000
"""Of a frame, after which it was found in the same clips of 416x256 to 1920x1080."""
_BT601, _LIMITED, _FULL = 6, 1, 2
"""AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG. The first two are the colour space of cv2's
COLOR_BGR2YUV_I420, signalled to the player."""

Packet: TypeAlias = "av.Packet[av.video.stream.VideoStream]"


def encoder_name(codec: str) -> str:
    """Return FFmpeg's encoder for ``h264``, ``hevc``, ``av1``, ... or for an FFmpeg encoder name such as
    ``h264_nvenc``. Raises UsageError if it does not exist, OutputError if it does not start on this machine."""
    name = ENCODERS.get(codec.lower(), codec)
    try:
        found = av.Codec(name, "w")
    except (av.FFmpegError, ValueError):
        found = None
    if found is None or found.type != "video":
        known = ", ".join(sorted(ENCODERS))
        raise UsageError(f"unknown video codec {codec!r}", expected=known, do="Choose one of these with --codec.")
    if name.endswith(ON_HARDWARE):
        _try_to_open(name)
    return name


def _try_to_open(name: str) -> None:
    """Open a hardware encoder before recording starts. Raises OutputError if the hardware or its driver is
    missing."""
    context = cast(av.VideoCodecContext, av.VideoCodecContext.create(name, "w"))
    context.width, context.height, context.pix_fmt = 640, 480, "yuv420p"
    context.time_base = Fraction(1, TICKS)
    context.options = _options(name, True, None, None)
    try:
        context.open()
    except (OSError, ValueError, av.FFmpegError) as error:
        do = "Check the GPU with `rtswap doctor`, or use --codec h264."
        raise OutputError(f"the encoder {name} does not start on this machine", got=reason(error), do=do) from None


def check_fits(encoder: str, suffix: str) -> None:
    """Raise UsageError if files of this kind do not hold what ``encoder`` writes, or if it does not take 8-bit 4:2:0
    pictures and a fine clock, as many for studios do not."""
    if encoder in ENCODERS.values() or encoder.endswith(ON_HARDWARE):
        return
    try:
        with av.open(io.BytesIO(), "w", format=KINDS[suffix].muxer) as container:
            VideoEncoder(container, np.zeros((64, 64, 3), np.uint8), encoder=encoder, fps=25.0, live=False, crf=None)
    except (OSError, ValueError, av.FFmpegError) as error:
        known = ", ".join(sorted(ENCODERS))
        do = "Choose one of these with --codec, and convert the finished file."
        raise UsageError(
            f"cannot write {suffix} files with {encoder}", expected=known, got=reason(error), do=do
        ) from None


class VideoEncoder:
    """One video stream of an output container. The first frame sets its size. ``crf``: constant quality, lower is
    better; ``bitrate``: average bits per second instead. Raises UsageError for an encoder without the former."""

    def __init__(
        self,
        container: av.container.OutputContainer,
        first: Image,
        *,
        encoder: str,
        fps: float,
        live: bool,
        crf: int | None,
        bitrate: int | None = None,
    ) -> None:
        check_quality(encoder, crf, bitrate)
        self._fitter = Fitter(first)
        rate = Fraction(fps).limit_denominator(1001)
        options = _options(encoder, live, crf, bitrate)
        stream = cast(av.video.stream.VideoStream, container.add_stream(encoder, rate=rate, options=options))
        stream.width, stream.height = self._fitter.width, self._fitter.height
        stream.pix_fmt = self._layout = _LAYOUTS.get(encoder, "yuv420p")
        self._palettes = PalettePictures(stream.width, stream.height) if encoder == "gif" else None
        context = stream.codec_context
        self._steady = steady = container.format.name == "avi"
        self._clock = 1 / rate if steady else Fraction(1, TICKS)
        context.time_base = self._clock
        if steady:
            context.max_b_frames = 0
        if container.format.name in ("mp4", "mov") and ("265" in encoder or "hevc" in encoder):
            context.codec_tag = "hvc1"  # Apple's players open no file with hev1
        context.gop_size = max(1, round(fps * KEYFRAME_S))
        context.thread_count = min(2 if live else 8, os.cpu_count() or 1)
        if self._layout == "yuv420p":
            context.colorspace, context.color_range = _BT601, _LIMITED
        if encoder == "mpeg4":
            context.bit_rate = max(400_000, round(stream.width * stream.height * fps * 0.15))
        if bitrate is not None:
            context.bit_rate = bitrate
        with scheduling_kept():
            context.open()
        self._stream = stream
        self._least_step = 1 if steady else LEAST_GIF_STEP if encoder == "gif" else LEAST_STEP
        self._last_pts = -self._least_step
        self._untimed = encoder == "libx265"
        self._finer = _finer(encoder, crf, bitrate, fps, stream.width * stream.height)
        self._usual = round(1 / (fps * self._clock))
        self._durations: dict[int, int] = {}
        """Time of a frame whose packet has not come yet -> how long it is shown, in ticks of the clock."""
        self._last: av.VideoFrame | None = None
        self._untold = steady or encoder in ("gif", "apng")
        """Whether files of this kind cannot say how long the last frame is shown."""
        self._end_pts = 0
        self._ahead: int | None = None
        """By how much pictures are decoded before they are shown, in ticks of the clock."""

    @property
    def end_s(self) -> float:
        """End of the last frame, in seconds."""
        return float(self._end_pts * self._clock)

    def encode(
        self, image: Image, time_s: float, least_scale: float, duration_s: float | None = None
    ) -> list[Packet]:
        """Encode a frame at ``time_s`` seconds from the start (adjusted to be strictly increasing) and return the
        packets. One colour conversion, no other copy. ``least_scale``: as for ``Fitter.fit``. ``duration_s``: how
        long it is shown if it is the last one. Raises OutputError rather than compress a picture so far that its only
        mark is lost."""
        if least_scale and self._finer:
            raise OutputError(
                "the video would be compressed so far that no mark is left in it",
                expected=f"{self._finer}, or the badge",
                do="Leave out --no-badge, or choose that quality.",
            )
        pts = max(round(time_s / self._clock), self._last_pts + self._least_step)
        frame = self._frame(self._fitter.fit(image, least_scale))
        frame.time_base = self._clock
        self._last = frame if self._untold else None
        return self._packets(frame, pts, round(duration_s / self._clock) if duration_s else self._usual)

    def _packets(self, frame: av.VideoFrame, pts: int, shown: int) -> list[Packet]:
        frame.pts = self._last_pts = pts
        shown = self._durations[pts] = max(self._least_step, shown)
        self._end_pts = pts + shown
        return self._lasting(self._stream.encode(frame))

    def _lasting(self, packets: list[Packet]) -> list[Packet]:
        """Say of packets how long their frames are shown: else FFmpeg takes the time of the one before for the last
        frame, which decides when an animation begins again, and how long a slide is seen."""
        self._untimed &= not packets
        for packet in packets:
            packet.duration = self._durations.pop(cast(int, packet.pts), 0)
            if self._ahead is None:
                self._ahead = cast(int, packet.pts) - cast(int, packet.dts)
        return packets

    def _frame(self, image: Image) -> av.VideoFrame:
        if self._palettes is not None:
            return self._palettes.frame(image)
        if self._layout == "yuv420p":
            frame = to_yuv(image)
            frame.colorspace, frame.color_range = _BT601, _LIMITED
            return frame
        whole = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="bgr24")
        return whole.reformat(format=self._layout, dst_colorspace=_BT601, dst_color_range=_FULL)

    def finish(self) -> list[Packet]:
        repeated = self._repeated()
        rest = self._stream.encode(None)
        rest = self._lasting(_timed(rest) if self._untimed else rest)
        if rest:  # MP4 ends with it, and counts in decoding times
            rest[-1].duration = self._end_pts - cast(int, self._ahead) - cast(int, rest[-1].dts)
        return repeated + rest

    def _repeated(self) -> list[Packet]:
        """Show the last frame again halfway through its time, where FFmpeg shows it as long as the one before."""
        left = self._end_pts - self._last_pts
        if self._last is None or left <= self._usual:
            return []
        later = left - 1 if self._steady else left // 2
        return self._packets(self._last, self._last_pts + later, left - later)


def _timed(packets: list[Packet]) -> list[Packet]:
    """Give the packets of a whole film their decoding times. libx265 reads those of a film of one or two frames from
    memory that nobody wrote."""
    timed = [packet for packet in packets if packet.pts is not None]
    shown = sorted(cast(int, packet.pts) for packet in timed)
    late = max((time - cast(int, packet.pts) for time, packet in zip(shown, timed, strict=True)), default=0)
    for time, packet in zip(shown, timed, strict=True):
        packet.dts = time - late
    return packets


def to_yuv(image: Image) -> av.VideoFrame:
    """Convert to a yuv420p frame that owns its memory. OpenCV is three times as fast as swscale (0.45 ms for 720p).

    PyAV supports OpenCV's plane layout only if the height is a multiple of four; otherwise swscale converts.
    """
    if image.shape[0] % 4 == 0:
        planes = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
        return av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
    rows = image if image.strides[1:] == (3, 1) else np.ascontiguousarray(image)
    return av.VideoFrame.from_numpy_buffer(rows, format="bgr24").reformat(format="yuv420p", threads=1)


def check_quality(encoder: str, crf: int | None, bitrate: int | None) -> None:
    """Raise UsageError if ``encoder`` has no such quality."""
    if encoder in _EXACT and (crf is not None or bitrate is not None):
        flag = "--crf" if bitrate is None else "--bitrate"
        raise UsageError(f"{flag} has no effect with {encoder}", do="Leave it out, or write a video such as .mp4.")
    if crf is not None and encoder not in _USUAL_CRF and not encoder.endswith("_nvenc"):
        raise UsageError(f"--crf has no effect with {encoder}", do="Use --bitrate, such as --bitrate 4M.")


def _finer(encoder: str, crf: int | None, bitrate: int | None, fps: float, pixels: int) -> str:
    """The quality that leaves the invisible mark in a picture; empty if it has it."""
    most = _MARKED_CRF.get(encoder, _MARKED_CRF["libx264"]) + _LARGER * (pixels >= _LARGE)
    least = round(_LEAST_BITS * fps)
    if bitrate is not None:
        return f"--bitrate {-(-least // 1000)}k or more" if bitrate < least else ""
    return f"--crf {most} or less" if crf is not None and crf > most else ""


def _options(encoder: str, live: bool, crf: int | None, bitrate: int | None) -> dict[str, str]:
    """Return the encoder's options. Live: fastest preset (9 ms of CPU per 720p frame), no look-ahead; files: half the
    size."""
    if encoder.endswith("_nvenc"):
        speed = {"preset": "p2", "tune": "ull", "zerolatency": "1"} if live else {"preset": "p5", "tune": "hq"}
        return speed | {"rc": "vbr"} | ({} if bitrate else {"cq": str(23 if crf is None else crf)})
    if encoder not in _USUAL_CRF:
        return {}
    usual, usual_live = _USUAL_CRF[encoder]
    quality = {} if bitrate else {"crf": str(crf if crf is not None else usual_live if live else usual)}
    if encoder == "libsvtav1":
        return {"preset": "12" if live else "9"} | quality
    if encoder == "libvpx-vp9":
        speed = {"deadline": "realtime", "cpu-used": "8" if live else "5", "row-mt": "1"}
        return speed | quality | ({} if bitrate else {"b": "0"})
    speed = {"preset": "ultrafast", "tune": "zerolatency"} if live else {"preset": "veryfast"}
    return speed | quality | ({"x265-params": "log-level=none"} if encoder == "libx265" else {})
