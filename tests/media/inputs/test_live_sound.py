"""The sound of a live stream is recorded in step with its pictures; cameras that send JPEG after JPEG are read."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from listener import free_port
from media_files import all_numbers, clicks, number_of, numbered_picture, read_back
from web_servers import QuietHandler, run_server

from rtswap.core.parts import OutputRequest
from rtswap.core.types import MarkedImage
from rtswap.media.inputs import open_input
from rtswap.media.inputs.stream import NetworkStream
from rtswap.media.live_sound import LiveSound
from rtswap.media.outputs.video import VideoWriter

SECONDS = 4.0
FLASH_EVERY = 20
"""Frames, at 25 a second: a white picture and a click at the same time."""


def flashing(index: int) -> np.ndarray:
    return np.full((96, 128, 3), 250 if index % FLASH_EVERY == 10 else 20, np.uint8)


def clicking() -> np.ndarray:
    samples = np.zeros((1, round(SECONDS * 48_000)), np.int16)
    for index in range(10, round(SECONDS * 25), FLASH_EVERY):
        samples[0, index * 1920 : index * 1920 + 480] = np.resize(np.repeat([28_000, -28_000], 24), 480)
    return samples


def send(url: str) -> None:
    samples = clicking()
    with av.open(url, "w", format="mpegts") as container:
        video = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5"})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        sound = container.add_stream("aac", rate=48_000, layout="mono")
        began, at = time.perf_counter(), 0
        for index in range(round(SECONDS * 25)):
            frame = av.VideoFrame.from_ndarray(flashing(index), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
            while at < (index + 1) * 1920:
                heard = av.AudioFrame.from_ndarray(samples[:, at : at + 1024], format="s16", layout="mono")
                heard.sample_rate, heard.pts, heard.time_base = 48_000, at, Fraction(1, 48_000)
                container.mux(sound.encode(heard))
                at += 1024
            time.sleep(max(0.0, began + (index + 1) / 25 - time.perf_counter()))


def test_sound_of_udp_is_recorded_in_step(tmp_path: Path) -> None:
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    threading.Thread(target=send, args=(url,), daemon=True).start()
    stream = NetworkStream(url, on_event=lambda event: None, read_timeout_s=1)
    assert stream.info.live_sound is not None
    writer = VideoWriter(tmp_path / "o.mp4", OutputRequest(fps=25, live=True, live_sound=stream.info.live_sound))
    for frame in stream.frames():
        writer.send(MarkedImage(frame.image, frame.index, frame.captured_at))
        if frame.index == 70:
            break
    stream.close()
    writer.close()
    with av.open(str(tmp_path / "o.mp4")) as container:
        flashes = [float(f.time or 0) for f in container.decode(video=0) if f.to_ndarray(format="gray").mean() > 128]
    heard = clicks(tmp_path / "o.mp4")
    assert len(flashes) >= 3
    nearest = [min(abs(click - flash) for click in heard) for flash in flashes[1:]]
    assert max(nearest) < 0.1, "seconds; a busy machine delivers pictures in bursts"


def heard(samples: np.ndarray, rate: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], format="flt", layout="mono")
    frame.sample_rate = rate
    return frame


def test_sound_that_cannot_be_recorded_does_not_end_the_recording(tmp_path: Path) -> None:
    """A stream that comes back with another rate; samples that are no numbers; one sample a second, which would take
    gigabytes at a usual rate."""
    told: list[str] = []
    sound = LiveSound(told.append)
    writer = VideoWriter(tmp_path / "o.mp4", OutputRequest(fps=10, live=True, live_sound=sound))
    tone = np.sin(np.arange(4800) / 20)
    kinds = [(tone, 48_000)] * 3 + [(tone, 44_100)] * 3 + [(tone * np.nan, 44_100), (np.zeros(60_000), 1)]
    kinds += [(tone, 44_100)] * 8
    for index, kind in enumerate(kinds):
        writer.send(MarkedImage(numbered_picture(index), index, index / 10))
        sound.take(heard(*kind), index / 10)
    writer.close()
    assert len(told) == 1
    assert "the sound is damaged" in told[0]
    assert read_back(tmp_path / "o.mp4")[0] == list(range(len(kinds)))
    with av.open(str(tmp_path / "o.mp4")) as film:
        found = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
    assert float(np.abs(found[-20_000:]).max()) > 0.3, "it goes on"


def test_a_stream_without_sound_has_none(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", OutputRequest(fps=25, live=True, live_sound=None))
    writer.send(MarkedImage(numbered_picture(1), 0, 0.0))
    writer.close()
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert not container.streams.audio


class JpegCamera(QuietHandler):
    """Multipart MJPEG, as network cameras and phones serve it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for index in range(400):
                data = cv2.imencode(".jpg", numbered_picture(index, (128, 96)))[1].tobytes()
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                self.wfile.write(head + data + b"\r\n")
                time.sleep(0.01)
        except OSError:
            return


@pytest.fixture
def camera() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), JpegCamera)
    server.daemon_threads = True
    with run_server(server) as address:
        yield f"{address}/video"


def test_multipart_mjpeg_over_http(camera: str) -> None:
    stream = open_input(camera)
    assert stream.info.live
    assert (stream.info.width, stream.info.height) == (128, 96)
    images = []
    for frame in stream.frames():
        images.append(frame.image)
        if len(images) == 20:
            break
    stream.close()
    numbers = all_numbers(images)
    assert numbers == list(range(numbers[0], numbers[0] + 20))
    assert number_of(images[-1]) > 15


def test_sound_that_is_ahead_of_the_pictures_does_not_fill_the_memory() -> None:
    """A stream could have 2,000 parts kept, of any size."""
    sound = LiveSound(print)
    queue = sound.listen()
    for number in range(40):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 << 20), np.int16), format="s16", layout="stereo")
        frame.sample_rate = 192_000
        sound.take(frame, 1e6 + number)
    assert [at_s for at_s, _ in queue] == [1e6 + number for number in range(24, 40)]
    for number in range(3000):
        sound.take(av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), format="s16", layout="stereo"), number)
    assert len(queue) == 2000
