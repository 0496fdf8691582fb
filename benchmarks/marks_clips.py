"""Clips to mark, 1280x720, 30 fps, 2 s each: swaps, photographs, plain and busy scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from clips import config_for, swap_clip
from marks_content import CLIP_SUFFIXES, PEOPLE, frames_of, natural

from rtswap.app.config import Config
from rtswap.app.networks import open_models
from rtswap.commands.evaluate.clips import make_clip
from rtswap.core.types import Image
from rtswap.vision.talking_head import persona

SIZE = (1280, 720)
FPS, SECONDS = 30, 2.0
PAIRS = (("ada", "ben"), ("ben", "carl"), ("carl", "dan"), ("dan", "ada"))
"""Source and target."""


@dataclass(frozen=True)
class Scene:
    name: str
    frames: list[Image]


def swaps(pairs: Sequence[tuple[str, str]] = PAIRS) -> Iterator[Scene]:
    """Yield unmarked swaps of personas, as in the demo, cut into windows."""
    models = open_models(Config(), on_event=lambda event: None)
    length = round(FPS * SECONDS)
    for source, target in pairs:
        photo = Path(str(resources.files("rtswap").joinpath(f"assets/personas/{source}.jpg")))
        images = swap_clip(
            make_clip(target, models, seconds=2 * SECONDS), config_for(photo), models, live=False
        ).images
        for part in range(len(images) // length):
            yield Scene(f"swap {source} on {target} {part}", images[part * length : (part + 1) * length])


def drifting(renditions: int, most: int | None = None) -> Iterator[Scene]:
    """Yield photographs as if from a hand-held camera: slow pan and zoom, sensor noise; lighter and darker."""
    photos = {name: persona(name) for name in PEOPLE} | natural()
    for rendition in range(renditions):
        for index, (name, photo) in enumerate(islice(photos.items(), most)):
            rng = np.random.default_rng([rendition, index])
            yield Scene(f"photo {name} {rendition}", _pan(rng, photo))


def draw_scenes() -> Iterator[Scene]:
    """Personas in front of plain walls, where a mark is hardest to hide, and a moving hedge, which drowns it."""
    rng = np.random.default_rng(5)
    ramp = np.tile(np.linspace(70, 160, SIZE[0], dtype=np.float32)[None, :, None], (SIZE[1], 1, 3))
    leaves = _leaves(rng)
    for name, back, light, noise, wind in (
        ("wall", ramp, 1.0, 2.0, 0.0),
        ("dark wall", ramp, 0.25, 3.0, 0.0),
        ("white wall", 150 + 0.6 * ramp, 1.0, 0.0, 0.0),
        ("hedge", leaves, 1.0, 2.0, 3.0),
    ):
        face = cv2.resize(persona(PEOPLE[len(name) % 4]), (560, 560), interpolation=cv2.INTER_AREA)
        frames = []
        for index in range(round(FPS * SECONDS)):
            picture = np.roll(back, round(wind * np.sin(index / 5)), 1).astype(np.float32)
            x = 330 + round(20 * np.sin(index / 15))
            picture[160:720, x : x + 560] = face
            frames.append(_noisy(rng, light * picture, noise))
        yield Scene(name, frames)


def hard() -> Iterator[Scene]:
    """Yield the mark's limit: strong static texture over the complete frame. No real swap looks like this."""
    rng = np.random.default_rng(6)
    page = np.full((SIZE[1], SIZE[0], 3), 240, np.uint8)
    for row in range(40, SIZE[1], 26):
        cv2.putText(page, "a window with text in it " * 6, (8, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40,) * 3, 1)
    for name, still in (("still leaves", _leaves(rng)), ("page of text", page.astype(np.float32))):
        yield Scene(name, [_noisy(rng, still, 1.0) for _ in range(round(FPS * SECONDS))])


def _leaves(rng: np.random.Generator) -> np.ndarray:
    """Return texture with a deviation of 35 and the coarseness of the mark."""
    plane = cv2.GaussianBlur(rng.standard_normal(SIZE[::-1], np.float32), (0, 0), 1.5)
    return cast(np.ndarray, np.repeat(120 + 35 * (plane / plane.std())[..., None], 3, 2))


def film_scenes(folders: Sequence[Path]) -> Iterator[Scene]:
    """Yield the first two seconds of the folders' clips, at 1280x720, with or without cropped sides."""
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        if path.suffix.lower() in CLIP_SUFFIXES:
            frames = [_filling(frame) for frame in islice(frames_of(path), round(FPS * SECONDS))]
            if len(frames) >= FPS:
                yield Scene(path.stem, frames)


def scenes(folders: Sequence[Path], renditions: int) -> Iterator[Scene]:
    """Yield all scenes. ``renditions``: clips per photograph; 0 skips most scenes."""
    yield from swaps(PAIRS if renditions else PAIRS[:1])
    yield from draw_scenes()
    yield from drifting(renditions or 1, None if renditions else 4)
    yield from film_scenes(folders)


def _pan(rng: np.random.Generator, photo: Image) -> list[Image]:
    height, width = photo.shape[:2]
    cover = max(SIZE[0] / width, SIZE[1] / height)
    zoom, growth = cover * float(rng.uniform(1.05, 1.4)), float(rng.uniform(-0.01, 0.03))
    speed, gain, noise = rng.normal(0, 12, 2), float(rng.uniform(0.5, 1.1)), float(rng.uniform(0.5, 3))
    frames = []
    for index in range(round(FPS * SECONDS)):
        at = index / FPS
        scale = zoom * (1 + growth * at)
        shift = np.array(SIZE) / 2 - scale * np.array([width, height]) / 2 + speed * at + rng.normal(0, 0.3, 2)
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        frame = cv2.warpAffine(photo, matrix, SIZE, flags=how, borderMode=cv2.BORDER_REFLECT)
        frames.append(_noisy(rng, gain * frame.astype(np.float32), noise))
    return frames


def _noisy(rng: np.random.Generator, picture: np.ndarray, sigma: float) -> Image:
    noise = rng.standard_normal(picture.shape[:2], np.float32)[..., None] * np.float32(sigma)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def _filling(frame: Image) -> Image:
    height, width = frame.shape[:2]
    scale = max(SIZE[0] / width, SIZE[1] / height)
    w, h = round(SIZE[0] / scale), round(SIZE[1] / scale)
    y, x = (height - h) // 2, (width - w) // 2
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cast(Image, cv2.resize(frame[y : y + h, x : x + w], SIZE, interpolation=how))
