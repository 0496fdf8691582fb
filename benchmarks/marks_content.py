"""Test content for the watermark: images for clips to mark, and unmarked windows to measure chance scores.

Images: the personas, scikit-image's if it is installed, and those in the given folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from marks_steps import recode

from rtswap.core.types import Image
from rtswap.vision.talking_head import persona

PEOPLE = ("ada", "ben", "carl", "dan")
NATURAL = (
    "astronaut",
    "camera",
    "coffee",
    "chelsea",
    "rocket",
    "page",
    "text",
    "coins",
    "moon",
    "brick",
    "grass",
    "gravel",
)
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
CLIP_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".gif")


def natural() -> dict[str, Image]:
    """Return the images included in scikit-image, by name; empty if it is not installed."""
    try:
        from skimage import data
    except ImportError:
        return {}
    found = {}
    for name in NATURAL:
        try:
            found[name] = _bgr(getattr(data, name)())
        except (OSError, ValueError, ImportError):
            continue
    return found


def pictures(folders: Sequence[Path], most: int = 2000) -> list[Image]:
    """Return all images: personas, scikit-image's, the folders' images, and some frames of the folders' clips."""
    found = [persona(name) for name in PEOPLE] + list(natural().values())
    for path in sorted(path for folder in folders for path in folder.iterdir())[:most]:
        if path.suffix.lower() in PICTURE_SUFFIXES:
            picture = cv2.imread(str(path))
            found += [cast(Image, picture)] if picture is not None else []
        elif path.suffix.lower() in CLIP_SUFFIXES:
            found += list(frames_of(path))[::9]
    return found


def frames_of(path: Path) -> Iterator[Image]:
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            yield cast(Image, frame.to_ndarray(format="bgr24"))


