"""Inputs: one module per input type, each with a ``SPEC``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rtswap.core.errors import InputError
from rtswap.core.parts import InputRequest, InputSpec
from rtswap.core.plugins import built_in, plugins
from rtswap.core.protocols import Input
from rtswap.core.text import nearest
from rtswap.core.urls import local_path, trimmed
from rtswap.media.output_names import NUMBER

GROUP = "rtswap.inputs"
"""Entry point group of input plugins."""
_EXPECTED = "a camera number, video, image, folder or URL"


def open_input(address: str, request: InputRequest | None = None) -> Input:
    """Open a camera (``0``, ``/dev/video2``), URL, image folder, image, video file, or a plugin's input.

    OpenCV and PyAV are imported only when needed. Raises InputError; for a mistyped path it suggests a similar name.
    """
    return check_input(address).open(trimmed(address), request or InputRequest())


def check_input(address: str) -> InputSpec:
    """Return what would open ``address``, unopened. Raises InputError as ``open_input`` if nothing would."""
    address = trimmed(address)
    for spec in input_specs(address):
        if spec.takes(address):
            return spec
    raise _no_such(local_path(address))


def input_specs(address: str = ":") -> Iterator[InputSpec]:
    """Yield the inputs in the order in which they are tried: plugins, if the address contains a colon, then built-in
    ones."""
    others = plugins(GROUP, InputSpec) if ":" in address else ()
    return chain(others, built_in("rtswap.media.inputs", InputSpec))


def no_pipe(path: Path) -> InputError:
    """The error for standard input and other pipes."""
    do = "Write the video to a file, or send it to a URL: ffmpeg ... -f mpegts udp://127.0.0.1:5000"
    return InputError("rtswap cannot read from a pipe", expected=_EXPECTED, got=str(path), do=do)


def _no_such(path: Path) -> InputError:
    if str(path) == "-":
        return no_pipe(path)
    if NUMBER.search(path.name):
        do = "No picture has such a name with a number. Check the path."
        return InputError(f"no such file or folder: {str(path)[:300]!r}", expected=_EXPECTED, do=do)
    try:
        near = nearest(path.name, [p.name for p in path.parent.iterdir()])
    except (OSError, ValueError):
        near = ""
    do = f"Did you mean {path.parent / near}?" if near else "Check the path; `rtswap cameras` lists cameras."
    return InputError(f"no such file or folder: {str(path)[:300]!r}", expected=_EXPECTED, do=do)
