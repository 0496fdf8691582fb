"""Broadcasting: rtmp, rtsp, udp and the like, with as little delay as the protocol allows."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time

import av
import av.container

from rtswap.errors import OutputError, UsageError
from rtswap.outputs.encoding import VideoEncoder, encoder_name
from rtswap.quiet import quiet_ffmpeg
from rtswap.types import MarkedImage
from rtswap.urls import redact, scheme

FORMATS = {
    "rtmp": "flv",
    "rtmps": "flv",
    "rtmpt": "flv",
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "udp": "mpegts",
    "tcp": "mpegts",
    "srt": "mpegts",
    "rtp": "rtp_mpegts",
}
"""URL scheme -> the container that is usual in it."""
_OPTIONS = {
    "flv": {"flvflags": "no_duration_filesize"},
    "rtsp": {"rtsp_transport": "tcp"},
    "mpegts": {"muxdelay": "0", "muxpreload": "0"},
}
CONNECT_S = 10.0
STALL_S = 5.0
"""A receiver that takes nothing for so long is gone."""
_END_S = 3.0
_WAITING = 64
"""Packets that may wait for the network: two seconds."""


class NetworkOutput:
    """An Output to a URL. Connects at the first picture; raises OutputError when that fails or the connection breaks.

    Pictures are encoded here; another process (relay.py) connects and sends. Times count from the first picture's
    ``captured_at``. Nothing secret of the URL appears in messages.
    """

    def __init__(self, url: str, *, fps: float, codec: str = "h264", crf: int | None = None) -> None:
        quiet_ffmpeg()
        self._url, self._fps, self._crf = url, fps, crf
        self._format = FORMATS.get(scheme(url), "")
        if not self._format:
            known = ", ".join(f"{name}://" for name in FORMATS)
            raise UsageError(f"cannot broadcast to {redact(url)}", expected=known, got=f"{scheme(url)}://")
        self._encoder_name = encoder_name(codec)
        self._relay: Relay | None = None
        self._container: av.container.OutputContainer | None = None
        self._encoder: VideoEncoder | None = None
        self._zero_s = 0.0
        self._done = False
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return redact(self._url)

    def send(self, image: MarkedImage) -> None:
        with self._lock:
            if self._done:
                raise OutputError(f"{self.name} is closed", got="another picture")
            try:
                self._send(image)
            except (OSError, ValueError, av.FFmpegError) as error:
                self._done = True
                reason = (self._relay.end(at_once=True) if self._relay else "") or _reason(error)
                self._drop()
                do = "Check the address and that it is listening."
                raise OutputError(f"cannot send to {self.name}", got=reason, do=do) from None

    def close(self) -> None:
        """Send what is still held. A receiver that is gone by now is no error."""
        with self._lock:
            if self._done:
                return
            self._done = True
            try:
                if self._encoder is not None and self._container is not None:
                    self._container.mux(self._encoder.finish())
            except (OSError, ValueError, av.FFmpegError):
                pass
            finally:
                self._drop()
                if self._relay is not None:
                    self._relay.end(at_once=False)

    def _send(self, image: MarkedImage) -> None:
        first = self._encoder is None
        if self._encoder is None or self._container is None:
            options = {"flush_packets": "1"} | _OPTIONS.get(self._format, {})
            self._relay = Relay(json.dumps({"url": self._url, "format": self._format, "options": options}))
            self._container = av.open(self._relay, "w", format="nut", options={"flush_packets": "1"})
            self._zero_s = image.captured_at
            self._encoder = VideoEncoder(
                self._container, image.image, encoder=self._encoder_name, fps=self._fps, live=True, crf=self._crf
            )
        self._container.mux(self._encoder.encode(image.image, image.captured_at - self._zero_s))
        if first and self._relay is not None:
            self._relay.wait_until_connected(CONNECT_S)

    def _drop(self) -> None:
        try:
            if self._container is not None:
                self._container.close()
        except (OSError, ValueError, av.FFmpegError):
            pass  # the end cannot be told to a receiver that is gone
        finally:
            self._container = self._encoder = None


class Relay:
    """The sending process, as a file that PyAV writes to. Raises OSError where it fails or stalls."""

    def __init__(self, job: str) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "rtswap.outputs.relay"]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        self._queue: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._connected = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._feed, self._listen)]
        self._queue.put(job.encode() + b"\n")
        for thread in self._threads:
            thread.start()

    def write(self, data: bytes) -> int:
        if self._process.poll() is not None:
            raise BrokenPipeError("the connection broke")
        try:
            self._queue.put(bytes(data), timeout=STALL_S)
        except queue.Full:
            raise TimeoutError(f"nothing was taken for {STALL_S:g} s") from None
        return len(data)

    def wait_until_connected(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while not self._connected.wait(0.02):
            if self._process.poll() is not None:
                raise ConnectionError("not connected")
            if time.perf_counter() > until:
                raise TimeoutError(f"no answer within {seconds:g} s")

    def end(self, *, at_once: bool) -> str:
        """Let it send the rest, or kill it. What it said went wrong, in a line; empty if nothing."""
        try:
            self._queue.put(None, timeout=0 if at_once else _END_S)
            self._process.wait(0.2 if at_once else _END_S)
        except (queue.Full, subprocess.TimeoutExpired):
            pass
        failed = self._process.poll() not in (None, 0)
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(1)
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode(errors="replace").strip() if failed else ""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        return said.splitlines()[-1] if said else ""

    def _feed(self) -> None:
        assert self._process.stdin is not None
        handle = self._process.stdin.fileno()
        try:
            while (data := self._queue.get()) is not None:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
            self._process.stdin.close()
        except OSError:
            return  # it has ended; the next write says so

    def _listen(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline() == b"ready\n":
            self._connected.set()


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
