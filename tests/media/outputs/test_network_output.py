"""Pictures really arrive at a listener on the loopback, in order and soon; failures are one line without secrets."""

from __future__ import annotations

import socket
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from listener import Listener, free_port
from media_files import mark_picture

from rtswap.core.errors import OutputError, UsageError
from rtswap.core.parts import OutputRequest
from rtswap.core.types import MarkedImage
from rtswap.media.outputs import stream
from rtswap.media.outputs.stream import NetworkOutput


def broadcast(url: str, listener: Listener, *, count: int = 75) -> NetworkOutput:
    output = NetworkOutput(url, OutputRequest(fps=25))
    for index in range(count):
        output.send(mark_picture(index, (128, 96)))
        time.sleep(0.01)
    output.close()
    output.close()
    listener.finish()
    return output


def test_rtmp() -> None:
    url = f"rtmp://127.0.0.1:{free_port(socket.SOCK_STREAM)}/live/geheim"
    listener = Listener(url, {"listen": "1"})
    output = broadcast(url, listener)
    assert listener.numbers == list(range(75))
    assert listener.times == pytest.approx([i / 25 for i in range(75)], abs=2e-3)
    assert "geheim" not in output.name


def test_udp() -> None:
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    listener = Listener(url, {})
    broadcast(url, listener)
    assert listener.numbers[-40:] == list(range(35, 75))
    steps = [b - a for a, b in pairwise(listener.times)]
    assert steps == pytest.approx([0.04] * len(steps), abs=2e-3)


def test_a_picture_is_sent_at_once() -> None:
    """No look-ahead, no B-frames: the datagrams leave within ``send``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        output = NetworkOutput(f"udp://127.0.0.1:{receiver.getsockname()[1]}", OutputRequest(fps=25))
        for index in range(10):
            output.send(mark_picture(index, (320, 240)))
            assert wait_for_data(receiver, 1.0 if index == 0 else 0.2), f"picture {index} was held back"
        output.close()


def wait_for_data(receiver: socket.socket, seconds: float = 0.2) -> int:
    """Bytes that arrive within the time; UDP's own sending thread needs a moment."""
    size, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until and not size:
        try:
            while True:
                size += len(receiver.recv(65536))
        except BlockingIOError:
            time.sleep(0.002)
    return size


@pytest.mark.parametrize(
    "url",
    ["rtmp://u:geheim@127.0.0.1:{port}/live/geheim", "tcp://127.0.0.1:{port}", "rtsp://u:geheim@127.0.0.1:{port}/x"],
)
def test_nobody_listens(url: str) -> None:
    output = NetworkOutput(url.format(port=free_port(socket.SOCK_STREAM)), OutputRequest(fps=25))
    with pytest.raises(OutputError, match="cannot send to") as error:
        output.send(mark_picture(0))
    assert "geheim" not in str(error.value)
    assert "\n" not in str(error.value)
    output.close()


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp"])
def test_a_server_that_accepts_and_is_silent_freezes_nothing(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other threads go on, and after the time limit there is an error."""
    monkeypatch.setattr(stream, "CONNECT_S", 1.5)
    beats: list[float] = []
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.02):
            beats.append(time.perf_counter())

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        output = NetworkOutput(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/live/x", OutputRequest(fps=25))
        thread = threading.Thread(target=beat)
        thread.start()
        began = time.perf_counter()
        with pytest.raises(OutputError, match="no answer within"):
            output.send(mark_picture(0))
        took = time.perf_counter() - began
        stop.set()
        thread.join()
        output.close()
    assert took < 15
    assert max(b - a for a, b in pairwise(beats)) < 0.9


def test_a_receiver_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STALL_S", 0.5)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        output = NetworkOutput(f"tcp://127.0.0.1:{server.getsockname()[1]}", OutputRequest(fps=25, crf=1))
        with pytest.raises(OutputError, match="no data accepted"):
            send_noise(output)
        output.close()


def send_noise(output: NetworkOutput) -> None:
    rng = np.random.default_rng(0)
    for index in range(500):
        output.send(MarkedImage(rng.integers(0, 255, (480, 640, 3), np.uint8), index, index / 25))


def test_the_receiver_goes_away() -> None:
    """The output says so, once; sending on is refused, closing is harmless."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        output = NetworkOutput(f"tcp://127.0.0.1:{server.getsockname()[1]}", OutputRequest(fps=25))
        output.send(mark_picture(0, (640, 480)))
        connection, _ = server.accept()
        connection.close()
        with pytest.raises(OutputError, match="cannot send to"):
            send_until_it_fails(output)
        with pytest.raises(OutputError, match="closed"):
            output.send(mark_picture(3))
        output.close()


def send_until_it_fails(output: NetworkOutput) -> None:
    for index in range(1, 300):
        output.send(mark_picture(index % 1000, (640, 480)))
        time.sleep(0.002)


def test_unknown_scheme() -> None:
    with pytest.raises(UsageError, match="rtmp://"):
        NetworkOutput("gopher://u:geheim@host/x", OutputRequest(fps=25))


@pytest.mark.parametrize("url", ["udp://127.0.0.1", "udp://127.0.0.1:0", "tcp://host/x", "rtp://127.0.0.1:x"])
def test_an_address_to_which_nothing_can_be_sent(url: str) -> None:
    with pytest.raises(UsageError, match=f"no port in {url[:6]}.*Add the receiver's port, such as {url[:3]}://"):
        NetworkOutput(url, OutputRequest())


@pytest.mark.parametrize(
    ("url", "codec"),
    [
        ("udp://127.0.0.1:1", "vp9"),
        ("rtsp://127.0.0.1/a", "av1"),
        ("rtmp://127.0.0.1/a", "mjpeg"),
        ("tcp://h:1", "gif"),
    ],
)
def test_a_codec_that_no_stream_carries_is_refused_before_anything_runs(url: str, codec: str) -> None:
    """The address and the server were blamed, after the first frame."""
    scheme = url.partition(":")[0]
    with pytest.raises(UsageError, match=f"{scheme}:// streams cannot carry {codec}; expected h264, hevc, mpeg4"):
        NetworkOutput(url, OutputRequest(fps=25, codec=codec))


def test_unknown_codec() -> None:
    with pytest.raises(UsageError, match="unknown video codec"):
        NetworkOutput("udp://127.0.0.1:1", OutputRequest(fps=25, codec="nonsense"))
