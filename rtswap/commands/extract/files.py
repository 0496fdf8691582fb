"""Find the input files, tell photos from videos, and name the face pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rtswap.core.errors import InputError, UsageError, reason
from rtswap.core.files import list_files, open_regular, sha256_of
from rtswap.core.urls import expanded, scheme
from rtswap.media.file_kinds import VIDEO_SUFFIXES
from rtswap.source.personas import is_persona, persona_photo
from rtswap.vision.foreign_pictures import say_passed_over
from rtswap.vision.images import PICTURE_SUFFIXES
from rtswap.vision.picture_kinds import looks_like_picture

_READ = PICTURE_SUFFIXES | VIDEO_SUFFIXES


def files_in(inputs: Sequence[str], out: Path, on_event: Callable[[str], None] = lambda event: None) -> list[Path]:
    """Return each input file once, with folders expanded (without hidden files and sub-folders). Reports pictures in
    them that are not read.

    Raises UsageError for cameras and addresses, and if ``out`` is one of the inputs.
    """
    found: dict[Path, None] = {}
    for name in inputs:
        if is_persona(name):
            found[persona_photo(name)] = None
            continue
        if name.strip().isdecimal() or scheme(name):
            raise UsageError(
                f"cannot extract from {name}", expected="photos, folders or video files", do="Record it."
            )
        path = expanded(name)
        if not os.path.isdir(path):
            found[path] = None
            continue
        if path.resolve() == out.resolve():
            raise UsageError(f"{out} is both input and output", do="Choose another folder with --out.")
        if left := say_passed_over(path, _READ):
            on_event(left)
        found.update(dict.fromkeys(_inside(path)))
    return list(found)


def _inside(folder: Path) -> list[Path]:
    try:
        return list_files(folder, _READ)
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}", got=reason(error)) from None


def is_video(path: Path) -> bool:
    """Tell whether ``path`` is a video, by content if possible, else by suffix. A GIF counts as a video."""
    try:
        with open_regular(path) as file:
            head = file.read(32)
    except (OSError, ValueError):
        return False
    if head.startswith(b"GIF8"):
        return True
    return not looks_like_picture(head) and path.suffix.lower() not in PICTURE_SUFFIXES


def hash_of(path: Path) -> str:
    """Return the SHA-256 of the file. Raises InputError."""
    try:
        if not path.is_file():
            what = f"{path} is not a regular file" if path.exists() else f"no such file: {str(path)[:300]!r}"
            raise InputError(what, expected="a photo, a folder or a video file", do="Check the path.")
        return sha256_of(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {str(path)[:300]!r}", got=reason(error), do="Check its permissions.") from None


def name_of(path: Path, sha256: str, frame: int | None, number: int, suffix: str) -> str:
    """Return ``holiday_1a2b3c4d_2.png``, for a video with the frame number before the 2. The hash tells apart files
    of the same name."""
    stem = re.sub(r"[^\w-]+", "_", path.stem)[:40].strip("_") or "face"
    moment = "" if frame is None else f"_{frame:06}"
    return f"{stem}_{sha256[:8]}{moment}_{number}{suffix}"
