"""A header that states gigabytes takes none of them."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from media_files import make_clip
from processes import run_python

from rtswap.media.allocations import MOST_BYTES, limit_allocations
from rtswap.media.containers import open_media

OPENS = """
import sys
import av
from rtswap.core.memory import peak_memory
from rtswap.media.containers import open_media
before = peak_memory()
try:
    print(len(open_media(sys.argv[1]).container.streams), end=" ")
except (OSError, ValueError, av.FFmpegError):
    print("refused", end=" ")
print((peak_memory() - before) >> 20)
"""
TEXT = b"LIST\xff\xff\xff\x7fINFOISFT\xf0\xff\xff\x7f" + b"A" * 3000
"""A note of 2 GB, of which 3 kB are there."""


@pytest.mark.parametrize("kind", [b"AVI ", b"AVI LIST\xff\xff\xff\x7fhdrl", b"WAVE"])
def test_a_note_of_two_gigabytes_takes_none(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    path.write_bytes(b"RIFF\xff\xff\xff\xff" + kind + TEXT)
    assert int(run_python(OPENS, str(path)).stdout.split()[-1]) < 200


def test_what_pyav_comes_with_is_limited() -> None:
    assert limit_allocations()


def test_films_and_the_largest_pictures_are_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    make_clip(path)
    assert open_media(str(path)).container.streams.video
    plane = av.VideoFrame(10_000, 10_000, "rgba64le").planes[0]
    assert plane.buffer_size <= MOST_BYTES
