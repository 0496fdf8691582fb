"""Which files are looked at, what each is, and what its faces are called."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from rtswap.core.errors import InputError, UsageError, reason
from rtswap.core.files import list_files, sha256_of
from rtswap.core.urls import scheme
from rtswap.source.personas import is_persona, persona_photo
from rtswap.vision.images import PICTURE_SUFFIXES, looks_like_picture

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".gif"})
"""Looked for in folders. A file that is named may be called anything."""


def files_in(inputs: Sequence[str], out: Path) -> list[Path]:
    """Every file named, folders opened (hidden files and folders in folders left out), each once.

    Raises UsageError for what is no file, and where ``out`` would become an input of the next run.
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
        path = Path(name).expanduser()
        if not os.path.isdir(path):
            found[path] = None
            continue
        if path.resolve() == out.resolve():
            raise UsageError(f"{out} is both read and written", do="Name another folder with --out.")
        found.update(dict.fromkeys(_inside(path)))
    return list(found)


def _inside(folder: Path) -> list[Path]:
    try:
        return list_files(folder, PICTURE_SUFFIXES | VIDEO_SUFFIXES)
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}", got=reason(error)) from None


def is_video(path: Path) -> bool:
    """By content where it tells, by suffix otherwise. A GIF is a film: every frame is wanted."""
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except (OSError, ValueError):
        return False
    if head.startswith(b"GIF8"):
        return True
    return not looks_like_picture(head) and path.suffix.lower() not in PICTURE_SUFFIXES


def hash_of(path: Path) -> str:
    """SHA-256 of the file, read in pieces. Raises InputError."""
    try:
        if not path.is_file():
            what = f"{path} is no ordinary file" if path.exists() else f"no such file: {str(path)[:300]!r}"
            raise InputError(what, expected="a photo, a folder or a video file", do="Check the path.")
        return sha256_of(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {str(path)[:300]!r}", got=reason(error), do="Check its permissions.") from None


def name_of(path: Path, sha256: str, frame: int | None, number: int, suffix: str) -> str:
    """``holiday_1a2b3c4d_2.png``, or with the frame's number for a video: the hash keeps files of one name apart."""
    stem = re.sub(r"[^\w-]+", "_", path.stem)[:40].strip("_") or "face"
    moment = "" if frame is None else f"_{frame:06}"
    return f"{stem}_{sha256[:8]}{moment}_{number}{suffix}"