def draw_window(rng: np.random.Generator, real: Sequence[Image]) -> tuple[str, list[Image]]:
    """Return the kind of content and three drifting frames: a random part of a real image or generated content, at a
    random size, sometimes encoded."""
    long = int(rng.choice([480, 640, 854, 1280], p=[0.3, 0.3, 0.25, 0.15]))
    size = (long, long * 9 // 16 // 2 * 2) if rng.random() < 0.8 else (long * 3 // 4 // 2 * 2, long)
    if rng.random() < 0.65:
        kind, scene = "photograph", _part_of(rng, real[int(rng.integers(len(real)))], size)
    else:
        kind, scene = _draw(rng, size)
    scene = _treat(rng, scene)
    drift = rng.normal(0, 1.5 if rng.random() < 0.6 else 0, 2)
    noise = _noise(rng, size)
    frames = []
    for index in range(3):
        move = np.array([[1, 0, drift[0] * index], [0, 1, drift[1] * index]], np.float32)
        moved = cv2.warpAffine(scene, move, size, borderMode=cv2.BORDER_REFLECT)
        frames.append(_clip(moved + np.roll(noise, 31 * index, 0)))
    if rng.random() < 0.15:
        return kind + ", H.264", recode(frames, "libx264", {"preset": "veryfast", "threads": "1", "crf": "30"})
    return kind, frames


def _part_of(rng: np.random.Generator, picture: Image, size: tuple[int, int]) -> Image:
    """Return a random part, rotated and mirrored, scaled to the complete frame."""
    height, width = picture.shape[:2]
    zoom = max(size[0] / width, size[1] / height) * float(rng.uniform(1.0, 2.5))
    middle = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height
    matrix = cv2.getRotationMatrix2D(middle, float(rng.choice([0, 0, 0, 90, rng.normal(0, 8)])), zoom)
    matrix[:, 2] += np.array(size) / 2 - middle
    part = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return cast(Image, part[:, ::-1] if rng.random() < 0.5 else part)


def _draw(rng: np.random.Generator, size: tuple[int, int]) -> tuple[str, Image]:
    kind = rng.integers(5)
    if kind == 0:
        return "noise", _clip(128 + 45 * _draw_noise(rng, size, float(rng.uniform(0, 2))))
    if kind == 1:
        return "gratings", _waves(rng, size)
    if kind == 2:
        return "text", _desktop(rng, size)
    if kind == 3:
        cell = int(rng.integers(2, 64))
        small = rng.integers(0, 256, (-(-size[1] // cell), -(-size[0] // cell), 3), np.uint8)
        tiles = cast(Image, cv2.resize(small, None, fx=cell, fy=cell, interpolation=cv2.INTER_NEAREST))
        return "tiles", tiles[: size[1], : size[0]]
    return "shapes", _shapes(rng, size)


def _draw_noise(rng: np.random.Generator, size: tuple[int, int], power: float) -> np.ndarray:
    """Return noise (H, W, 3) with deviation 1 and an amplitude that falls with this power of the frequency."""
    spectrum = np.fft.rfft2(rng.standard_normal(size[::-1]))
    distance = np.hypot(np.fft.fftfreq(size[1])[:, None], np.fft.rfftfreq(size[0])[None])
    plane = np.fft.irfft2(spectrum / np.maximum(distance, 1e-3) ** power, size[::-1])
    return cast(np.ndarray, (plane / plane.std())[..., None].repeat(3, 2))


def _waves(rng: np.random.Generator, size: tuple[int, int]) -> Image:
    """Return gratings and checks with one period, which repeat like the mark."""
    y, x = np.mgrid[: size[1], : size[0]]
    turn, period = rng.uniform(0, np.pi), rng.uniform(4, 80)
    u, v = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    plane = np.sin(2 * np.pi * u / period) * (np.sin(2 * np.pi * v / period) if rng.random() < 0.5 else 1)
    plane = np.sign(plane) if rng.random() < 0.5 else plane
    return _clip((128 + rng.uniform(5, 120) * plane)[..., None].repeat(3, 2))


def _desktop(rng: np.random.Generator, size: tuple[int, int]) -> Image:
    picture = np.full((size[1], size[0], 3), int(rng.integers(0, 256)), np.uint8)
    step, letter = int(rng.integers(10, 40)), float(rng.uniform(0.3, 1))
    for row in range(step, size[1], step):
        words = "".join(rng.choice(list("abcdefghij  klmnop qrstuvw xyz"), 120))
        cv2.putText(picture, words, (10, row), cv2.FONT_HERSHEY_SIMPLEX, letter, (int(rng.integers(0, 256)),) * 3, 1)
    return cast(Image, picture)


def _shapes(rng: np.random.Generator, size: tuple[int, int]) -> Image:
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    for _ in range(int(rng.integers(1, 60))):
        corner = rng.integers(0, max(size), 2)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            cv2.circle(picture, tuple(map(int, corner)), int(rng.integers(3, 200)), colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(
                picture, tuple(map(int, corner)), tuple(map(int, corner + rng.integers(3, 300, 2))), colour, -1
            )
    return cast(Image, picture)


def _treat(rng: np.random.Generator, picture: Image) -> Image:
    """Randomly blur, JPEG-compress, or change the contrast."""
    if rng.random() < 0.3:
        picture = cast(Image, cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 6))))
    if rng.random() < 0.3:
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 95))])[1]
        picture = cast(Image, cv2.imdecode(data, cv2.IMREAD_COLOR))
    if rng.random() < 0.5:
        picture = cast(
            Image, cv2.convertScaleAbs(picture, alpha=float(rng.uniform(0.3, 1.5)), beta=float(rng.uniform(0, 60)))
        )
    return picture


def _noise(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return sensor noise (H, W, 1), from none to that of a dark room."""
    return rng.standard_normal((size[1], size[0], 1), np.float32) * np.float32(abs(rng.normal(0, 2)))


def _clip(values: np.ndarray) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _bgr(picture: np.ndarray) -> Image:
    if picture.ndim == 2:
        return cast(Image, cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    return np.ascontiguousarray(picture[..., 2::-1])
