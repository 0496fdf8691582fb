"""Recordings that were joined byte by byte are films of their whole length, in step with their sound."""

import math
import re
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import clicks, make_clip, number_of, numbered_picture, read_back

from rtswap.core.parts import OutputRequest
from rtswap.core.types import MarkedImage
from rtswap.media.excerpt import Excerpt
from rtswap.media.inputs.video import VideoFile
from rtswap.media.outputs.video import VideoWriter


def later(path: Path, seconds: int) -> Path:
    """The same recording, made so much later."""
    out = path.with_stem("later")
    with av.open(str(path)) as source, av.open(str(out), "w", options={"output_ts_offset": str(seconds)}) as copy:
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                copy.mux(packet)
    return out


@pytest.mark.parametrize("seconds", [0, 7200])
def test_parts_follow_each_other(tmp_path: Path, seconds: int) -> None:
    """The second half came within 0.1 s, without its sound; of a later part only after two hours."""
    part, joined, out = tmp_path / "part.ts", tmp_path / "joined.ts", tmp_path / "out.mp4"
    make_clip(part, 75, audio=True, audio_codec="mp2")
    joined.write_bytes(part.read_bytes() + (later(part, seconds) if seconds else part).read_bytes())
    events: list[str] = []
    video = VideoFile(joined, on_event=events.append)
    writer = VideoWriter(out, OutputRequest(fps=25, audio_from=str(joined)))
    for frame in video.frames():
        writer.send(MarkedImage(frame.image, frame.index, frame.captured_at, frame.time_s))
    writer.play_out()
    writer.close()
    assert [event.partition(": ")[2][:30] for event in events] == ["joined of several recordings, "]
    numbers, times = read_back(out)
    assert numbers == [*range(75), *range(75)]
    assert np.diff(times) == pytest.approx(0.04, abs=0.01)
    before = np.array(clicks(part)) - read_back(part)[1][0]
    assert np.array(clicks(out)) - times[0] == pytest.approx([*before, *(before + 3)], abs=0.05)


def test_where_a_programme_changes_the_rest_is_told(tmp_path: Path) -> None:
    """Its tracks have other numbers: an internal error, with which a whole batch ended."""
    first, then, joined = tmp_path / "first.ts", tmp_path / "then.ts", tmp_path / "joined.ts"
    make_clip(first, 25)
    picture = np.random.default_rng(1).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    with av.open(str(then), "w", options={"mpegts_start_pid": "0x200", "mpegts_pmt_start_pid": "0x1001"}) as out:
        stream = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 128, 96, "yuv420p", 4_000_000
        for _ in range(15):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        out.mux(stream.encode(None))
    joined.write_bytes(first.read_bytes() + then.read_bytes())
    for path, count in ((joined, 1), (first, 0)):
        events: list[str] = []
        frames = list(VideoFile(path, on_event=events.append).frames())
        assert [number_of(frame.image) for frame in frames] == list(range(25))
        assert len(events) == count
    events.clear()
    list(VideoFile(joined, on_event=events.append).frames())
    assert re.search(r"other tracks begin at 0:0[01]\.\d, .*: the last \d+ kB are not read$", events[0])


def test_a_sound_track_that_comes_later_is_told(tmp_path: Path) -> None:
    """As where a film in another language begins; its end was an internal error."""
    parts, joined = [tmp_path / f"{number}.ts" for number in range(3)], tmp_path / "joined.ts"
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    make_clip(parts[0], 60, fps=5)
    make_clip(parts[1], 10, fps=5, audio=True, audio_codec="mp2")
    make_clip(parts[2], [noise] * 15, fps=5, options={"qp": "0", "g": "1"})  # FFmpeg looks at the last 250 kB
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    events: list[str] = []
    assert len(list(VideoFile(joined, on_event=events.append).frames())) == 85
    assert events[1:] == [f"{joined}: not read: 1 sound track that came in the middle"]


def test_sound_that_begins_later_is_kept(tmp_path: Path) -> None:
    """FFmpeg knows of it, but not its rate, and it was called undecodable."""
    silent, loud, joined, out = (tmp_path / name for name in ("silent.ts", "loud.ts", "joined.ts", "out.mp4"))
    make_clip(silent, 60, fps=5)
    make_clip(loud, 10, fps=5, audio=True, audio_codec="mp2")
    joined.write_bytes(silent.read_bytes() + loud.read_bytes())
    writer = VideoWriter(out, OutputRequest(fps=5, audio_from=str(joined), on_event=pytest.fail))
    for frame in VideoFile(joined).frames():
        writer.send(MarkedImage(frame.image, frame.index, frame.captured_at, frame.time_s))
    writer.play_out()
    writer.close()
    assert clicks(out) == pytest.approx(np.array(clicks(loud)) + 12 - read_back(loud)[1][0], abs=0.05)


