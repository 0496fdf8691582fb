"""A file or address never makes rtswap read another file or contact another host."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest
from media_files import SUFFIXES, mark_picture
from tls_front import Front, certificate, web

from rtswap.core.errors import InputError
from rtswap.core.parts import InputRequest
from rtswap.media.inputs import open_input
from rtswap.media.outputs.video import VideoWriter

PLAYLISTS = {
    "clip.m3u8": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nfile://{private}\n#EXT-X-ENDLIST\n",
    "near.m3u8": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nprivate.ts\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile {private}\n",
    "near.ffconcat": "ffconcat version 1.0\nfile private.ts\n",
    "call.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    private = tmp_path / "private.ts"
    with av.open(str(private), "w", format="mpegts") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(30):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(mark_picture(index).image, format="bgr24")))
        film.mux(stream.encode())
    for name, text in PLAYLISTS.items():
        (tmp_path / name).write_text(text.format(private=private))
        shutil.copy(tmp_path / name, tmp_path / f"{name}.mp4")  # FFmpeg goes by content
    return tmp_path


@pytest.mark.parametrize("name", [*PLAYLISTS, *(f"{name}.mp4" for name in PLAYLISTS)])
def test_a_file_that_names_others_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        open_input(str(folder / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", PLAYLISTS)
def test_no_sound_is_taken_through_one(folder: Path, name: str) -> None:
    told: list[str] = []
    writer = VideoWriter(folder / "out.mp4", fps=25, audio_from=str(folder / name), on_event=told.append)
    writer.send(mark_picture(0, time_s=0.0))
    writer.close()
    assert "cannot read" in told[0]


def test_films_that_hold_themselves_are_read(folder: Path) -> None:
    for suffix in (*SUFFIXES, ".avi", ".webm", ".flv", ".ts", ".gif"):
        path = folder / f"film{suffix}"
        codec = {".webm": "libvpx", ".gif": "gif"}.get(suffix, "libx264")
        with av.open(str(path), "w") as film:
            stream = film.add_stream(codec, rate=25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "rgb8" if suffix == ".gif" else "yuv420p"
            for index in range(30):
                film.mux(stream.encode(av.VideoFrame.from_ndarray(mark_picture(index).image, format="bgr24")))
            film.mux(stream.encode())
        assert len(list(open_input(str(path)).frames())) == 30, suffix


def test_an_address_does_not_read_this_machine(folder: Path) -> None:
    with web(folder) as port, pytest.raises(InputError):
        open_input(f"http://127.0.0.1:{port}/clip.m3u8")


def test_playlist_over_https_is_refused(folder: Path) -> None:
    """FFmpeg checks the certificate of the playlist, but not those of the addresses in it."""
    with web(folder) as port:
        front = Front(certificate(folder, "127.0.0.1"), port)
        with pytest.raises(InputError, match="playlist"):
            open_input(
                f"https://127.0.0.1:{front.port}/near.m3u8", InputRequest(tls_ca=str(folder / "127.0.0.1.pem"))
            )
        front.close()


def test_a_playlist_behind_http_plays(folder: Path) -> None:
    """Without encryption nothing is promised, and nothing lost."""
    with web(folder) as port:
        assert len(list(open_input(f"http://127.0.0.1:{port}/near.m3u8").frames())) == 30
