"""A single video behind http is read as FFmpeg itself would read it: positioned by ranges, with what servers do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_files import all_numbers, make_clip
from web_servers import QuietHandler, run_server, serve

from rtswap.core.errors import InputError
from rtswap.media import web_files
from rtswap.media.inputs.stream import NetworkStream


@contextmanager
def server(
    data: bytes, *, ranges: bool = True, length: bool = True, most: int | None = None
) -> Iterator[tuple[str, list[str]]]:
    """The address of ``data``, and the ranges that were asked for. ``most``: hang up after this many bytes."""
    asked: list[str] = []

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            asked.append(wanted)
            found = re.fullmatch(r"bytes=(\d+)-", wanted) if ranges else None
            first = int(found[1]) if found else 0
            self.send_response(206 if found else 200)
            if ranges:
                self.send_header("Accept-Ranges", "bytes")
            if found:
                self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            if length:
                self.send_header("Content-Length", str(len(data) - first))
            self.end_headers()
            try:
                self.wfile.write(data[first:][:most])
            except OSError:
                return

    with run_server(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        yield f"{address}/film.mp4", asked


def read(url: str) -> list[int]:
    return all_numbers(frame.image for frame in NetworkStream(url, on_event=lambda event: None).frames())


@pytest.fixture(scope="module")
def index_last(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A film whose index comes last, behind 1 MB of pictures."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    make_clip(path, 60, size=(320, 240), audio=True, options={"crf": "0"})
    data = path.read_bytes()
    assert data.index(b"moov") > data.index(b"mdat")
    return data


def test_an_index_at_the_end_is_asked_for(index_last: bytes) -> None:
    gap = bytes([0, 0x10, 0, 8]) + b"free" + bytes(1 << 20)  # more than is read and dropped
    at = index_last.index(b"moov") - 4
    with server(index_last[:at] + gap + index_last[at:]) as (url, asked):
        assert read(url) == list(range(60))
    assert 2 <= len(asked) <= 4


@pytest.mark.parametrize("length", [True, False])
def test_a_server_without_ranges_is_read_from_front_to_back(tmp_path: Path, length: bool) -> None:
    make_clip(tmp_path / "film.mkv", 60, audio=True)
    with server((tmp_path / "film.mkv").read_bytes(), ranges=False, length=length) as (url, asked):
        assert read(url) == list(range(60))
    assert asked == [""]


@pytest.mark.parametrize("length", ["-5", "many", "9" * 40])
def test_a_length_that_makes_no_sense_is_told(length: str) -> None:
    """A picture of a length below 0 was taken for a live stream, and asked for for ever."""
    with (
        serve(lambda path: (200, {"Content-Length": length}, b"\x89PNG")) as address,
        pytest.raises(InputError, match="states a length that is no number"),
    ):
        NetworkStream(f"{address}/face.png", on_event=lambda event: None)


def test_a_connection_that_ends_early_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_clip(tmp_path / "film.mkv", 200, size=(320, 240), options={"crf": "0"})
    data = (tmp_path / "film.mkv").read_bytes()
    broken = server(data, ranges=False, most=len(data) // 2)
    with broken as (url, _), pytest.raises(InputError, match=r"lost the connection .* the connection ended early"):
        read(url)
    broken = server(b"#EXTM3U\n" * 50, ranges=False, most=30)
    with broken as (url, _), pytest.raises(InputError, match="the connection ended early"):
        read(url)
    assert capfd.readouterr().err == "", "PyAV prints errors that are raised twice"


def test_a_picture_behind_http_ends(tmp_path: Path) -> None:
    """It has no duration, and is no live stream that would be connected again and again. Of a large one FFmpeg sees
    no end before it decides, and would go by the name."""
    picture = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    for name in ("face.png", "face.jpg"):
        assert cv2.imwrite(str(tmp_path / name), picture)
        for ranges in (True, False):
            with server((tmp_path / name).read_bytes(), ranges=ranges) as (url, _):
                for address in (url, url.replace("film.mp4", name)):
                    found = NetworkStream(address, on_event=lambda event: None)
                    assert not found.info.live
                    assert [frame.image.shape for frame in found.frames()] == [(480, 640, 3)]


def test_a_picture_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that begins a part of 2 GB took 1.5 GB in the five seconds that it has for a picture."""
    monkeypatch.setattr(web_files, "PICTURE_BYTES", 2 << 20)
    picture = cv2.imencode(".jpg", np.full((240, 320, 3), 90, np.uint8))[1].tobytes()
    head = b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    sent: list[int] = []

    class Camera(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
            self.end_headers()
            with suppress(OSError):
                self.wfile.write((head % len(picture) + picture + b"\r\n") * 5 + head % (2**31 - 9))
                while not sent or sent[-1] < 64 << 20:
                    self.wfile.write(bytes(1 << 16))
                    sent.append((sent[-1] if sent else 0) + (1 << 16))

    told: list[str] = []
    with run_server(ThreadingHTTPServer(("127.0.0.1", 0), Camera)) as address:
        url = f"{address}/camera.mjpeg"
        stream = NetworkStream(url, on_event=told.append, wait=lambda seconds: stream.close())
        assert list(stream.frames())
    assert f"{url}: no picture within 2 MB" in told
    assert sent[-1] < 32 << 20
