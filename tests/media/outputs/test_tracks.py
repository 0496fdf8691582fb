"""Every track of the input is in the output, or a line says which is not."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from copied_film import copied, lines
from media_files import make_clip, mark_picture, numbered_picture, tone

from rtswap.core.parts import OutputRequest
from rtswap.core.text import plural
from rtswap.media.file_kinds import KINDS
from rtswap.media.outputs.video import VideoWriter
from rtswap.media.tracks import MOST_SOUNDS, Tracks

FONT = b"OTTO, not really a font"


def make_film(path: Path) -> None:
    """Three seconds in Matroska: two sound tracks, subtitles, chapters, titles, a font; as many films are."""
    make_clip(path.with_name("plain.mkv"), 75, audio=True)
    srt = path.with_suffix(".srt")
    srt.write_text("1\n00:00:00,500 --> 00:00:00,900\nHello\n\n2\n00:00:02,000 --> 00:00:02,400\nWorld\n")
    with av.open(str(path.with_name("plain.mkv"))) as source, av.open(str(path), "w") as film:
        film.metadata.update({"title": "Holiday", "artist": "Me", "location": "+48.1+011.5/"})
        film.set_chapters(
            [
                {"id": 1, "start": 0, "end": 1500, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
                {"id": 2, "start": 1500, "end": 3000, "time_base": Fraction(1, 1000), "metadata": {"title": "Two"}},
            ]
        )
        outs: dict[int, Any] = {s.index: film.add_stream_from_template(s) for s in source.streams}
        outs[1].metadata["language"] = "deu"
        second = film.add_stream("libopus", rate=48_000, layout="mono")
        second.metadata.update({"language": "eng", "title": "Commentary"})
        second.disposition = av.stream.Disposition(0)
        text = av.open(str(srt))
        words = film.add_stream_from_template(text.streams.subtitles[0])
        words.metadata["language"] = "fra"
        film.add_attachment("font.ttf", "font/ttf", FONT)
        film.add_attachment("poster.webp", "image/webp", b"RIFF....WEBP, the face as it was")
        for packet in source.demux():
            if packet.size:
                packet.stream = outs[packet.stream.index]
                film.mux(packet)
        samples = tone(3)
        for at in range(0, samples.shape[1] - 960, 960):
            frame = av.AudioFrame.from_ndarray(samples[:, at : at + 960], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
            film.mux(second.encode(frame))
        film.mux(second.encode(None))
        for packet in text.demux():
            if packet.size:
                packet.stream = words
                film.mux(packet)
        text.close()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".webm"])
def test_everything_is_copied(tmp_path: Path, suffix: str) -> None:
    make_film(tmp_path / "film.mkv")
    events = copied(tmp_path / "film.mkv", tmp_path / f"out{suffix}")
    lost = f"location, {plural(1 if suffix == '.mkv' else 2, 'attachment')}"
    assert events == [f"not kept of {tmp_path / 'film.mkv'} in {suffix}: {lost}"]
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        sounds = container.streams.audio
        assert len(sounds) == 2
        assert sounds[1].metadata["language"] == "eng"
        assert sounds[0].metadata["language"] == ("ger" if suffix == ".mov" else "deu"), "MOV's own name of German"
        assert "Commentary" in (sounds[1].metadata.get("title"), sounds[1].metadata.get("handler_name"))
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert (tags["title"], tags["artist"]) == ("Holiday", "Me")
        assert "location" not in tags
        chapters = container.chapters()
        starts = [float(c["start"] * c["time_base"]) for c in chapters]
        assert [c["metadata"]["title"] for c in chapters] == ["One", "Two"]
        assert starts == pytest.approx([0, 1.5], abs=0.03)
        if suffix == ".mkv":
            assert [a.data for a in container.streams.attachments] == [FONT], "no picture of the face as it was"
        for index in range(2):
            frames = [frame.samples for frame in container.decode(audio=index)]
            assert sum(frames) / 48_000 == pytest.approx(3, abs=0.06)
            container.seek(0)
    assert lines(tmp_path / f"out{suffix}") == [
        (pytest.approx(0.5, abs=0.03), "Hello"),
        (pytest.approx(2, abs=0.03), "World"),
    ]


@pytest.mark.parametrize(
    ("suffix", "lost"),
    [
        (".avi", "location, 2 chapters, 2 attachments, 1 subtitle track (srt)"),
        (".gif", "location, 2 chapters, 2 attachments, sound, 1 subtitle track (srt)"),
    ],
)
def test_tracks_that_a_container_cannot_hold_are_reported(tmp_path: Path, suffix: str, lost: str) -> None:
    make_film(tmp_path / "film.mkv")
    events = copied(tmp_path / "film.mkv", tmp_path / f"out{suffix}")
    assert events == [f"not kept of {tmp_path / 'film.mkv'} in {suffix}: {lost}"]


def test_without_the_sound_all_else_is_copied(tmp_path: Path) -> None:
    """--no-audio lost subtitles, chapters and titles as well, without a word."""
    make_film(tmp_path / "film.mkv")
    events: list[str] = []
    writer = VideoWriter(
        tmp_path / "out.mkv",
        OutputRequest(fps=25, audio_from=str(tmp_path / "film.mkv"), with_sound=False, on_event=events.append),
    )
    for index in range(75):
        writer.send(mark_picture(index))
    writer.close()
    assert events == [f"not kept of {tmp_path / 'film.mkv'} in .mkv: location, 1 attachment"]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert not container.streams.audio
        assert (len(container.chapters()), container.metadata["title"]) == (2, "Holiday")
    assert [text for _, text in lines(tmp_path / "out.mkv")] == ["Hello", "World"]


def test_mp4_subtitles_become_those_of_matroska(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mkv")
    copied(tmp_path / "film.mkv", tmp_path / "a.mp4")
    assert copied(tmp_path / "a.mp4", tmp_path / "b.mkv") == []
    assert [text for _, text in lines(tmp_path / "b.mkv")] == ["Hello", "World"]


def test_a_lost_cover_picture_is_reported(tmp_path: Path) -> None:
    make_clip(tmp_path / "plain.mp4", 10)
    with av.open(str(tmp_path / "plain.mp4")) as source, av.open(str(tmp_path / "in.mp4"), "w") as film:
        out = film.add_stream_from_template(source.streams.video[0])
        cover = film.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in source.demux():
            if packet.size:
                packet.stream = out
                film.mux(packet)
        film.mux(
            cover.encode(av.VideoFrame.from_ndarray(numbered_picture(1), format="bgr24").reformat(format="yuvj420p"))
        )
        film.mux(cover.encode(None))
    events = copied(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert events == [f"not kept of {tmp_path / 'in.mp4'} in .mp4: the cover picture"]


def test_converted_surround_sound_becomes_stereo_with_a_message(tmp_path: Path) -> None:
    make_clip(tmp_path / "plain.mkv", 25)
    with av.open(str(tmp_path / "plain.mkv")) as source, av.open(str(tmp_path / "in.mkv"), "w") as film:
        out = film.add_stream_from_template(source.streams.video[0])
        sound = film.add_stream("flac", rate=48_000, layout="5.1")
        for packet in source.demux():
            if packet.size:
                packet.stream = out
                film.mux(packet)
        frame = av.AudioFrame(format="s16", layout="5.1", samples=4608)
        frame.sample_rate, frame.pts = 48_000, 0
        film.mux(sound.encode(frame))
        film.mux(sound.encode(None))
    assert copied(tmp_path / "in.mkv", tmp_path / "out.mov") == ["sound with 6 channels becomes stereo (aac)"]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".webm"])
@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        (1.0, 2.2, [("One", 0, 0.5), ("Two", 0.5, 1.2)]),
        (0.0, 1.0, [("One", 0, 1.0)]),
        (2.0, 9.0, [("Two", 0, 1.0)]),
    ],
)
def test_the_chapters_of_a_part(
    tmp_path: Path, suffix: str, start_s: float, end_s: float, expected: list[tuple[str, float, float]]
) -> None:
    make_film(tmp_path / "film.mkv")
    events = copied(tmp_path / "film.mkv", tmp_path / f"out{suffix}", start_s, end_s)
    assert not any("chapter" in event.rpartition(": ")[2] for event in events)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        chapters = container.chapters()
    found = [[float(c[key] * c["time_base"]) for key in ("start", "end")] for c in chapters]  # type: ignore[literal-required]
    assert [c["metadata"]["title"] for c in chapters] == [title for title, _, _ in expected]
    assert found == [pytest.approx(times, abs=0.05) for _, *times in expected]


def with_cover(header: bytes) -> bytes:
    """Vorbis' three headers, laced as in Matroska, with a picture in the comments."""
    first, last = header[1], header[3 + header[1] + header[2] :]
    title = b"METADATA_BLOCK_PICTURE=the face as it was"
    comments = b"\3vorbis" + bytes(4) + (1).to_bytes(4, "little") + len(title).to_bytes(4, "little") + title + b"\1"
    return bytes([2, first, len(comments)]) + header[3 : 3 + first] + comments + last


