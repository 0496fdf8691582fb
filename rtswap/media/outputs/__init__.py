"""Where finished pictures go. ``open_output`` chooses by what the user typed; what it needs loads only then."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from rtswap.core.errors import UsageError
from rtswap.core.protocols import Output
from rtswap.core.urls import scheme

_POSSIBLE = "vcam[:name], window, null, a video (.mp4 .mov .mkv), a picture (.png .jpg ...), a folder/ or a URL"
_VIDEO = (".mp4", ".mov", ".mkv")


def open_output(
    spec: str,
    *,
    fps: float,
    codec: str = "h264",
    audio_from: str | None = None,
    overwrite: bool = False,
    live: bool = False,
    tls_ca: str | None = None,
    sign: Callable[[Path], None] | None = None,
    on_event: Callable[[str], None] = lambda event: None,
    on_key: Callable[[str], None] = lambda key: None,
    overlay: Callable[[], Sequence[str]] | None = None,
) -> Output:
    """``vcam[:name]``, ``window``, ``null``, a URL, a picture, numbered pictures, a folder or a video file.

    ``sign`` is called with each finished file. ``tls_ca``: certificates to trust. Raises UsageError for what is none
    of these, OutputError for what cannot be opened.
    """
    spec = spec.strip()
    kind, _, name = spec.partition(":")
    if kind == "vcam":
        from rtswap.media.outputs.virtual_camera import VirtualCamera

        return VirtualCamera(name or None, fps=fps)
    if spec == "window":
        from rtswap.media.outputs.window import Window

        return Window(on_key=on_key, overlay=overlay)
    if spec == "null":
        from rtswap.media.outputs.null import Null

        return Null()
    if scheme(spec):
        from rtswap.media.outputs.stream import NetworkOutput

        return NetworkOutput(spec, fps=fps, codec=codec, tls_ca=tls_ca)
    path = Path(spec).expanduser()
    if path.suffix.lower() in _VIDEO:
        from rtswap.media.outputs.video import VideoWriter

        return VideoWriter(
            path,
            fps=fps,
            codec=codec,
            audio_from=audio_from,
            tls_ca=tls_ca,
            live=live,
            overwrite=overwrite,
            sign=sign,
            on_event=on_event,
        )
    return _open_pictures(spec, path, overwrite, sign)


def _open_pictures(spec: str, path: Path, overwrite: bool, sign: Callable[[Path], None] | None) -> Output:
    from rtswap.media.outputs.image import IMAGE_SUFFIXES, ImageOutput

    folder = spec.endswith(("/", "\\")) or (spec != "" and os.path.isdir(path))
    if not folder and path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"no output {spec!r}", expected=_POSSIBLE, do="See `rtswap --help`.")
    return ImageOutput(path, overwrite=overwrite, sign=sign)
