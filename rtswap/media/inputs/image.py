"""One picture, or a folder of pictures in the order a person would put them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rtswap.core.errors import InputError, reason
from rtswap.core.files import list_files
from rtswap.core.parts import InputSpec
from rtswap.core.types import Frame, Image, StreamInfo
from rtswap.core.urls import local_path, scheme
from rtswap.vision.images import PICTURE_SUFFIXES, looks_like_picture, read_image

FPS = 25.0
"""Nominal rate of a folder of pictures, when it becomes a video."""


class ImageInput:
    """An Input over a picture or a folder. Not live. Raises InputError where nothing in it can be read.

    In a folder a picture that cannot be read is skipped, counted and reported; ``time_s`` is index / 25.
    """

    def __init__(self, path: str | Path, *, on_event: Callable[[str], None] = lambda event: None) -> None:
        self._path, self._on_event = Path(path), on_event
        self._closed = threading.Event()
        self._paths = pictures_in(self._path) if self._path.is_dir() else [self._path]
        self.skipped = 0
        self._first = self._first_readable()
        height, width = self._first.shape[:2]
        self._info = StreamInfo(width, height, FPS, live=False, frame_count=len(self._paths))

    @property
    def info(self) -> StreamInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        image: Image | None = self._first
        del self._first
        index = 0
        for path in self._paths:
            if self._closed.is_set():
                return
            image = image if image is not None else self._read(path)
            if image is not None:
                yield Frame(image, index, time.perf_counter(), index / FPS)
                index += 1
            image = None
        if self.skipped:
            self._on_event(f"{self._path}: {self.skipped} files skipped, {index} pictures read")

    def close(self) -> None:
        self._closed.set()

    def _read(self, path: Path) -> Image | None:
        """None (and an event) for an unreadable picture of a folder; the only picture asked for must be readable."""
        try:
            return read_image(path)
        except InputError as error:
            if not self._path.is_dir():
                raise
            self.skipped += 1
            self._on_event(f"skipped: {error}")
            return None

    def _first_readable(self) -> Image:
        while self._paths:
            image = self._read(self._paths[0])
            if image is not None:
                return image
            self._paths.pop(0)
        got = f"{self.skipped} damaged ones" if self.skipped else "none"
        raise InputError(f"no picture can be read from {self._path}", expected="PNG, JPEG, ... files", got=got)


def pictures_in(folder: Path) -> list[Path]:
    """The folder's picture files by suffix. Raises InputError."""
    try:
        return list_files(folder, PICTURE_SUFFIXES)
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}", got=reason(error)) from None


def _takes(address: str) -> bool:
    """A folder, or a picture: by content where it tells, by suffix otherwise (an empty or damaged .png is a damaged
    picture)."""
    if scheme(address) not in ("", "file"):
        return False
    path = local_path(address)
    try:
        if path.is_dir() or not path.is_file():
            return path.is_dir() and bool(address)
        with path.open("rb") as file:
            head = file.read(32)
    except (OSError, ValueError):  # a name too long, a zero byte, no permission
        head = b""
    if path.suffix.lower() == ".gif" and head.startswith(b"GIF8"):
        return False  # a clip more often than a picture: every frame is wanted
    return looks_like_picture(head) or path.suffix.lower() in PICTURE_SUFFIXES


SPEC = InputSpec(
    "image",
    "image, folder of images",
    _takes,
    lambda address, request: ImageInput(local_path(address), on_event=request.on_event),
)