def test_a_cover_in_the_sound_is_not_kept(tmp_path: Path) -> None:
    make_clip(tmp_path / "plain.mkv", 75)
    samples = tone(3).astype("float32") / 32768
    with av.open(str(tmp_path / "sound.mkv"), "w") as film:
        encoded = film.add_stream("vorbis", rate=48_000, layout="stereo", options={"strict": "-2"})
        for at in range(0, samples.shape[1] - 1024, 1024):
            both = samples[:, at : at + 1024].repeat(2, 0)
            frame = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
            film.mux(encoded.encode(frame))
        film.mux(encoded.encode(None))
    with (
        av.open(str(tmp_path / "plain.mkv")) as pictures,
        av.open(str(tmp_path / "sound.mkv")) as sound,
        av.open(str(tmp_path / "film.mkv"), "w") as film,
    ):
        outs: list[Any] = [film.add_stream_from_template(source.streams[0]) for source in (pictures, sound)]
        outs[1].codec_context.extradata = with_cover(bytes(outs[1].codec_context.extradata))
        for source, out in zip((pictures, sound), outs, strict=True):
            for packet in source.demux(source.streams[0]):
                if packet.size:
                    packet.stream = out
                    film.mux(packet)
    assert b"the face as it was" in (tmp_path / "film.mkv").read_bytes()
    copied(tmp_path / "film.mkv", tmp_path / "out.mkv")
    assert b"the face as it was" not in (tmp_path / "out.mkv").read_bytes()
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"]


