"""Processing of marked clips: codecs, scaling, cropping, brightness, screenshots."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np

from rtswap.core.types import Image

FPS = 30
SPARSE = 4
"""Without a codec only every fourth frame of a window is read; fewer frames make it harder, not easier."""

Frames = list[Image]
Step = Callable[[Frames], Frames]
CALL = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"}
"""libvpx settings as in video calls."""


@dataclass(frozen=True)
class Way:
    """An encoding (None: rtswap's output unchanged), then each of the steps, separately."""

    name: str
    encode: Step | None
    then: dict[str, Step]


def h264(**options: str) -> Step:
    return lambda frames: recode(frames, "libx264", {"preset": "veryfast", "threads": "1", **options})


def vpx(codec: str, kbit: int, size: tuple[int, int] | None = None) -> Step:
    """A video call. ``codec``: libvpx or libvpx-vp9; ``size``: size at which it is sent and shown."""
    options = {**CALL, "b": f"{kbit}k", "maxrate": f"{kbit}k", "bufsize": f"{kbit}k", "threads": "1"}

    def encode(frames: Frames) -> Frames:
        small = [cast(Image, cv2.resize(f, size, interpolation=cv2.INTER_AREA)) for f in frames] if size else frames
        return recode(small, codec, options)

    return encode


def recode(frames: Frames, codec: str, options: dict[str, str]) -> Frames:
    """Encode the frames to a file and decode it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:
        stream = file.add_stream(codec, rate=FPS, options=options)
        stream.height, stream.width = (side // 2 * 2 for side in frames[0].shape[:2])
        stream.pix_fmt = "yuv420p"
        for index, picture in enumerate(frames):
            part = np.ascontiguousarray(picture[: stream.height, : stream.width])
            frame = av.VideoFrame.from_ndarray(part, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as file:
        return [cast(Image, frame.to_ndarray(format="bgr24")) for frame in file.decode(video=0)]


def same(frames: Frames) -> Frames:
    return frames


def scale(factor: float) -> Step:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda frames: [cast(Image, cv2.resize(f, None, fx=factor, fy=factor, interpolation=how)) for f in frames]


def cropped(keep: float, corner: tuple[float, float] = (0.3, 0.8)) -> Step:
    """Crop. ``keep``: share of the width and height that remains; ``corner``: offset from the left and the top."""

    def crop(frames: Frames) -> Frames:
        height, width = frames[0].shape[:2]
        h, w = round(height * keep), round(width * keep)
        y, x = round((height - h) * corner[1]), round((width - w) * corner[0])
        return [f[y : y + h, x : x + w] for f in frames]

    return crop


def brighter(factor: float) -> Step:
    return lambda frames: [cast(Image, cv2.convertScaleAbs(f, alpha=factor)) for f in frames]


def gamma(power: float) -> Step:
    table = np.round(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return lambda frames: [cast(Image, cv2.LUT(f, table)) for f in frames]


def turned(degrees: float) -> Step:
    def turn(frames: Frames) -> Frames:
        height, width = frames[0].shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        mode = cv2.BORDER_REFLECT
        return [cast(Image, cv2.warpAffine(f, matrix, (width, height), flags=1, borderMode=mode)) for f in frames]

    return turn


def stretch(factor: float) -> Step:
    return lambda frames: [cast(Image, cv2.resize(f, None, fx=factor, fy=1)) for f in frames]


def blur(sigma: float) -> Step:
    return lambda frames: [cast(Image, cv2.GaussianBlur(f, (0, 0), sigma)) for f in frames]


def mirror(frames: Frames) -> Frames:
    return [f[:, ::-1] for f in frames]


def screenshot(frames: Frames) -> Frames:
    """Return one frame at 0.8 of its size with a player's border, saved as PNG and then as JPEG of quality 85."""
    shown = cv2.resize(frames[len(frames) // 2], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_LINEAR)
    height, width = shown.shape[:2]
    desktop = np.full((height + 140, width + 90, 3), 236, np.uint8)
    desktop[:34] = 60
    cv2.putText(
        desktop, "clip.mp4 - player", (12, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (230, 230, 230), 1, cv2.LINE_AA
    )
    cv2.rectangle(desktop, (45, height + 100), (width // 2, height + 106), (200, 120, 40), -1)
    desktop[66 : 66 + height, 45 : 45 + width] = shown
    png = cv2.imdecode(cv2.imencode(".png", desktop)[1], cv2.IMREAD_COLOR)
    return [cast(Image, cv2.imdecode(cv2.imencode(".jpg", png, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR))]


def one_frame(frames: Frames) -> Frames:
    return frames[len(frames) // 2 : len(frames) // 2 + 1]


PIXELS: dict[str, Step] = {
    "nothing": same,
    "one frame, as PNG": one_frame,
    "scaled to 0.5": scale(0.5),
    "scaled to 0.75": scale(0.75),
    "scaled to 1.5": scale(1.5),
    "scaled to 2": scale(2.0),
    "cropped: 80 % of width and height kept": cropped(0.8),
    "brightness +20 %": brighter(1.2),
    "brightness -20 %": brighter(0.8),
    "gamma 0.7": gamma(0.7),
    "gamma 1.4": gamma(1.4),
    "mirrored": mirror,
    "turned by 1 degree": turned(1.0),
    "stretched by 5 %": stretch(1.05),
    "blurred, sigma 4": blur(4.0),
    "screenshot: one frame at 0.8, JPEG 85": screenshot,
    "scaled to 0.5, then cropped to 80 %": lambda frames: cropped(0.8)(scale(0.5)(frames)),
}
SMALL = (640, 360)
WAYS = (
    Way("", None, PIXELS),
    Way("H.264, CRF 28", h264(crf="28"), {"": same, "scaled to 0.5": scale(0.5), "gamma 0.7": gamma(0.7)}),
    Way(
        "H.264, 1 Mbit/s",
        h264(b="1M", maxrate="1M", bufsize="2M"),
        {"": same, "cropped to 80 %": cropped(0.8), "screenshot": screenshot},
    ),
    Way("VP8 call, 1 Mbit/s", vpx("libvpx", 1000), {"": same, "cropped to 80 %": cropped(0.8)}),
    Way("VP9 call, 1 Mbit/s", vpx("libvpx-vp9", 1000), {"": same, "cropped to 80 %": cropped(0.8)}),
    Way(
        "VP8 call, 640x360, 600 kbit/s",
        vpx("libvpx", 600, SMALL),
        {"": same, "cropped to 80 %": cropped(0.8), "scaled to 2": scale(2.0)},
    ),
    Way("VP9 call, 640x360, 600 kbit/s", vpx("libvpx-vp9", 600, SMALL), {"": same, "cropped to 80 %": cropped(0.8)}),
)


def send(frames: Sequence[Image], ways: Sequence[Way] = WAYS) -> Iterator[tuple[str, Frames]]:
    """Yield name and frames of one marked window after each way."""
    for way in ways:
        there = list(frames)[::SPARSE] if way.encode is None else way.encode(list(frames))
        for name, step in way.then.items():
            yield ", ".join(part for part in (way.name, name) if part), step(there)
