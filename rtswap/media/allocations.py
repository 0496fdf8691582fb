"""Limit how much memory FFmpeg takes at once. A header of a few bytes may state gigabytes, of which FFmpeg takes and
clears all before it reads on: each format has such fields, and each demultiplexer looks at them in its own way."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import av

from rtswap.vision.images import MAX_PIXELS

MOST_BYTES = 10 * MAX_PIXELS
"""The largest picture with 16 bits for each of four channels, and what FFmpeg has around one."""


@cache
def limit_allocations(most: int = MOST_BYTES) -> bool:
    """Let every request of FFmpeg's for more than ``most`` bytes fail, in this process. Returns whether its library
    was found, which PyAV does not name."""
    found = False
    for path in _libraries():
        with suppress(OSError, AttributeError):
            ctypes.CDLL(str(path)).av_max_alloc(ctypes.c_size_t(most))
            found = True
    return found


def _libraries() -> Iterator[Path]:
    """The files of PyAV's libavutil: where its wheels have them, or where Linux says that this process got it."""
    package = Path(av.__file__).parent
    bundled = [*package.parent.glob("av.libs/*avutil*"), *package.glob(".dylibs/libavutil*")]
    yield from bundled
    if not bundled and sys.platform == "linux":
        lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
        yield from {Path(line.split(maxsplit=5)[5]) for line in lines if "/libavutil" in line}
