"""The mark is found after what happens to videos on their way, and only where it was put."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtswap.disclosure.watermark import Kind, Payload, Watermark
from rtswap.disclosure.watermark_reader import Reading, WatermarkReader
from rtswap.disclosure.watermark_search import HYPOTHESES, false_positive
from rtswap.vision.talking_head import persona

Pictures = list[NDArray[np.uint8]]
PAYLOAD = Payload((0, 6), Kind.SWAPPED_FACE, 10)
FPS = 10


def film(seconds: float = 1.2, size: tuple[int, int] = (1280, 720)) -> Pictures:
    """A portrait that drifts before a plain wall, with a camera's noise."""
    rng = np.random.default_rng(4)
    face = cv2.resize(persona("ada"), (min(size) * 2 // 3, min(size) * 2 // 3))
    pictures = []
    for index in range(round(seconds * FPS)):
        picture = np.tile(np.linspace(80, 150, size[0]).astype(np.uint8)[None, :, None], (size[1], 1, 3))
        x, y = size[0] // 6 + 2 * index, size[1] // 8
        picture[y : y + len(face), x : x + len(face)] = face
        noise = rng.normal(0, 2, (size[1], size[0], 1))
        pictures.append(np.clip(picture + noise, 0, 255).astype(np.uint8))
    return pictures


@cache
def marked() -> Pictures:
    pictures, mark = film(), Watermark(PAYLOAD)
    for picture in pictures:
        mark.embed(picture)
    return pictures


def read(pictures: Sequence[NDArray[np.uint8]]) -> Reading:
    """All of them as one window."""
    reader = WatermarkReader(window_s=1000)
    for index, picture in enumerate(pictures):
        assert reader.add(picture, index / FPS) == []
    (reading,) = reader.finish()
    return reading


def recoded(pictures: Pictures, codec: str, **options: str) -> Pictures:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:
        stream = file.add_stream(codec, rate=FPS, options={name.replace("_", "-"): o for name, o in options.items()})
        stream.height, stream.width = (side // 2 * 2 for side in pictures[0].shape[:2])
        stream.pix_fmt = "yuv420p"
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture[: stream.height, : stream.width].copy(), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as file:
        return [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]


def screenshot(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The video in a window on a desktop with text, as PNG."""
    desktop = np.full((1080, 1920, 3), 236, np.uint8)
    for row in range(40, 1080, 28):
        cv2.putText(desktop, "the quick brown fox " * 8, (10, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40, 40, 40), 1)
    shown = cv2.resize(picture, None, fx=0.83, fy=0.83, interpolation=cv2.INTER_AREA)
    desktop[211 : 211 + len(shown), 333 : 333 + shown.shape[1]] = shown
    return np.asarray(cv2.imdecode(cv2.imencode(".png", desktop)[1], cv2.IMREAD_COLOR), np.uint8)


def scaled(factor: float, how: int = cv2.INTER_AREA) -> Callable[[Pictures], Pictures]:
    return lambda pictures: [cv2.resize(p, None, fx=factor, fy=factor, interpolation=how) for p in pictures]


def gamma(power: float) -> Callable[[Pictures], Pictures]:
    table = np.round(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return lambda pictures: [cv2.LUT(p, table) for p in pictures]


WAYS: dict[str, Callable[[Pictures], Pictures]] = {
    "nothing": lambda p: p,
    "one frame": lambda p: p[:1],
    "H.264 CRF 28": lambda p: recoded(p, "libx264", crf="28", preset="veryfast"),
    "H.264 1 Mbit/s": lambda p: recoded(p, "libx264", b="1M", preset="veryfast"),
    "VP8 600 kbit/s": lambda p: recoded(p, "libvpx", b="600k", deadline="realtime", cpu_used="8", lag_in_frames="0"),
    "VP9 600 kbit/s": lambda p: recoded(p, "libvpx-vp9", b="600k", deadline="realtime", cpu_used="8"),
    "JPEG 60": lambda p: [cv2.imdecode(cv2.imencode(".jpg", p[0], [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)],
    "scaled 0.5": scaled(0.5),
    "scaled 0.73": scaled(0.73),
    "scaled 2": lambda p: scaled(2.0, cv2.INTER_CUBIC)(p[:4]),
    "cropped left and above": lambda p: [q[145:, 257:] for q in p],
    "cropped right and below": lambda p: [q[:-145, :-257] for q in p],
    "cropped all around": lambda p: [q[73:-71, 129:-127] for q in p],
    "brighter": lambda p: [cv2.convertScaleAbs(q, alpha=1.2) for q in p],
    "darker": lambda p: [cv2.convertScaleAbs(q, alpha=0.8) for q in p],
    "gamma 0.7": gamma(0.7),
    "gamma 1.4": gamma(1.4),
    "mirrored": lambda p: [q[:, ::-1] for q in p],
    "screenshot": lambda p: [screenshot(p[-1])],
    "scaled 0.5, CRF 28": lambda p: recoded(scaled(0.5)(p), "libx264", crf="28", preset="veryfast"),
    "cropped, 1 Mbit/s": lambda p: recoded([q[101:-43, 33:-222].copy() for q in p], "libx264", b="1M"),
}


@pytest.mark.parametrize("way", WAYS)
def test_mark_survives(way: str) -> None:
    reading = read(WAYS[way](marked()))
    assert reading.present
    assert reading.payload == PAYLOAD
    assert reading.false_positive <= 1e-6


@pytest.mark.parametrize("size", [(640, 480), (480, 270), (320, 240), (1920, 1080), (360, 640)])
def test_mark_survives_in_frames_of_any_size(size: tuple[int, int]) -> None:
    pictures, mark = film(0.4, size), Watermark(PAYLOAD)
    for picture in pictures:
        mark.embed(picture)
    assert read(pictures).payload == PAYLOAD
    crf = "28" if min(size) >= 360 else "23"  # of a small picture, less is left
    assert read(recoded(pictures, "libx264", crf=crf, preset="veryfast")).present


def test_unmarked_film_has_none() -> None:
    reading = read(film(0.5))
    assert not reading.present
    assert reading.payload is None
    assert reading.false_positive > 1e-3


@pytest.mark.parametrize("level", [0, 17, 255])
def test_empty_pictures_have_none(level: int) -> None:
    assert not read([np.full((480, 640, 3), level, np.uint8)]).present


@pytest.mark.parametrize("size", [(20000, 70), (70, 20000), (7680, 4320), (63, 63)])
def test_extreme_sizes_are_read(size: tuple[int, int]) -> None:
    assert not read([np.random.default_rng(6).integers(0, 256, (size[1], size[0], 3), np.uint8)]).present


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=6)
def test_noise_of_any_size_has_none(width: int, height: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    reading = read([picture])
    assert not reading.present
    assert np.isfinite(reading.score)


def test_windows_end_by_time_by_size_and_by_a_step_back() -> None:
    reader = WatermarkReader(window_s=2.0)
    small, large = np.zeros((100, 100, 3), np.uint8), np.zeros((120, 100, 3), np.uint8)
    done = []
    for picture, time_s in [(small, 5.0), (small, 6.0), (small, 7.5), (large, 8.0), (large, 3.0), (large, 3.5)]:
        done += reader.add(picture, time_s)
    done += reader.finish()
    assert [(r.from_s, r.to_s, r.frames) for r in done] == [(5, 6, 2), (7.5, 7.5, 1), (8, 8, 1), (3, 3.5, 2)]
    assert reader.finish() == []


def test_only_the_marked_part_of_a_file_says_so() -> None:
    reader = WatermarkReader(window_s=0.5)
    done = []
    for index, picture in enumerate(film(0.5) + marked()[:5]):
        done += reader.add(picture, index / FPS)
    done += reader.finish()
    assert [r.present for r in done] == [False, True]


def test_hostile_frames_are_refused_or_ignored() -> None:
    reader = WatermarkReader()
    assert reader.add(np.zeros((0, 7, 3), np.uint8), 0.0) == []
    for time_s in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="time"):
            reader.add(np.zeros((9, 9, 3), np.uint8), time_s)
    with pytest.raises(ValueError, match="uint8 image"):
        reader.add(np.zeros((9, 9), np.uint8), 0.0)
    with pytest.raises(ValueError, match="window"):
        WatermarkReader(window_s=float("nan"))
    assert reader.finish() == []


def test_stated_chance_bounds_the_sum_of_random_phasors() -> None:
    """Against the exact tail of the best of many hypotheses, drawn directly."""
    rng = np.random.default_rng(5)
    sums = np.cos(rng.uniform(0, 2 * np.pi, (20_000, 302))).sum(1) / np.sqrt(151)
    for score in (1.0, 2.0, 3.0):
        assert np.mean(sums > score) <= np.exp(-score * score / 2)
    assert HYPOTHESES == 2 * 297 * (64**2 + 25 * 128**2)  # scales, mirrored or not; offsets, coarse and fine
    assert false_positive(8.15) <= 1e-6 < false_positive(8.14)
    assert false_positive(0.0) == false_positive(-1.0) == 1.0
