"""A stream that sends a picture without end is cut off before it fills the memory."""

from __future__ import annotations

import base64
import io
import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import av
import numpy as np
import pytest

from rtswap.core.errors import InputError
from rtswap.media import flood
from rtswap.media.inputs.stream import NetworkStream

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a connection received")
PART = 60_000


def units() -> list[bytes]:
    """The parts of a film of H.264: parameters, and pictures of 128x96."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="h264") as container:
        video = container.add_stream("libx264", rate=25, options={"tune": "zerolatency"})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        for index in range(5):
            picture = np.full((96, 128, 3), 50 + 20 * index, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(video.encode())
    return [unit for unit in re.split(rb"\0\0\0?\x01", buffer.getvalue()) if unit]


def play_rtsp(handler: StreamRequestHandler, good: int) -> None:
    """Answer a player, send ``good`` films, and then one picture in endless parts."""
    film = units()
    sets = ",".join(base64.b64encode(unit).decode() for unit in film if unit[0] & 31 in (7, 8))
    about = f"packetization-mode=1;sprop-parameter-sets={sets}"
    sdp = f"v=0\r\ns=x\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 {about}\r\na=control:1\r\n"
    while first := handler.rfile.readline():
        number = b"1"
        while (line := handler.rfile.readline()) not in (b"\r\n", b""):
            number = line.partition(b":")[2].strip() if line.lower().startswith(b"cseq:") else number
        body = sdp.encode() if first.startswith(b"DESCRIBE") else b""
        more = b"Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nContent-Type: application/sdp\r\n"
        handler.wfile.write(
            b"RTSP/1.0 200 OK\r\nCSeq: %s\r\n%sContent-Length: %d\r\n\r\n" % (number, more, len(body))
        )
        handler.wfile.write(body)
        if first.startswith(b"PLAY"):
            break
    sent = 0

    def send(payload: bytes, at: int) -> None:
        nonlocal sent
        sent += 1
        packet = struct.pack(">BBHII", 0x80, 96, sent & 0xFFFF, at, 7) + payload
        handler.wfile.write(b"$\0" + struct.pack(">H", len(packet)) + packet)

    for index, unit in enumerate(film * good):
        send(unit, 3600 * index)
        time.sleep(0.01)
    send(bytes([0x7C, 0x85]) + bytes(PART), 10_000_000)
    while True:
        send(bytes([0x7C, 0x05]) + b"\x88" * PART, 10_000_000)


def play_rtmp(handler: StreamRequestHandler, good: int) -> None:
    """Shake hands, and send endless notices."""
    hello = handler.rfile.read(1537)
    handler.wfile.write(b"\3" + bytes(8) + os.urandom(1528) + hello[1:])
    handler.wfile.write(b"\2\0\0\0\0\0\4\1\0\0\0\0\x7f\xff\xff\xff")  # chunks of any size
    while True:
        handler.wfile.write(b"\4\0\0\0\xff\xff\xff\x12\1\0\0\0" + b"\2\0\0" * 5_592_405)


@contextmanager
def server(play: Callable[[StreamRequestHandler, int], None], good: int = 0) -> Iterator[int]:
    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                play(self, good)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


@pytest.mark.parametrize("kind", ["rtsp", "rtmp"])
def test_a_picture_without_an_end_is_given_up(kind: str) -> None:
    with server({"rtsp": play_rtsp, "rtmp": play_rtmp}[kind]) as port:
        handles = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(InputError, match=r"^cannot open rt[a-z]+://.*; got more than 64 MB without a picture"):
            NetworkStream(f"{kind}://127.0.0.1:{port}/live/x", on_event=lambda event: None)
        assert len(list(Path("/proc/self/fd").iterdir())) <= handles + 2, "the server's own end may still be open"


def test_one_after_good_pictures_is_told_and_the_stream_opened_again() -> None:
    events: list[str] = []
    with server(play_rtsp, good=30) as port:
        stream = NetworkStream(f"rtsp://127.0.0.1:{port}/x", on_event=events.append, wait=lambda _: stream.close())
        frames = list(stream.frames())
    assert len(frames) >= 30
    assert any(event.endswith(flood.TOLD) for event in events), events


def test_other_connections_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were there before, and those that others have made to this process."""
    monkeypatch.setattr(flood, "MOST_BYTES", 1 << 16)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        early = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
        watch = flood.Flood()
        watch.begin_read()
        late = socket.create_connection(listening.getsockname())
        late_far, _ = listening.accept()
        for sender, receiver in ((far, early), (early, far), (late, late_far)):
            threading.Thread(target=sender.sendall, args=(bytes(1 << 20),), daemon=True).start()
            left = 1 << 20
            while left and (data := receiver.recv(left)):
                left -= len(data)
            assert not left
        time.sleep(0.2)
        assert not watch.cut
        watch.close()
        for one in (early, far, late, late_far):
            one.close()
