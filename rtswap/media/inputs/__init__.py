"""Where frames come from. ``open_input`` chooses by what the user typed; OpenCV and PyAV load only when needed."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from rtswap.core.errors import InputError
from rtswap.core.protocols import Input
from rtswap.core.urls import scheme
from rtswap.vision.images import PICTURE_SUFFIXES, looks_like_picture

_DEVICE = re.compile(r"/dev/video\d+|/dev/v4l/.+")


def open_input(
    spec: str,
    *,
    size: tuple[int, int] = (1280, 720),
    fps: float = 30,
    hwaccel: str = "none",
    on_event: Callable[[str], None] = lambda e: None,
) -> Input:
    """A camera (``0``, ``/dev/video2``), URL, folder of pictures, picture or video file.

    ``size`` and ``fps`` are what a camera is asked for; ``hwaccel`` (none, auto or cuda) decodes video files. Raises
    InputError, for a mistyped path with names like it.
    """
    spec = spec.strip()
    if spec.isdecimal() or _DEVICE.fullmatch(spec):
        from rtswap.media.inputs.camera import Camera

        return Camera(int(spec) if spec.isdecimal() else spec, size=size, fps=fps, on_event=on_event)
    if scheme(spec) and scheme(spec) != "file":
        from rtswap.media.inputs.stream import NetworkStream

        return NetworkStream(spec, on_event=on_event)
    path = Path(unquote(spec.removeprefix("file://")) if scheme(spec) else spec).expanduser()
    if not spec or not os.path.exists(path):
        raise _no_such(path)
    if path.is_dir() or _is_picture(path):
        from rtswap.media.inputs.image import ImageInput

        return ImageInput(path, on_event=on_event)
    from rtswap.media.inputs.video import VideoFile

    return VideoFile(path, hwaccel=hwaccel, on_event=on_event)


def _is_picture(path: Path) -> bool:
    """By content where it tells, by suffix otherwise (an empty or damaged .png is a damaged picture)."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except OSError:
        head = b""
    if path.suffix.lower() == ".gif" and head.startswith(b"GIF8"):
        return False  # a film more often than a picture: every frame is wanted
    return looks_like_picture(head) or path.suffix.lower() in PICTURE_SUFFIXES


def _no_such(path: Path) -> InputError:
    expected = "a camera number, video, picture, folder or URL"
    try:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=3, cutoff=0.6)
    except (OSError, ValueError):
        near = []
    names = " or ".join(str(path.parent / name) for name in near)
    do = f"Did you mean {names}?" if names else "Check the path; `rtswap cameras` lists cameras."
    return InputError(f"no such file or folder: {str(path)[:300]!r}", expected=expected, do=do)
