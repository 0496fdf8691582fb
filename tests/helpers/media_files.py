"""Generated clips whose frames carry their number, so that tests can check the order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.logging
import numpy as np
from PIL import Image as Pillow

from rtswap.core.types import Image, MarkedImage

av.logging.set_libav_level(av.logging.PANIC)

TICKS = 60_000
"""Of a second; MPEG-4 allows no finer clock."""
BITS = 10
SUFFIXES = [".mp4", ".mov", ".mkv"]
"""Of every container that rtswap records in."""


def numbered_picture(index: int, size: tuple[int, int] = (64, 48), background: int = 60) -> Image:
    """(H, W, 3) grey with ``index`` written as BITS black or white bars over the upper half."""
    width, height = size
    image = np.full((height, width, 3), background, np.uint8)
    edges = np.linspace(0, width, BITS + 1).astype(int)
    for bit in range(BITS):
        image[: height // 2, edges[bit] : edges[bit + 1]] = 235 if index >> bit & 1 else 20
    return image


def number_of(image: Image) -> int:
    """What ``numbered_picture`` wrote, read back after any codec."""
    height, width = image.shape[:2]
    edges = np.linspace(0, width, BITS + 1).astype(int)
    strip = image[height // 8 : height * 3 // 8].mean(axis=(0, 2))
    return sum(1 << bit for bit in range(BITS) if strip[edges[bit] + 1 : edges[bit + 1] - 1].mean() > 128)


def mark_picture(
    index: int, size: tuple[int, int] = (64, 48), *, time_s: float | None = None, fps: float = 25
) -> MarkedImage:
    """A numbered picture as the disclosure would hand it to an output, captured in a steady rhythm."""
    return MarkedImage(numbered_picture(index, size), index, captured_at=100.0 + index / fps, time_s=time_s)


def make_clip(
    path: str | Path,
    frames: int | Sequence[Image] | Callable[[int], Image] = 20,
    *,
    fps: int | Fraction = 25,
    size: tuple[int, int] = (64, 48),
    count: int = 20,
    audio: bool = False,
    vfr: bool = False,
    codec: str = "libx264",
    audio_codec: str = "aac",
    options: dict[str, str] | None = None,
    times_s: Sequence[float] | None = None,
) -> list[float]:
    """Write a clip; return the presentation time of each frame in seconds.

    ``frames``: how many numbered ones, or the pictures, or a function of the index (then ``count`` of them).
    ``vfr``: every third gap is four times as long. ``audio``: a 440 Hz tone with a click at every full half second.
    """
    pictures = _pictures(frames, size, count)
    times = list(times_s) if times_s is not None else _times(len(pictures), fps, vfr)
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=fps, options=options or {})
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv444p" if _is_odd(pictures[0]) else "yuv420p"
        video.codec_context.time_base = Fraction(1, TICKS)
        sound = container.add_stream(audio_codec, rate=48_000) if audio else None
        for image, time_s in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round(time_s * TICKS), Fraction(1, TICKS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            _mux_tone(container, sound, times[-1] + 1 / fps)
    return times


def make_animation(path: Path, frames: int, *, duration_ms: Sequence[int] | int = 40) -> None:
    """Write numbered frames as an animated GIF, PNG, WebP or AVIF."""
    first, *others = (Pillow.fromarray(numbered_picture(index)) for index in range(frames))
    first.save(path, save_all=True, append_images=others, duration=duration_ms, loop=0, quality=90)


def _pictures(
    frames: int | Sequence[Image] | Callable[[int], Image], size: tuple[int, int], count: int
) -> list[Image]:
    if isinstance(frames, int):
        return [numbered_picture(i, size) for i in range(frames)]
    return [frames(i) for i in range(count)] if callable(frames) else list(frames)


def _times(count: int, fps: int | Fraction, vfr: bool) -> list[float]:
    gaps = [4 if vfr and i % 3 == 2 else 1 for i in range(count - 1)]
    return [0.0, *(np.cumsum(gaps) / float(fps)).tolist()]


def _is_odd(image: Image) -> bool:
    return bool(image.shape[0] % 2 or image.shape[1] % 2)


def tone(seconds: float, rate: int = 48_000) -> np.ndarray:
    """(1, N) int16: a quiet 440 Hz tone, and 5 ms of full-scale noise at 0.5, 1.0, 1.5 ... seconds."""
    t = np.arange(int(seconds * rate)) / rate
    samples = 3000 * np.sin(2 * np.pi * 440 * t)
    rng = np.random.default_rng(1)
    for click in np.arange(0.5, seconds - 0.006, 0.5):
        at = int(click * rate)
        samples[at : at + rate // 200] = rng.choice([-30000, 30000], rate // 200)
    return samples.astype(np.int16)[None]


def _mux_tone(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    samples = tone(seconds)
    for at in range(0, samples.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(samples[:, at : at + 1024], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def clicks(path: str | Path) -> list[float]:
    """Seconds at which the clicks of ``tone`` are heard in a file, by the presentation times of its samples."""
    found: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray().astype(np.float64)
            scale = 1.0 if frame.format.name.startswith("flt") else 32768.0
            channel = samples[0] if frame.format.is_planar else samples[0][:: len(frame.layout.channels)]
            loud = np.flatnonzero(np.abs(channel) / scale > 0.4)
            if len(loud) and frame.time is not None:
                time_s = frame.time + loud[0] / frame.sample_rate
                if not found or time_s - found[-1] > 0.1:
                    found.append(time_s)
    return found


def read_back(path: str | Path) -> tuple[list[int], list[float]]:
    """The numbers and the times of a file's frames, by PyAV alone."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [number_of(f.to_ndarray(format="bgr24")) for f in frames], [float(f.time or 0) for f in frames]


def turn_clip(path: Path, degrees: int, *, mirrored: bool = False) -> None:
    """Write a display matrix into an MP4's video track header (ISO 14496-12, 8.3.2), as phones do.

    ``degrees``: clockwise, by which a player turns the stored picture. ``mirrored``: it is flipped left-right after.
    """
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    flip = -1 if mirrored else 1
    a, b, c, d = cos * flip, sin, -sin * flip, cos
    fixed = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    unity = b"".join(v.to_bytes(4, "big", signed=True) for v in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    matrix = b"".join(v.to_bytes(4, "big", signed=True) for v in fixed)
    data = path.read_bytes()
    at = data.index(unity, data.index(b"tkhd"))
    path.write_bytes(data[:at] + matrix + data[at + 36 :])


def all_numbers(images: Iterable[Image]) -> list[int]:
    return [number_of(image) for image in images]