def test_subtitles_beyond_number_take_no_hours(tmp_path: Path) -> None:
    """30,000 in a file of 1 MB took 20 seconds, ten times as many half an hour."""
    make_clip(tmp_path / "plain.mkv", 5)
    words = (f"{number}\n00:00:00,100 --> 00:00:00,200\n{number}\n\n" for number in range(25_000))
    (tmp_path / "words.srt").write_text("".join(words))
    with (
        av.open(str(tmp_path / "plain.mkv")) as pictures,
        av.open(str(tmp_path / "words.srt")) as texts,
        av.open(str(tmp_path / "film.mkv"), "w") as film,
    ):
        outs = [film.add_stream_from_template(source.streams[0]) for source in (pictures, texts)]
        for source, out in zip((texts, pictures), outs[::-1], strict=True):
            for packet in source.demux():
                if packet.size:
                    packet.stream = out
                    film.mux(packet)
    began = time.process_time()
    with av.open(str(tmp_path / "out.mkv"), "w") as film:
        tracks = Tracks(str(tmp_path / "film.mkv"), film, KINDS[".mkv"], ".mkv", pytest.fail)
        assert sum(1 for _ in tracks.until(1.0)) == 25_000
        tracks.close()
    assert time.process_time() - began < 3


def test_sound_tracks_beyond_number_take_no_hours(tmp_path: Path) -> None:
    make_clip(tmp_path / "one.mkv", 5, audio=True)
    with av.open(str(tmp_path / "one.mkv")) as source, av.open(str(tmp_path / "film.mkv"), "w") as film:
        outs = [film.add_stream_from_template(source.streams.audio[0]) for _ in range(MOST_SOUNDS + 4)]
        for packet in source.demux(source.streams.audio[0]):
            for out in outs if packet.size else ():
                again = av.Packet(bytes(packet))
                again.pts, again.dts, again.time_base, again.stream = packet.pts, packet.dts, packet.time_base, out
                film.mux(again)
    events: list[str] = []
    with av.open(str(tmp_path / "out.mkv"), "w") as film:
        Tracks(str(tmp_path / "film.mkv"), film, KINDS[".mkv"], ".mkv", events.append).close()
        assert len(film.streams.audio) == MOST_SOUNDS
    assert events == [f"not kept of {tmp_path / 'film.mkv'} in .mkv: 4 further sound tracks"]


@pytest.mark.parametrize(
    ("codec", "unknown", "lost"),
    [
        (b"A_OPUS", b"A_NONE", "1 sound track of an unknown codec"),
        (b"S_TEXT/UTF8", b"S_ARIBSUB\0\0", "1 subtitle track of an unknown codec"),
    ],
)
def test_tracks_that_cannot_be_decoded_are_reported(tmp_path: Path, codec: bytes, unknown: bytes, lost: str) -> None:
    """Television has teletext, and sound for the blind of codecs that few programs read: they were lost unsaid."""
    make_film(tmp_path / "film.mkv")
    film = (tmp_path / "film.mkv").read_bytes()
    assert film.count(codec) == 1
    (tmp_path / "film.mkv").write_bytes(film.replace(codec, unknown))
    events = copied(tmp_path / "film.mkv", tmp_path / "out.mkv")
    assert events == [f"not kept of {tmp_path / 'film.mkv'} in .mkv: location, 1 attachment, {lost}"]
