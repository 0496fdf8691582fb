"""Interlaced video is deinterlaced; progressive video is not touched; no frame and no time is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from media_files import make_clip

from rtswap.core.types import Image
from rtswap.media.inputs.video import VideoFile


def two_moments(index: int) -> Image:
    """A bar whose two fields were taken at different times, as a camera of television takes them."""
    image = np.full((240, 320, 3), 60, np.uint8)
    left = 12 * index
    image[::2, left : left + 60] = 230
    image[1::2, left + 6 : left + 66] = 230
    return image


def combing(image: Image) -> float:
    rows = image.astype(int)
    return float(np.abs(2 * rows[1:-1:2] - rows[:-2:2] - rows[2::2]).mean())


def test_interlaced_video(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", two_moments, options={"x264-params": "interlaced=1:tff=1"})
    events: list[str] = []
    frames = list(VideoFile(tmp_path / "a.mp4", on_event=events.append).frames())
    assert [round(frame.time_s or 0, 2) for frame in frames] == [round(i / 25, 2) for i in range(20)]
    assert max(combing(frame.image) for frame in frames[1:]) < 1
    assert [event.partition(": ")[2] for event in events] == ["the video is interlaced; deinterlacing it with bwdif"]


def test_progressive_video_is_left_alone(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", two_moments, options={"crf": "10"})
    events: list[str] = []
    frames = list(VideoFile(tmp_path / "a.mp4", on_event=events.append).frames())
    assert min(combing(frame.image) for frame in frames[:18]) > 8
    assert events == []