def test_parts_of_a_playlist_follow_each_other(tmp_path: Path) -> None:
    make_clip(tmp_path / "part.ts", 25)
    part = "#EXTINF:1.0,\npart.ts\n"
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
    (tmp_path / "film.m3u8").write_text(f"{head}{part}#EXT-X-DISCONTINUITY\n{part}#EXT-X-ENDLIST\n")
    times = [frame.time_s or 0.0 for frame in VideoFile(tmp_path / "film.m3u8").frames()]
    assert np.diff(times) == pytest.approx(0.04, abs=0.01)
    assert len(times) == 50


@pytest.mark.parametrize("start_s", [0.5, 2.0, 4.4])
@pytest.mark.parametrize("name", ["film.ts", "film.m3u8"])
def test_a_part_of_the_film_begins_where_it_is_asked_for(tmp_path: Path, name: str, start_s: float) -> None:
    """Past the first part the sound was missing, without a word."""
    parts = [tmp_path / f"{number}.ts" for number in (1, 2)]
    for number, part in enumerate(parts):
        make_clip(
            part,
            lambda n, k=number: numbered_picture(n + 75 * k),
            count=75,
            audio=True,
            audio_codec="mp2",
        )
    film = tmp_path / name
    if name == "film.ts":
        film.write_bytes(b"".join(part.read_bytes() for part in parts))
    else:
        listed = "#EXT-X-DISCONTINUITY\n".join(f"#EXTINF:3.0,\n{part.name}\n" for part in parts)
        film.write_text(f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n{listed}#EXT-X-ENDLIST\n")
    whole, out = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    for path, begins_s in ((whole, 0.0), (out, start_s)):
        video = Excerpt(VideoFile(film), begins_s, begins_s + 1.5 if path == out else math.inf)
        ends_s = video.info.audio_end_s
        wanted = OutputRequest(fps=25, audio_from=str(film), audio_start_s=begins_s, audio_end_s=ends_s)
        writer = VideoWriter(path, wanted)
        for frame in video.frames():
            writer.send(MarkedImage(frame.image, frame.index, frame.captured_at, frame.time_s))
        writer.play_out()
        writer.close()
    (numbers, _), (all_numbers, all_times) = read_back(out), read_back(whole)
    first = all_numbers.index(numbers[0])
    assert all_times[first] == pytest.approx(start_s, abs=0.05)
    assert numbers == all_numbers[first : first + len(numbers)]
    assert len(numbers) == pytest.approx(37, abs=1)
    heard, due = (
        [at for at in found if 0.05 < at < 1.4] for found in (clicks(out), np.array(clicks(whole)) - start_s)
    )
    assert heard == pytest.approx(due, abs=0.05)


def test_a_part_of_joined_vobs_is_found(tmp_path: Path) -> None:
    """At 0.5 s the third part came; 'no frame between 0:12.60 and the end' was said of anything past the first."""
    film, data = tmp_path / "film.vob", b""
    for begin in (0, 300, 600):
        with av.open(str(tmp_path / "part.vob"), "w") as part:
            stream = part.add_stream("mpeg2video", rate=25, width=320, height=240, pix_fmt="yuv420p")
            stream.bit_rate = 8_000_000
            for number in range(begin, begin + 300):
                part.mux(
                    stream.encode(av.VideoFrame.from_ndarray(numbered_picture(number, (320, 240)), format="bgr24"))
                )
            part.mux(stream.encode(None))
        data += (tmp_path / "part.vob").read_bytes()
    film.write_bytes(data)
    for start_s in (0.5, 12.6, 25.0, 35.0):
        numbers = [number_of(frame.image) for frame in Excerpt(VideoFile(film), start_s, start_s + 1).frames()]
        assert numbers[0] == pytest.approx(25 * start_s, abs=2)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert len(numbers) == pytest.approx(25, abs=1)


def test_a_slide_of_half_a_minute_is_no_jump(tmp_path: Path) -> None:
    make_clip(tmp_path / "slides.ts", 6, times_s=[0, 30, 60, 90, 120, 121])
    events: list[str] = []
    times = [frame.time_s for frame in VideoFile(tmp_path / "slides.ts", on_event=events.append).frames()]
    assert times == pytest.approx([0, 30, 60, 90, 120, 121], abs=0.01)
    assert events == []
