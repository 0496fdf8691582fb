"""What FFmpeg decodes of a film to get to know it is no more than one picture may be."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from processes import run_python

from rtswap.core.errors import InputError
from rtswap.media.allocations import MOST_BYTES, limit_allocations
from rtswap.media.containers import MOST_TRACKS, open_media
from rtswap.media.inputs.video import VideoFile
from rtswap.vision.images import MAX_PIXELS

OPENS = """
import sys
from rtswap.core.memory import peak_memory
from rtswap.media.inputs.video import VideoFile
before = peak_memory()
film = VideoFile(sys.argv[1])
print((peak_memory() - before) >> 20, film.info.width)
"""


def make_large(path: Path, codec: str, side: int) -> None:
    """Make a film of one picture. An encoder may need more memory at once than readers get."""
    limit = limit_allocations.__wrapped__
    limit(2 * MOST_BYTES)
    with av.open(path, "w") as container:
        track = container.add_stream(codec, rate=25)
        track.width = track.height = side
        track.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        container.mux([*track.encode(av.VideoFrame(side, side, track.pix_fmt)), *track.encode(None)])
    limit()


def repeat_track(one: Path, path: Path, times: int) -> None:
    """Make a film whose tracks all show the first picture of another."""
    with av.open(one) as source, av.open(path, "w") as container:
        film = source.streams.video[0]
        picture = next(packet for packet in source.demux(film) if packet.size)
        for track in [container.add_stream_from_template(film) for _ in range(times)]:
            picture.stream = track
            container.mux(picture)


def test_a_file_of_many_large_tracks_takes_no_more_than_one(tmp_path: Path) -> None:
    """FFmpeg decodes a picture of each before it says what is in a file: 20 of 67 megapixels in 8 MB took 4 GB."""
    one, path = tmp_path / "one.mkv", tmp_path / "tracks.mkv"
    make_large(one, "libx264", 4096)
    repeat_track(one, path, 12)
    grown, width = map(int, run_python(OPENS, str(path)).stdout.split())
    assert width == 4096
    assert grown < 250, f"{grown} MB"


def test_the_size_of_pictures_is_limited_from_the_first_on(tmp_path: Path) -> None:
    """FFmpeg decoded a picture of any size before the limit was set: 2 MB took 2.3 GB."""
    path = tmp_path / "large.mov"
    side = int(MAX_PIXELS**0.5) // 16 * 16 + 16
    make_large(path, "mjpeg", side)
    with open_media(str(path)).container as opened:
        assert opened.streams.video[0].pix_fmt is None


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_film_of_hundreds_of_tracks_is_refused(suffix: str, tmp_path: Path) -> None:
    """A decoder is begun for each, each time that the file is opened: 900 sound tracks in 2 MB took 3 GB."""
    one, path = tmp_path / "one.mkv", tmp_path / f"tracks{suffix}"
    make_large(one, "libx264", 64)
    repeat_track(one, path, MOST_TRACKS)
    open_media(str(path)).container.close()
    repeat_track(one, path, MOST_TRACKS + 1)
    with pytest.raises(InputError, match=r"cannot read .*; got more than 250 tracks"):
        VideoFile(path)
