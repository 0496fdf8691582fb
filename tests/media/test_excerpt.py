"""A part of an input: ``--start``, ``--end``, ``--duration``; quality of the output."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import make_clip, number_of

from rtswap.core.errors import InputError, UsageError
from rtswap.core.parts import OutputRequest
from rtswap.core.types import Frame, StreamInfo
from rtswap.disclosure import Disclosure
from rtswap.media.excerpt import Excerpt
from rtswap.media.inputs.video import VideoFile
from rtswap.media.outputs import check_output, open_output

FPS = 25


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds in which the grey level is the number of the frame, with a tone that begins at second 2."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "1", "g": "50"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="mono")
        for number in range(4 * FPS):
            picture = np.full((48, 64, 3), 20 + 2 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(video.encode(None))
        for second in range(4):
            tone = np.sin(np.arange(48000) / 20) * (second >= 2)
            frame = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, second * 48000
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 0.4), (1.0, 1.6), (2.52, 3.0), (3.6, 9.0)])
def test_the_frames_of_a_part_of_a_file(clip: Path, start_s: float, end_s: float) -> None:
    part = Excerpt(VideoFile(clip), start_s, end_s)
    first, last = round(start_s * FPS), min(round(end_s * FPS), 100)
    assert part.info.frame_count == last - first
    whole = [frame.image for frame in VideoFile(clip).frames()]
    assert len(whole) == 4 * FPS
    found = [frame.image for frame in part.frames()]
    assert len(found) == last - first
    assert all(np.array_equal(one, other) for one, other in zip(found, whole[first:last], strict=True))


@pytest.mark.parametrize("group", ["12", "250"])
@pytest.mark.parametrize("start_s", [0.04, 1.0, 2.52, 3.6])
def test_a_part_of_mpeg_ts_begins_at_its_first_picture(tmp_path: Path, start_s: float, group: str) -> None:
    """FFmpeg goes to the time itself: all up to the next key frame was missing, or there was no frame at all."""
    make_clip(tmp_path / "clip.ts", 4 * FPS, audio=True, options={"g": group})
    frames = list(Excerpt(VideoFile(tmp_path / "clip.ts"), start_s, start_s + 0.4).frames())
    zero_s = next(iter(VideoFile(tmp_path / "clip.ts").frames())).time_s or 0.0
    assert [number_of(frame.image) for frame in frames[:3]] == [
        math.ceil((start_s - zero_s) * FPS - 0.01) + n for n in range(3)
    ]
    assert len(frames) == 10


def test_nothing_in_between_is_said_of_what_was_asked_for(tmp_path: Path) -> None:
    make_clip(tmp_path / "slides.mp4", 3, fps=1)
    with pytest.raises(InputError, match=r"no frame between 0:01\.20 and 0:01\.40; got a last frame at 0:02\.00"):
        list(Excerpt(VideoFile(tmp_path / "slides.mp4"), 1.2, 1.4).frames())


def test_times_and_numbers_begin_anew(clip: Path) -> None:
    frames = list(Excerpt(VideoFile(clip), 2.0, 2.2).frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=1e-3)


def test_the_last_picture_of_a_part_ends_with_it(tmp_path: Path) -> None:
    make_clip(tmp_path / "slides.mp4", 3, fps=1)
    frames = list(Excerpt(VideoFile(tmp_path / "slides.mp4"), 0.0, 1.4).frames())
    assert [frame.duration_s for frame in frames] == pytest.approx([1.0, 0.4], abs=1e-3)


def test_a_part_beyond_the_end_is_an_error(clip: Path) -> None:
    with pytest.raises(InputError, match=r"no frame between 1:00\.00 and the end; got a last frame at 0:0"):
        list(Excerpt(VideoFile(clip), 60.0).frames())


def test_a_live_input_ends_after_the_duration() -> None:
    class Camera:
        info = StreamInfo(8, 8, 100.0, live=True)

        def frames(self) -> Iterator[Frame]:
            import time

            index = 0
            while True:
                time.sleep(0.01)
                index += 1
                yield Frame(np.zeros((8, 8, 3), np.uint8), index, time.perf_counter())

        def close(self) -> None:
            """Nothing is open."""

    assert 10 <= len(list(Excerpt(Camera(), 0.1, 0.4).frames())) <= 31


def written(clip: Path, path: Path, start_s: float = 0.0, **how: object) -> Path:
    part = Excerpt(VideoFile(clip), start_s)
    request = OutputRequest(
        fps=FPS,
        audio_from=str(clip),
        audio_start_s=part.info.audio_start_s,
        **how,  # type: ignore[arg-type]
    )
    output, disclosure = open_output(str(path), request), Disclosure(None, reason="a test")
    rng = np.random.default_rng(1)
    for frame in part.frames():
        image = np.concatenate([frame.image, rng.integers(0, 255, (192, 64, 3), np.uint8)])
        output.send(disclosure.mark(image, frame=frame, swapped=0, stages={}))
    output.close()
    return path


def test_the_sound_of_a_part_stays_in_sync(clip: Path, tmp_path: Path) -> None:
    path = written(clip, tmp_path / "part.mp4", start_s=1.5)
    with av.open(str(path)) as container:
        loud = [frame for frame in container.decode(audio=0) if np.abs(frame.to_ndarray()).max() > 0.3]
        assert float(loud[0].pts * loud[0].time_base) == pytest.approx(0.5, abs=0.06)


def test_quality_changes_the_size(clip: Path, tmp_path: Path) -> None:
    fine, small = (written(clip, tmp_path / f"{crf}.mp4", crf=crf).stat().st_size for crf in (12, 40))
    assert small < fine / 2
    rates = [written(clip, tmp_path / f"{rate}.mp4", bitrate=rate).stat().st_size for rate in (200_000, 1_600_000)]
    assert rates[0] < rates[1] / 2


def test_an_encoder_without_constant_quality_says_so(clip: Path, tmp_path: Path) -> None:
    for quality, flag in ({"crf": 20}, "--crf"), ({"bitrate": 4_000_000}, "--bitrate"):
        with pytest.raises(UsageError, match=f"{flag} has no effect with gif. Leave it out"):
            written(clip, tmp_path / "out.gif", **quality)
        assert not [*tmp_path.glob("*.gif")]
    with pytest.raises(UsageError, match="--crf has no effect with mpeg4"):
        written(clip, tmp_path / "out.mp4", codec="mpeg4", crf=20)


def test_a_refused_quality_replaces_no_file(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out.gif").write_bytes(b"of an earlier run")
    for check in (check_output, open_output):
        with pytest.raises(UsageError, match="--crf has no effect with gif"):
            check(str(tmp_path / "out.gif"), OutputRequest(crf=20, overwrite=True))
    assert (tmp_path / "out.gif").read_bytes() == b"of an earlier run"
