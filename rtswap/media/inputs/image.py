"""Image input: one image file, or several in natural order: a folder, ``img_%04d.png``, ``img_*.png``."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from glob import glob
from itertools import pairwise
from os.path import isdir
from pathlib import Path

from rtswap.core.errors import InputError, reason
from rtswap.core.files import list_files, natural_key, open_regular
from rtswap.core.parts import PICTURES_FPS, InputSpec
from rtswap.core.text import plural
from rtswap.core.types import Frame, Image, StreamInfo
from rtswap.core.urls import local_path, scheme
from rtswap.media.inputs.animation import ANIMATED_SUFFIXES, is_animated
from rtswap.media.output_names import NUMBER
from rtswap.vision.foreign_pictures import passed_over, say_passed_over
from rtswap.vision.images import CONVERT, PICTURE_SUFFIXES, read_shown
from rtswap.vision.picture_kinds import looks_like_picture


class ImageInput:
    """Input from one or several images; not live. Raises InputError if no image can be read.

    Unreadable ones of several are skipped, counted and reported; ``time_s`` is index / ``fps``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float = PICTURES_FPS,
        on_event: Callable[[str], None] = lambda event: None,
    ) -> None:
        self._path, self._fps, self._on_event = Path(path), fps, on_event
        self._closed = threading.Event()
        found = pictures_at(self._path)
        self._several = found is not None
        self._paths = [self._path] if found is None else found
        self.skipped = 0
        self._told: set[str] = set()
        """What of the files is lost, each told once."""
        self._and_so_on = "; other pictures like it are not named" if len(self._paths) > 1 else ""
        if missing := _missing_numbers(self._path.name, self._paths):
            on_event(f"{self._path}: {missing}; the pictures follow each other without")
        self._first: Image | None = self._first_readable()
        if left := say_passed_over(self._path, PICTURE_SUFFIXES) if self._path.is_dir() else "":
            on_event(left)
        height, width = self._first.shape[:2]
        self._info = StreamInfo(width, height, fps, live=False, frame_count=len(self._paths))

    @property
    def info(self) -> StreamInfo:
        return self._info

    @property
    def paths(self) -> Sequence[Path]:
        """The image files, in the order in which they are read."""
        return tuple(self._paths)

    def leave_out(self, paths: Collection[Path]) -> None:
        """Read all files but ``paths``. To be called before ``frames``."""
        if self._paths and self._paths[0] in paths:
            self._first = None
        self._paths = [path for path in self._paths if path not in paths]
        self._info = replace(self._info, frame_count=len(self._paths))

    def frames(self) -> Iterator[Frame]:
        image, self._first = self._first, None
        index = 0
        for path in self._paths:
            if self._closed.is_set():
                return
            image = image if image is not None else self._read(path)
            if image is not None:
                yield Frame(image, index, time.perf_counter(), index / self._fps, path)
                index += 1
            image = None
        if self.skipped:
            self._on_event(f"{self._path}: {plural(self.skipped, 'file')} skipped, {plural(index, 'image')} read")

    def close(self) -> None:
        self._closed.set()

    def _read(self, path: Path) -> Image | None:
        """Return None, after an event, for an unreadable one of several. Raises InputError for a single image."""
        try:
            image, losses = read_shown(path)
            for loss in losses:
                if loss not in self._told:
                    self._on_event(f"{path}: {loss}{self._and_so_on}")
                    self._told.add(loss)
            if path.suffix.lower() in ANIMATED_SUFFIXES and is_animated(path):
                self._on_event(f"{path}: only the first frame of this animation is read")
            return image
        except InputError as error:
            if not self._several:
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
        if self.skipped:
            raise InputError(f"no readable picture in {self._path}", got=plural(self.skipped, "damaged file"))
        what = f"no pictures or videos in {self._path}"
        if foreign := passed_over(self._path, PICTURE_SUFFIXES)[1]:
            raise InputError(f"{what} that rtswap reads", got=foreign, do=CONVERT)
        raise InputError(what, do="Check the path: folders in it are not read.")


def pictures_at(path: Path) -> list[Path] | None:
    """Return the image files, found by suffix, of a folder, of a name with a number (``img_%04d.png``, as FFmpeg has
    it) or of a pattern (``img_*.png``); None if ``path`` stands for one file. Raises InputError."""
    try:
        if path.is_dir():
            return list_files(path, PICTURE_SUFFIXES)
        if path.exists():
            return None
        if number := NUMBER.search(path.name):
            before, after = path.name[: number.start()], path.name[number.end() :]
            name = re.compile(rf"{re.escape(before)}\d+{re.escape(after)}")
            return [one for one in list_files(path.parent, PICTURE_SUFFIXES) if name.fullmatch(one.name)]
        if not any(sign in path.name for sign in "*?["):
            return None
        found = [one for one in map(Path, glob(str(path))) if one.suffix.lower() in PICTURE_SUFFIXES]
        return sorted(found, key=natural_key)
    except (OSError, ValueError) as error:  # a zero byte in the name
        folder = path if isdir(path) else path.parent  # of a name that is too long it raises nothing
        raise InputError(f"cannot read the folder {folder}", got=reason(error)) from None


def _missing_numbers(name: str, found: Sequence[Path]) -> str:
    """What is missing among numbered pictures that mostly go up in equal steps; empty if nothing is, or ``name`` has
    no number."""
    place = NUMBER.search(name)
    if place is None or len(found) < 3:
        return ""
    after = len(name) - place.end()
    numbers = sorted({int(one.name[place.start() : len(one.name) - after]) for one in found})
    steps = [last - first for first, last in pairwise(numbers)]
    usual = min(steps, default=1)
    gaps = [(first, step) for first, step in zip(numbers, steps, strict=False) if step >= 2 * usual]
    if not gaps or 2 * len(gaps) > len(steps):
        return ""
    count = sum(step // usual - 1 for _, step in gaps)
    first = gaps[0][0] + usual
    return f"number {first} is missing" if count == 1 else f"{count:,} numbers are missing, the first is {first}"


def _takes(address: str) -> bool:
    """Whether an address is a folder, a name of several images, or an image, by content or else by suffix, so that an
    empty or damaged .png is reported as a damaged image."""
    if scheme(address) not in ("", "file"):
        return False
    path = local_path(address)
    try:
        if not path.is_file():
            return bool(address) and (path.is_dir() or bool(pictures_at(path)))
        with open_regular(path) as file:
            head = file.read(32)
    except (OSError, ValueError, InputError):  # a name too long, a zero byte, no permission
        head = b""
    return looks_like_picture(head) or path.suffix.lower() in PICTURE_SUFFIXES


SPEC = InputSpec(
    "image",
    "image, folder or pattern of images",
    _takes,
    lambda address, request: ImageInput(local_path(address), fps=request.pictures_fps, on_event=request.on_event),
)
