"""Recordings that were joined byte by byte are films of their whole length, in step with their sound."""

from pathlib import Path

import av
import numpy as np
import pytest
from media_files import clicks, make_clip, read_back

from rtswap.core.parts import OutputRequest
from rtswap.core.types import MarkedImage
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


def test_parts_of_a_playlist_follow_each_other(tmp_path: Path) -> None:
    make_clip(tmp_path / "part.ts", 25)
    part = "#EXTINF:1.0,\npart.ts\n"
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
    (tmp_path / "film.m3u8").write_text(f"{head}{part}#EXT-X-DISCONTINUITY\n{part}#EXT-X-ENDLIST\n")
    times = [frame.time_s or 0.0 for frame in VideoFile(tmp_path / "film.m3u8").frames()]
    assert np.diff(times) == pytest.approx(0.04, abs=0.01)
    assert len(times) == 50


def test_a_slide_of_half_a_minute_is_no_jump(tmp_path: Path) -> None:
    make_clip(tmp_path / "slides.ts", 6, times_s=[0, 30, 60, 90, 120, 121])
    events: list[str] = []
    times = [frame.time_s for frame in VideoFile(tmp_path / "slides.ts", on_event=events.append).frames()]
    assert times == pytest.approx([0, 30, 60, 90, 120, 121], abs=0.01)
    assert events == []
