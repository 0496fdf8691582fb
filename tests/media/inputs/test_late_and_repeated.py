"""A film whose clock begins late or is coarse, and pictures that are repeated, are whole."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from media_files import make_clip

from rtswap.core.errors import InputError
from rtswap.media.decoding import Decoder
from rtswap.media.inputs.video import VideoFile


def test_a_recording_that_goes_on_is_called_one(tmp_path: Path) -> None:
    """As OBS writes them: a file that grew was swapped in part, and called complete."""
    path, whole = tmp_path / "a.mkv", tmp_path / "whole.mkv"
    make_clip(whole, 50)
    path.write_bytes(whole.read_bytes()[:2000])
    events: list[str] = []
    frames = VideoFile(path, on_event=events.append).frames()
    next(frames)
    with path.open("ab") as file:
        file.write(whole.read_bytes()[2000:2500])
    list(frames)
    assert events[-1] == f"{path}: it grew while it was read; what is written from now on is missing"


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_film_without_its_index_is_called_one(tmp_path: Path, share: float) -> None:
    """It was called another format."""
    path = tmp_path / "a.mp4"
    make_clip(path, 20)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match=r"an MP4 or MOV whose index \(moov\) is missing or cut off\. Wait until"):
        VideoFile(path)


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".ts"])
def test_a_recording_whose_clock_does_not_begin_at_zero_is_not_cut_off(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"part{suffix}"
    make_clip(
        path, 50, codec="libvpx-vp9" if suffix == ".webm" else "libx264", times_s=[100 + i / 25 for i in range(50)]
    )
    events: list[str] = []
    video = VideoFile(path, on_event=events.append)
    assert video.info.frame_count == pytest.approx(50, abs=2)
    frames = list(video.frames())
    assert events == []
    assert len(frames) == 50
    assert frames[0].time_s == pytest.approx(0, abs=0.05)


def test_a_picture_that_stays_as_it_is_is_no_damage(tmp_path: Path) -> None:
    """Ogg Theora holds a packet without data for it."""
    make_clip(tmp_path / "a.mkv", 20, codec="mjpeg")
    with av.open(str(tmp_path / "a.mkv")) as container:
        packets = list(container.demux(container.streams.video[0]))
        empty = av.Packet(0)
        empty.stream, empty.dts, empty.pts = container.streams.video[0], 200, 200
        events: list[str] = []
        repeating: Any = SimpleNamespace(demux=lambda stream: iter([*packets[:5], empty, *packets[5:]]))
        decoder = Decoder(repeating, container.streams.video[0], events.append)
        count = 0
        while (frames := decoder.next()) is not None:
            count += len(frames)
    assert (count, decoder.skipped, events) == (20, 0, [])


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".flv"])
@pytest.mark.parametrize("rate", [Fraction(30), Fraction(30_000, 1001), Fraction(60), Fraction(120)])
def test_a_clock_of_milliseconds_leaves_a_constant_frame_rate_constant(
    tmp_path: Path, suffix: str, rate: Fraction
) -> None:
    """Of an MKV with 30 frames per second an MP4 came with steps of 33 and 34 ms, which editors call variable."""
    path = tmp_path / f"a{suffix}"
    make_clip(path, 60, fps=rate, codec="libvpx-vp9" if suffix == ".webm" else "libx264")
    frames = list(VideoFile(path).frames())
    step_s = 1 / float(rate)
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(np.full(59, step_s), abs=2e-6)
    assert [frame.duration_s or step_s for frame in frames] == pytest.approx([step_s] * 60, abs=2e-6)
