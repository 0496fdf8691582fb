"""Real connections over the loopback: what arrives is decoded, what breaks is mended, secrets stay secret."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import av
import numpy as np
import pytest
from listener import free_port
from media_files import all_numbers, make_clip, number_of, numbered_picture
from web_servers import serve_folder

from rtswap.core.errors import InputError
from rtswap.core.urls import redact, scheme
from rtswap.media.inputs.stream import NetworkStream


class Sender(threading.Thread):
    """Sends numbered frames to a URL in real time until stopped."""

    def __init__(self, url: str, container_format: str, *, listen: bool = False, count: int = 10_000) -> None:
        super().__init__(daemon=True)
        self.url, self.format, self.listen, self.count = url, container_format, listen, count
        self.stop = threading.Event()
        self.start()

    def run(self) -> None:
        options = {"listen": "1"} if self.listen else {}
        try:
            with av.open(self.url, "w", format=self.format, options=options) as container:
                stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5"})
                stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
                for i in range(self.count):
                    if self.stop.is_set():
                        break
                    frame = av.VideoFrame.from_ndarray(numbered_picture(i % 1000, (128, 96)), format="bgr24")
                    frame.pts, frame.time_base = i, Fraction(1, 25)
                    container.mux(stream.encode(frame))
                    time.sleep(0.01)
        except OSError:
            return

    def end(self) -> None:
        self.stop.set()
        self.join(5)


@pytest.fixture
def udp_url() -> str:
    return f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"


class _NeedsLogin(StreamRequestHandler):
    """A camera that answers everything with 401."""

    def handle(self) -> None:
        while first := self.rfile.readline():
            number = b"1"
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                number = line.partition(b":")[2].strip() if line.lower().startswith(b"cseq:") else number
            protocol = b"RTSP/1.0" if b"RTSP" in first else b"HTTP/1.1"
            realm = b'WWW-Authenticate: Basic realm="camera"'
            self.wfile.write(b"%s 401 Unauthorized\r\nCSeq: %s\r\n%s\r\n" % (protocol, number, realm))
            self.wfile.write(b"Content-Length: 0\r\n\r\n")


@pytest.mark.parametrize("kind", ["rtsp", "http"])
def test_a_camera_that_asks_for_a_login_is_told_from_one_that_is_off(kind: str) -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), _NeedsLogin) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"{kind}://127.0.0.1:{server.server_address[1]}/live"
        with pytest.raises(InputError, match=r"401.*Write the login into the address, NAME:PASSWORD@ before"):
            NetworkStream(url, on_event=lambda event: None)
        server.shutdown()


def test_udp_is_live_and_in_order(udp_url: str) -> None:
    sender = Sender(udp_url, "mpegts")
    events: list[str] = []
    stream = NetworkStream(udp_url, on_event=events.append, open_timeout_s=10, read_timeout_s=2)
    assert stream.info.live
    assert (stream.info.width, stream.info.height) == (128, 96)
    numbers, indices = [], []
    for frame in stream.frames():
        numbers.append(number_of(frame.image))
        indices.append(frame.index)
        assert frame.time_s is None
        assert frame.image.flags.writeable
        if len(numbers) == 30:
            break
    sender.end()
    stream.close()
    assert indices == list(range(30))
    assert numbers[5:] == list(range(numbers[5], numbers[5] + 25))


def test_a_broken_stream_is_connected_again(udp_url: str) -> None:
    events: list[str] = []
    waits: list[float] = []
    sender = Sender(udp_url, "mpegts")

    def wait(seconds: float) -> None:
        nonlocal sender
        waits.append(seconds)
        if len(waits) == 2:
            sender = Sender(udp_url, "mpegts")

    stream = NetworkStream(udp_url, on_event=events.append, open_timeout_s=1, read_timeout_s=0.5, wait=wait)
    frames = stream.frames()
    for _ in range(5):
        next(frames)
    sender.end()
    last = 0
    while len(waits) < 2 or not any("is back" in e for e in events):
        last = next(frames).index
    assert next(frames).index == last + 1
    stream.close()
    sender.end()
    assert waits[:2] == [0.5, 1.0]
    assert any("is lost; retrying in 0.5 s" in e for e in events)


def test_close_from_another_thread_ends_it_within_the_time_limit(udp_url: str) -> None:
    sender = Sender(udp_url, "mpegts")
    stream = NetworkStream(udp_url, on_event=lambda e: None, read_timeout_s=1)
    thread = threading.Thread(target=lambda: [None for _ in stream.frames()])
    thread.start()
    time.sleep(0.2)
    sender.end()
    stream.close()
    thread.join(4)
    assert not thread.is_alive()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    with serve_folder(tmp_path) as address:
        yield address


def test_a_file_served_over_http_is_not_live(tmp_path: Path, web: str) -> None:
    times = make_clip(tmp_path / "film.mkv", 30, audio=True)
    stream = NetworkStream(f"{web}/film.mkv", on_event=lambda e: None)
    assert not stream.info.live
    assert stream.info.audio_path == f"{web}/film.mkv"
    frames = list(stream.frames())
    assert all_numbers(f.image for f in frames) == list(range(30))
    assert [f.time_s for f in frames] == pytest.approx(times, abs=1e-3)


def test_a_film_whose_index_comes_last_needs_a_server_that_sends_parts(tmp_path: Path, web: str) -> None:
    noise = list(np.random.default_rng(7).integers(0, 256, (30, 240, 320, 3), np.uint8))
    make_clip(tmp_path / "film.mp4", noise)  # more than FFmpeg keeps of what it has read
    with pytest.raises(InputError, match=r"Download the file and give that\."):
        NetworkStream(f"{web}/film.mp4", on_event=lambda e: None)


@pytest.mark.parametrize(
    "url",
    [
        "rtmp://user:geheim@127.0.0.1:{port}/live/streamkey",
        "rtsp://user:geheim@127.0.0.1:{port}/cam?token=geheim",
        "http://user:geheim@127.0.0.1:{port}/x.mp4",
        "tcp://127.0.0.1:{port}",
        "nosuch://127.0.0.1:{port}/x",
    ],
)
def test_unreachable_is_one_line_without_secrets(url: str) -> None:
    with pytest.raises(InputError, match="cannot open") as error:
        NetworkStream(url.format(port=free_port()), on_event=lambda e: None, open_timeout_s=3)
    message = str(error.value)
    assert "\n" not in message
    assert "geheim" not in message
    assert "streamkey" not in message
    assert "127.0.0.1" in message


def test_a_web_page_is_not_a_video(tmp_path: Path, web: str) -> None:
    (tmp_path / "page.html").write_text("<html>no film</html>" * 100)
    for page in ("page.html", "missing.mp4"):
        with pytest.raises(InputError, match=page):
            NetworkStream(f"{web}/{page}", on_event=lambda e: None, open_timeout_s=3)


def test_silence_at_the_start_is_an_error_within_the_time_limit(udp_url: str) -> None:
    began = time.perf_counter()
    with pytest.raises(InputError):
        NetworkStream(udp_url, on_event=lambda e: None, open_timeout_s=0.5)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://u:p@cam.local:554/s1", "rtsp://***@cam.local:554/s1"),
        ("rtmp://live.example/app/secret-key", "rtmp://live.example/app/***"),
        ("rtmp://live.example/app", "rtmp://live.example/app"),
        ("srt://h:9000?mode=caller&passphrase=abc", "srt://h:9000?mode=caller&passphrase=***"),
        ("udp://239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://host:notaport/p", "http://***"),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("RTMP://x", "rtmp"), ("C:\\a.mp4", ""), ("C://a.mp4", ""), ("a.mp4", ""), ("0", ""), ("", "")],
)
def test_scheme(spec: str, expected: str) -> None:
    assert scheme(spec) == expected
