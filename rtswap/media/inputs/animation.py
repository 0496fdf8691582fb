"""Animated picture input (GIF, APNG, WebP, AVIF) with Pillow: every frame, with its own duration."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rtswap.core.errors import InputError, reason
from rtswap.core.parts import InputSpec
from rtswap.core.text import plural
from rtswap.core.types import Frame, Image, StreamInfo
from rtswap.core.urls import local_path, scheme
from rtswap.vision.foreign_pictures import DAMAGED
from rtswap.vision.images import open_with_pillow, read_checked
from rtswap.vision.picture_kinds import is_picture

if TYPE_CHECKING:
    from PIL import Image as Pillow

MOST_PIXELS = 40_000_000
"""In a frame: several are kept with their transparency, 2.7 GB for 100 megapixels, in a GIF of 150 kB."""
_OPAQUE = 255
_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")
ANIMATED_SUFFIXES = frozenset({".gif", ".png", ".apng", ".webp", ".avif"})
_LEAST_S, _USUAL_S = 0.02, 0.1
"""Browsers show a frame with a shorter duration, or none, for 0.1 s."""
_MEASURED = 20
"""Frames whose durations give the nominal frame rate."""


class AnimationInput:
    """Input from an animated picture; not live. Transparent places become white. Raises InputError."""

    def __init__(self, path: Path, *, on_event: Callable[[str], None] = lambda event: None) -> None:
        self._path, self._on_event = path, on_event
        self._closed = threading.Event()
        self._data, _ = read_checked(path)
        try:
            with open_with_pillow(self._data) as picture:
                if picture is None:
                    raise ValueError("another format")
                if picture.width * picture.height > MOST_PIXELS:
                    raise InputError(
                        f"{path} is too large",
                        expected=f"an animation of at most {MOST_PIXELS // 1_000_000} megapixels",
                        got=f"{picture.width}x{picture.height}",
                    )
                self._info = _describe(picture)
        except DAMAGED as error:
            raise InputError(f"cannot read {path}", expected="an animated picture", got=reason(error)) from None

    @property
    def info(self) -> StreamInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        """Yield every frame, upright. A damaged one ends the animation, with an event."""
        from PIL import ImageOps

        time_s, told = 0.0, False
        with open_with_pillow(self._data) as picture:
            for index in count():
                if self._closed.is_set() or picture is None:
                    return
                try:
                    picture.seek(index)
                    shown = ImageOps.exif_transpose(picture.convert("RGBA"))
                    duration_s = _duration_s(picture)
                except EOFError:
                    return
                except DAMAGED as error:
                    self._on_event(f"{self._path}: damaged after {plural(index, 'frame')} ({reason(error)})")
                    return
                if not told and shown.getchannel("A").getextrema()[0] != _OPAQUE:
                    told = True
                    self._on_event(f"{self._path}: transparency is not kept; transparent places become white")
                yield Frame(_on_white(shown), index, time.perf_counter(), time_s, duration_s=duration_s)
                time_s += duration_s

    def close(self) -> None:
        self._closed.set()


def _describe(picture: Pillow.Image) -> StreamInfo:
    from PIL import ImageOps

    durations = []
    number: int | None = None
    try:
        for index in range(_MEASURED):
            picture.seek(index)
            picture.load()
            durations.append(_duration_s(picture))
        number = int(getattr(picture, "n_frames", 0)) or None
    except EOFError:
        number = len(durations)
    except DAMAGED:
        if not durations:
            raise
    fps = 1 / float(np.median(durations))
    width, height = ImageOps.exif_transpose(picture).size
    return StreamInfo(width, height, fps, live=False, frame_count=number, plays=_plays(picture))


def _plays(picture: Pillow.Image) -> int:
    """How often it is played, 0 for without end. A GIF says how often it is repeated, if it is."""
    stated = picture.info.get("loop")
    if picture.format != "GIF":
        return int(stated or 0)
    return 1 if stated is None else int(stated) + bool(stated)


def _duration_s(picture: Pillow.Image) -> float:
    stated = float(picture.info.get("duration") or 0) / 1000
    return stated if stated >= _LEAST_S else _USUAL_S


def _on_white(picture: Pillow.Image) -> Image:
    from PIL import Image as Pillow

    white = Pillow.new("RGBA", picture.size, (255, 255, 255, 255))
    white.alpha_composite(picture)
    return np.ascontiguousarray(np.asarray(white)[..., 2::-1])


def is_animated(path: Path) -> bool:
    """Whether a file is a picture with more than one frame."""
    try:
        if not path.is_file() or not is_picture(path):
            return False
        with open_with_pillow(read_checked(path)[0]) as picture:
            animated = getattr(picture, "is_animated", False)
            return picture is not None and picture.format in _FORMATS and bool(animated)
    except (*DAMAGED, InputError):
        return False


def _takes(address: str) -> bool:
    return bool(address) and scheme(address) in ("", "file") and is_animated(local_path(address))


SPEC = InputSpec(
    "animation",
    "animated picture",
    _takes,
    lambda address, request: AnimationInput(local_path(address), on_event=request.on_event),
)
