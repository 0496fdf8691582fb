"""Where frames come from: a file for each kind of address, with one ``SPEC``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rtswap.core.errors import InputError
from rtswap.core.parts import InputRequest, InputSpec
from rtswap.core.plugins import built_in, plugins
from rtswap.core.protocols import Input
from rtswap.core.text import nearest
from rtswap.core.urls import local_path

GROUP = "rtswap.inputs"
"""Entry points of other packages' inputs."""


def open_input(address: str, request: InputRequest | None = None) -> Input:
    """A camera (``0``, ``/dev/video2``), URL, folder of pictures, picture, video file, or what another package adds.

    OpenCV and PyAV load only when they are needed. Raises InputError, for a mistyped path with a name like it.
    """
    address = address.strip()
    for spec in input_specs(address):
        if spec.takes(address):
            return spec.open(address, request or InputRequest())
    raise _no_such(local_path(address))


def input_specs(address: str = ":") -> Iterator[InputSpec]:
    """In the order in which they are asked: other packages', where the address is no plain path, then rtswap's."""
    others = plugins(GROUP, InputSpec) if ":" in address else ()
    return chain(others, built_in("rtswap.media.inputs", InputSpec))


def _no_such(path: Path) -> InputError:
    expected = "a camera number, video, picture, folder or URL"
    try:
        near = nearest(path.name, [p.name for p in path.parent.iterdir()])
    except (OSError, ValueError):
        near = ""
    do = f"Did you mean {path.parent / near}?" if near else "Check the path; `rtswap cameras` lists cameras."
    return InputError(f"no such file or folder: {str(path)[:300]!r}", expected=expected, do=do)
