"""A recording carries the sound of its input over, in step with the pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import SUFFIXES, clicks, make_clip, mark_picture, read_back, tone

from rtswap.core.parts import OutputRequest
from rtswap.core.types import MarkedImage
from rtswap.media.file_kinds import KINDS
from rtswap.media.inputs.video import VideoFile
from rtswap.media.outputs.video import VideoWriter
from rtswap.media.tracks import Tracks


def carry_over(source: Path, out: Path, *, frames: int | None = None, end_s: float = np.inf) -> list[str]:
    """As the session does it: every frame through, the sound from the file."""
    events: list[str] = []
    video = VideoFile(source)
    told = events.append
    writer = VideoWriter(
        out, OutputRequest(fps=video.info.fps, audio_from=str(source), audio_end_s=end_s, on_event=told)
    )
    for frame in video.frames():
        if frame.index == frames:
            break
        writer.send(MarkedImage(frame.image, frame.index, frame.captured_at, frame.time_s))
    else:
        writer.play_out()
    video.close()
    writer.close()
    return events


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("source", ["in.mp4:aac", "in.mkv:pcm_s16le", "in.mkv:libopus", "in.mkv:flac", "in.ts:aac"])
def test_sound_is_carried_over_in_step(tmp_path: Path, source: str, suffix: str) -> None:
    name, _, audio_codec = source.partition(":")
    make_clip(tmp_path / name, 75, audio=True, audio_codec=audio_codec)
    assert carry_over(tmp_path / name, tmp_path / f"out{suffix}") == []
    numbers, times = read_back(tmp_path / f"out{suffix}")
    assert numbers == list(range(75))
    before = np.array(clicks(tmp_path / name)) - read_back(tmp_path / name)[1][0]
    after = np.array(clicks(tmp_path / f"out{suffix}")) - times[0]
    assert len(before) == len(after) == 5
    assert np.abs(after - before).max() < 0.004


@pytest.mark.parametrize(
    ("source", "suffix", "codec"),
    [
        ("in.mp4:aac", ".mp4", "aac"),
        ("in.mkv:pcm_s16le", ".mp4", "aac"),
        ("in.mkv:libopus", ".mov", "aac"),
        ("in.mkv:libopus", ".mp4", "opus"),
    ],
)
def test_sound_is_copied_where_it_can_be(tmp_path: Path, source: str, suffix: str, codec: str) -> None:
    name, _, audio_codec = source.partition(":")
    make_clip(tmp_path / name, 25, audio=True, audio_codec=audio_codec)
    carry_over(tmp_path / name, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.audio[0].codec_context.name == codec
        assert container.streams.audio[0].codec_context.channels == 2


@pytest.mark.parametrize(
    ("name", "codec", "out"),
    [
        ("in.mp4", "aac", "out.mp4"),
        ("in.mp4", "libmp3lame", "out.mp4"),
        ("in.avi", "libmp3lame", "out.mov"),
        ("in.mkv", "libopus", "out.mkv"),
        ("in.mkv", "libopus", "out.webm"),
        ("in.mp4", "libopus", "out.mp4"),
    ],
)
def test_copied_sound_is_the_same_to_the_bit(tmp_path: Path, name: str, codec: str, out: str) -> None:
    """Also the first packet, of which Opus and MP3 play only the end."""
    make_clip(tmp_path / name, 50, audio=True, audio_codec=codec)
    carry_over(tmp_path / name, tmp_path / out)

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(audio=0) if p.size and not p.is_discard]

    before, after = packets(tmp_path / name), packets(tmp_path / out)
    assert len(after) > 70
    assert before[: len(after)] == after


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_aac_begins_as_it_did(tmp_path: Path, name: str, suffix: str) -> None:
    """It faded in for 10 ms, or 21 ms were missing: the packet before the first that is heard was left out."""
    make_clip(tmp_path / name, 25, audio=True)
    out = tmp_path / f"out{suffix}"
    carry_over(tmp_path / name, out)

    def samples(path: Path) -> tuple[float | None, np.ndarray]:
        with av.open(str(path)) as container:
            frames = list(container.decode(audio=0))
        return frames[0].time, np.concatenate([frame.to_ndarray()[0] for frame in frames])

    (began, before), (begins, after) = samples(tmp_path / name), samples(out)
    assert (begins, read_back(out)[1][0]) == (began, 0.0)
    first = 2048 if (name, suffix) == ("in.mp4", ".mkv") else 0  # Matroska's header would have to say so
    assert np.abs(after[first:20_000] - before[first:20_000]).max() == pytest.approx(0.0, abs=1e-4)


def test_slow_mp3_which_mp4_cannot_hold_becomes_aac(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.avi", 25)
    with av.open(str(tmp_path / "in.avi")) as pictures, av.open(str(tmp_path / "slow.avi"), "w") as film:
        out = film.add_stream_from_template(pictures.streams.video[0])
        sound = film.add_stream("libmp3lame", rate=11_025, layout="mono")
        for number in range(19):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 576), np.int16), format="s16p", layout="mono")
            frame.sample_rate, frame.pts = 11_025, number * 576
            film.mux(sound.encode(frame))
        film.mux(sound.encode(None))
        for packet in pictures.demux():
            if packet.size:
                packet.stream = out
                film.mux(packet)
    assert carry_over(tmp_path / "slow.avi", tmp_path / "out.mp4") == []
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def test_a_part_that_begins_in_the_middle_of_a_packet_has_no_damaged_sound(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mpg", 100, audio=True, audio_codec="mp2")
    for start_s in np.arange(0.4, 2.8, 0.04):
        with av.open(str(tmp_path / "out.mp4"), "w") as film:
            tracks = Tracks(str(tmp_path / "in.mpg"), film, KINDS[".mp4"], ".mp4", pytest.fail, start_s=start_s)
            assert next(tracks.until(1.0)).pts <= 0  # 0.1 s were missing
            tracks.close()


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.webm"])
@pytest.mark.parametrize("start_s", [0.5, 1.2, 1.8])
def test_a_part_that_begins_before_the_first_picture_has_its_sound(tmp_path: Path, name: str, start_s: float) -> None:
    """Sound up to the first picture was missing: phones and screen recorders begin with the sound."""
    codecs = {"codec": "libvpx-vp9", "audio_codec": "libopus"} if name == "in.webm" else {}
    make_clip(tmp_path / name, 50, times_s=[1.5 + n / 25 for n in range(50)], audio=True, **codecs)
    with av.open(str(tmp_path / "out.mkv"), "w") as film:
        tracks = Tracks(str(tmp_path / name), film, KINDS[".mkv"], ".mkv", pytest.fail, start_s=start_s)
        first = next(tracks.until(9.0))
        assert first.pts * first.time_base == pytest.approx(0, abs=0.03)
        tracks.close()


def test_sound_is_cut_at_the_last_picture(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", 100, audio=True)
    carry_over(tmp_path / "in.mp4", tmp_path / "out.mp4", frames=40)
    with av.open(str(tmp_path / "out.mp4")) as container:
        ends = {s.type: float(s.duration * s.time_base) for s in container.streams if s.duration and s.time_base}
    assert ends["video"] == pytest.approx(1.6, abs=0.01)
    assert ends["audio"] == pytest.approx(1.6, abs=0.03)


@pytest.mark.parametrize(
    ("suffix", "end_s", "last_click_s"),
    [(".mp4", np.inf, 3.5), (".mkv", np.inf, 3.5), (".avi", np.inf, 3.5), (".mp4", 2.2, 2.0)],
)
def test_sound_that_goes_on_after_the_last_picture_is_kept(
    tmp_path: Path, suffix: str, end_s: float, last_click_s: float
) -> None:
    """Slides, and recordings of a screen on which nothing moves any more."""
    make_clip(tmp_path / "long.mp4", 100, audio=True)
    with av.open(str(tmp_path / "long.mp4")) as whole, av.open(str(tmp_path / "in.mp4"), "w") as short:
        streams = {s.index: short.add_stream_from_template(s) for s in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None and (packet.stream.type == "audio" or packet.dts * packet.time_base < 1):
                packet.stream = streams[packet.stream_index]
                short.mux(packet)
    carry_over(tmp_path / "in.mp4", tmp_path / f"out{suffix}", end_s=end_s)
    assert clicks(tmp_path / f"out{suffix}")[-1] == pytest.approx(last_click_s, abs=0.05)


def test_sound_and_pictures_lie_side_by_side(tmp_path: Path) -> None:
    """A player that reads from the front never has to look more than a second ahead."""
    make_clip(tmp_path / "in.mp4", 100, audio=True)
    carry_over(tmp_path / "in.mp4", tmp_path / "out.mp4")
    latest = {"video": 0.0, "audio": 0.0}
    with av.open(str(tmp_path / "out.mp4")) as container:
        packets = sorted((p for p in container.demux() if p.size), key=lambda p: p.pos or 0)
        for packet in packets[:-40]:
            latest[packet.stream.type] = float((packet.pts or 0) * packet.time_base)
            assert abs(latest["video"] - latest["audio"]) < 1.5


def test_damaged_sound_costs_the_sound_not_the_pictures(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    make_clip(path, 50, audio=True, audio_codec="flac")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            if packet.size and packet.pos:
                data[packet.pos + 8 : packet.pos + packet.size] = b"\x55" * (packet.size - 8)
    path.write_bytes(bytes(data))
    events = carry_over(path, tmp_path / "out.mov")
    assert read_back(tmp_path / "out.mov")[0] == list(range(50))
    assert any("sound" in e for e in events)


@pytest.mark.parametrize("kind", ["missing", "text"])
def test_no_sound_to_carry(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.mp4"
    if kind == "text":
        path.write_text("no sound in here\n" * 99)
    events: list[str] = []
    writer = VideoWriter(tmp_path / "out.mp4", OutputRequest(fps=25, audio_from=str(path), on_event=events.append))
    for index in range(5):
        writer.send(mark_picture(index))
    writer.close()
    assert read_back(tmp_path / "out.mp4")[0] == list(range(5))
    assert any("no sound" in e for e in events)


@pytest.mark.parametrize(("value", "rate"), [(np.nan, 48_000), (0.0, 1)], ids=["no numbers", "one sample a second"])
def test_sound_that_cannot_be_encoded_costs_the_sound_alone(value: float, rate: int, tmp_path: Path) -> None:
    """At a usual rate 10 kB of the latter took 2.7 GB."""
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        sound = container.add_stream("pcm_f32le", rate=rate, layout="mono")
        for index in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(mark_picture(index).image, format="bgr24")))
        frame = av.AudioFrame.from_ndarray(np.full((1, 9600), value, np.float32), format="flt", layout="mono")
        frame.sample_rate = rate
        container.mux(sound.encode(frame))
        container.mux(video.encode(None))
    told = carry_over(source, tmp_path / "out.mp4")
    assert len(told) == 1
    assert "the sound is damaged" in told[0]
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 10


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".mp4", ".avi"])
@pytest.mark.parametrize(("codec", "count"), [("pcm_s16le", 32), ("aac", 1024), ("mp2", 1152)])
def test_packets_that_share_a_time_are_all_heard(tmp_path: Path, codec: str, count: int, suffix: str) -> None:
    """Matroska counts milliseconds, and packets of TrueHD last 0.83: one in six was dropped. RealMedia gives many
    packets one time: seven of eight were."""
    make_clip(tmp_path / "pictures.mkv", 50)
    samples = tone(2)
    with av.open(str(tmp_path / "pictures.mkv")) as pictures, av.open(str(tmp_path / "in.mkv"), "w") as film:
        shown = film.add_stream_from_template(pictures.streams[0])
        heard = film.add_stream(codec, rate=48_000, layout="mono")
        heard.codec_context.open()
        resampler = av.AudioResampler(format=heard.codec_context.format, layout="mono", rate=48_000)
        for packet in pictures.demux():
            if packet.size:
                packet.stream = shown
                film.mux(packet)
        for at in range(0, samples.shape[1] - count + 1, count):
            frame = av.AudioFrame.from_ndarray(samples[:, at : at + count], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
            for packet in (p for f in resampler.resample(frame) for p in heard.encode(f)):
                if codec != "pcm_s16le":  # a time for eight packets
                    packet.pts = packet.dts = max(0, packet.pts) // (8 * count) * 8 * count
                film.mux(packet)
        film.mux(heard.encode(None)[:0])
    assert carry_over(tmp_path / "in.mkv", tmp_path / f"out{suffix}") == []
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        frames = list(container.decode(audio=0))
    assert sum(frame.samples for frame in frames) / 48_000 == pytest.approx(2, abs=0.06)
    assert frames[-1].time + frames[-1].samples / 48_000 == pytest.approx(2, abs=0.06)
