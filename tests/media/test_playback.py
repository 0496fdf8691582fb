"""A clip as if it were a camera."""

from __future__ import annotations

import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest
from media_files import make_clip, number_of

from rtswap.core.errors import InputError
from rtswap.media.inputs.video import VideoFile
from rtswap.media.playback import Playback


def test_a_clip_plays_at_its_own_speed_and_again(tmp_path: Path) -> None:
    make_clip(tmp_path / "clip.mp4", 5, fps=25)
    played = Playback(lambda: VideoFile(tmp_path / "clip.mp4"))
    assert played.info.live
    began = time.perf_counter()
    frames = list(islice(played.frames(), 12))
    lasted_s = time.perf_counter() - began
    assert [number_of(frame.image) for frame in frames] == [*range(5), *range(5), 0, 1]
    assert [frame.index for frame in frames] == list(range(12))
    assert all(frame.time_s is None for frame in frames)
    assert 11 / 25 - 0.02 <= lasted_s < 5
    played.close()


@pytest.mark.parametrize(("name", "times"), [("clip.mp4", 1), ("joined.ts", 2)])
def test_a_clip_is_heard_in_step_with_its_pictures(tmp_path: Path, name: str, times: int) -> None:
    make_clip(tmp_path / name, 30, fps=25, audio=True)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() * times)
    played = Playback(lambda: VideoFile(tmp_path / name))
    heard = played.info.live_sound.listen()
    frames = list(islice(played.frames(), 50))
    played.close()
    loud = [at for at, one in heard if np.abs(one.to_ndarray()).max() > 0.4]
    for picture in (frames[12], frames[25], frames[42]):  # 0.48, 1.0 and, from the beginning again, 0.48 s
        assert min(abs(at - picture.captured_at) for at in loud) < 0.2, (picture, loud)
    assert heard[-1][0] < frames[-1].captured_at + 0.3, "it is not read far ahead"


def test_a_clip_without_sound_has_none(tmp_path: Path) -> None:
    make_clip(tmp_path / "silent.mp4", 5, fps=25)
    assert Playback(lambda: VideoFile(tmp_path / "silent.mp4")).info.live_sound is None


def test_a_clip_that_is_played_for_long_takes_no_more_threads(tmp_path: Path) -> None:
    make_clip(tmp_path / "clip.mp4", 2, fps=100, codec="mpeg4")
    played = Playback(lambda: VideoFile(tmp_path / "clip.mp4"))
    frames = played.frames()
    threads = []
    for _ in range(10):
        next(frames)
        next(frames)
        threads.append(psutil.Process().num_threads())
    played.close()
    assert max(threads[6:]) <= max(threads[:4]) + 4, threads


def test_closing_ends_it_at_once(tmp_path: Path) -> None:
    make_clip(tmp_path / "clip.mp4", 2, fps=1)
    played = Playback(lambda: VideoFile(tmp_path / "clip.mp4"))
    threading.Timer(0.2, played.close).start()
    assert len(list(played.frames())) == 1, "the second one is due after a second"


def test_a_deleted_clip_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make_clip(path, 2, fps=50)
    played = Playback(lambda: VideoFile(path))
    path.unlink()
    with pytest.raises(InputError):
        list(played.frames())
