"""Subtitles keep their styles and their times, or say what they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from copied_film import copied, lines
from media_files import make_clip

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour
Style: Sign,Comic,30,&H00FF00FF
{more}
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.20,0:00:00.50,Sign,,0,0,0,,{{\\pos(9,9)}}Hello
Dialogue: 0,0:00:01.20,0:00:01.40,Sign,,0,0,0,,World
Dialogue: 0,0:00:01.40,0:00:01.50,Sign,,0,0,0,,Again
Dialogue: 0,0:00:02.50,0:00:02.90,Sign,,0,0,0,,Bye
"""


def make_titled_film(path: Path, ass: str) -> None:
    """Three seconds with the subtitles ``ass``."""
    make_clip(path.with_name("plain.mp4"), 75)
    path.with_suffix(".ass").write_text(ass)
    with (
        av.open(str(path.with_name("plain.mp4"))) as pictures,
        av.open(str(path.with_suffix(".ass"))) as texts,
        av.open(str(path), "w") as film,
    ):
        outs = [film.add_stream_from_template(source.streams[0]) for source in (pictures, texts)]
        packets: list[tuple[Any, Any]] = []
        for source, out in zip((pictures, texts), outs, strict=True):
            packets += [(packet, out) for packet in source.demux() if packet.size]
        for packet, out in sorted(packets, key=lambda pair: pair[0].dts * pair[0].time_base):
            packet.stream = out
            film.mux(packet)


def test_subtitles_with_styles_keep_them(tmp_path: Path) -> None:
    """FFmpeg's decoder of ASS is called ssa: they became plain text."""
    make_titled_film(tmp_path / "film.mkv", ASS.format(more=""))
    assert copied(tmp_path / "film.mkv", tmp_path / "out.mkv") == []
    with av.open(str(tmp_path / "out.mkv")) as container:
        stream = container.streams.subtitles[0]
        assert b"Style: Sign,Comic" in bytes(stream.codec_context.extradata or b"")
        assert rb"{\pos(9,9)}Hello" in bytes(next(container.demux(stream)))


def test_a_picture_in_subtitles_is_not_kept(tmp_path: Path) -> None:
    picture = "[Graphics]\nfilename: poster.bmp\nTHE-FACE-AS-IT-WAS\n"
    make_titled_film(tmp_path / "film.mkv", ASS.format(more=picture))
    assert b"THE-FACE-AS-IT-WAS" in (tmp_path / "film.mkv").read_bytes()
    copied(tmp_path / "film.mkv", tmp_path / "out.mkv")
    assert b"THE-FACE-AS-IT-WAS" not in (tmp_path / "out.mkv").read_bytes()
    assert any("Hello" in text for _, text in lines(tmp_path / "out.mkv"))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_subtitles_of_mp4_end_when_they_did(tmp_path: Path, suffix: str) -> None:
    """They were shown until the next, be it minutes later, where a fragment ended in between."""
    make_titled_film(tmp_path / "film.mkv", ASS.format(more=""))
    copied(tmp_path / "film.mkv", tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        shown = [p for p in container.demux(subtitles=0) if len(bytes(p)) > 2]
    spans = [(float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base)) for p in shown]
    expected = [(0.2, 0.5), (1.2, 1.4), (1.4, 1.5), (2.5, 2.9)]
    assert spans == [pytest.approx(span, abs=0.002) for span in expected]
    copied(tmp_path / f"out{suffix}", tmp_path / f"again{suffix}")
    with av.open(str(tmp_path / f"again{suffix}")) as container:
        again = [p for p in container.demux(subtitles=0) if len(bytes(p)) > 2]
        assert [(p.pts, p.duration) for p in again] == [(p.pts, p.duration) for p in shown]
        assert (container.duration or 0) / av.time_base == pytest.approx(3, abs=0.005)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_text_does_not_outlast_the_end_of_the_part(tmp_path: Path, suffix: str) -> None:
    """A film of 1.32 s ended at 1.4."""
    make_titled_film(tmp_path / "film.mkv", ASS.format(more=""))
    copied(tmp_path / "film.mkv", tmp_path / f"out{suffix}", end_s=1.32)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert (container.duration or 0) / av.time_base == pytest.approx(1.32, abs=0.03)
        assert [bytes(p)[-5:] for p in container.demux(subtitles=0) if len(bytes(p)) > 2] == [b"Hello", b"World"]


@pytest.mark.parametrize("end_s", [1.32, 1.48, 2.6, 2.8])
def test_a_text_that_lies_behind_its_pictures_in_the_file_is_kept(tmp_path: Path, end_s: float) -> None:
    """The last texts of a part of an MP4 were lost."""
    make_titled_film(tmp_path / "film.mkv", ASS.format(more=""))
    copied(tmp_path / "film.mkv", tmp_path / "film.mp4")
    copied(tmp_path / "film.mp4", tmp_path / "out.mkv", end_s=end_s)
    begin = [at for at in (0.2, 1.2, 1.4, 2.5) if at < end_s]
    assert [at for at, _ in lines(tmp_path / "out.mkv")] == pytest.approx(begin, abs=0.03)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_part_has_its_subtitles(tmp_path: Path, suffix: str) -> None:
    """With --start they were left out. One that begins before the part is shown from its first picture on."""
    make_titled_film(tmp_path / "film.mkv", ASS.format(more=""))
    assert copied(tmp_path / "film.mkv", tmp_path / f"out{suffix}", start_s=1.28, end_s=2.72) == []
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        shown = [p for p in container.demux(subtitles=0) if len(bytes(p)) > 2]
    spans = [(float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base)) for p in shown]
    assert spans == [pytest.approx(span, abs=0.002) for span in [(0, 0.12), (0.12, 0.22), (1.22, 1.44)]]
    assert [text.split(",")[-1].strip() for _, text in lines(tmp_path / f"out{suffix}")] == ["World", "Again", "Bye"]
