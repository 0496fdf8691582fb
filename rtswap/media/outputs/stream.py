"""Network stream output: rtmp, rtsp, udp, ..., with low latency."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from typing import IO

import av
import av.container

from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.isolation import python
from rtswap.core.native_logs import quiet_ffmpeg
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.types import MarkedImage
from rtswap.core.urls import port, redact, scheme
from rtswap.media.encoding import VideoEncoder, check_quality, encoder_name
from rtswap.media.tls import hint, with_verification

FORMATS = {
    "rtmp": "flv",
    "rtmps": "flv",
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "udp": "mpegts",
    "tcp": "mpegts",
    "srt": "mpegts",
    "rtp": "rtp_mpegts",
}
"""URL scheme -> FFmpeg's container format for it."""
_CARRIED = {"flv": ("h264", "hevc", "mpeg4"), "": ("h264", "hevc", "mpeg4", "mjpeg")}
"""Container format, empty for all others -> the codecs that it holds and that the relay can pass on."""
_NEEDS_PORT = ("mpegts", "rtp_mpegts")
"""Formats whose protocols have no usual port: FFmpeg sends to none, without an error."""
_OPTIONS = {
    "flv": {"flvflags": "no_duration_filesize"},
    "rtsp": {"rtsp_transport": "tcp"},
    "mpegts": {"muxdelay": "0", "muxpreload": "0"},
}
CONNECT_S = 10.0
STALL_S = 5.0
"""A receiver that accepts no data for this long is considered lost."""
_END_S = 3.0
_DYING_S = 0.2
_PAUSE_S = 0.002


class NetworkOutput:
    """Output to a URL. Connects at the first frame; raises OutputError if that fails or the connection breaks.

    Frames are encoded here; a child process (relay.py) connects and sends. Timestamps count from the first frame's
    ``captured_at``. Messages show the URL without secrets.
    """

    def __init__(self, url: str, request: OutputRequest) -> None:
        quiet_ffmpeg()
        self._url, self._request = url, request
        self._format = FORMATS.get(scheme(url), "")
        if not self._format:
            known = ", ".join(f"{name}://" for name in FORMATS if name != "srt")  # PyAV's wheels lack it
            raise UsageError(f"cannot stream to {redact(url)}", expected=known, got=f"{scheme(url)}://")
        if self._format in _NEEDS_PORT and not port(url):
            do = f"Add the receiver's port, such as {scheme(url)}://host:5000."
            raise UsageError(f"no port in {redact(url)}", do=do)
        self._tls = with_verification(url, request.tls_ca)
        self._encoder_name = encoder_name(request.codec)
        codec = av.Codec(self._encoder_name, "w").canonical_name
        if codec not in (carried := _CARRIED["flv" if self._format == "flv" else ""]):
            what = f"{scheme(url)}:// streams cannot carry {codec}"
            raise UsageError(what, expected=", ".join(carried), do="Change --codec.")
        check_quality(self._encoder_name, request.crf, request.bitrate)
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
                raise OutputError(f"{self.name} is closed", got="another frame")
            try:
                self._send(image)
            except (OSError, ValueError, av.FFmpegError) as error:
                self._done = True
                got = (self._relay.end(at_once=True) if self._relay else "") or reason(error)
                self._drop()
                do = hint(self._url, "Check the address and that the server is listening.")
                raise OutputError(f"cannot send to {self.name}", got=got, do=do) from None

    def close(self) -> None:
        """Send the remaining packets. A lost receiver is not an error here."""
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
            job = {"url": self._url, "format": self._format, "options": options, "tls": self._tls}
            self._relay = Relay(json.dumps(job))
            self._container = av.open(self._relay, "w", format="nut", options={"flush_packets": "1"})
            self._zero_s = image.captured_at
            self._encoder = VideoEncoder(
                self._container,
                image.image,
                encoder=self._encoder_name,
                fps=self._request.fps,
                live=True,
                crf=self._request.crf,
                bitrate=self._request.bitrate,
            )
        self._container.mux(self._encoder.encode(image.image, image.captured_at - self._zero_s, image.least_scale))
        if first and self._relay is not None:
            self._relay.wait_until_connected(CONNECT_S)

    def _drop(self) -> None:
        try:
            if self._container is not None:
                self._container.close()
        except (OSError, ValueError, av.FFmpegError):
            pass  # the receiver is gone
        finally:
            self._container = self._encoder = None


class Relay:
    """The sending child process, as a file object that PyAV writes to. Raises OSError if it fails or stalls.

    It needs no thread, since the pipes are non-blocking (not on Windows before Python 3.12, where a stalled receiver
    blocks this output, but no other).
    """

    def __init__(self, job: str) -> None:
        command = python("from rtswap.media.relay import main; sys.exit(main())")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        self._in, self._out, self._err = (
            _open(p) for p in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        self._polls = _unblock(self._in.fileno()) and _unblock(self._out.fileno())
        self.write(job.encode() + b"\n")

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        until = time.perf_counter() + STALL_S
        while view:
            try:
                view = view[os.write(self._in.fileno(), view) :]
            except BlockingIOError:
                self._wait(until, f"no data accepted for {STALL_S:g} s")
        return len(data)

    def wait_until_connected(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while self._polls:
            try:
                if os.read(self._out.fileno(), 16):
                    return
                raise ConnectionError("not connected")
            except BlockingIOError:
                self._wait(until, f"no answer within {seconds:g} s")

    def _wait(self, until: float, what: str) -> None:
        if self._process.poll() is not None:
            raise BrokenPipeError("connection lost")
        if time.perf_counter() > until:
            raise TimeoutError(what)
        time.sleep(_PAUSE_S)

    def end(self, *, at_once: bool) -> str:
        """Wait for the rest to be sent, or kill the process. Returns its error in one line; empty if none."""
        try:
            self._in.close()
            self._process.wait(_DYING_S if at_once else _END_S)
        except (OSError, subprocess.TimeoutExpired):
            pass
        failed = self._process.poll() not in (None, 0)
        self._process.kill()
        self._process.wait()
        said = self._err.read().decode(errors="replace").split("\n") if failed else []
        self._out.close()
        self._err.close()
        return next((line.strip() for line in reversed(said) if line.strip()), "")


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe


def _unblock(handle: int) -> bool:
    try:
        os.set_blocking(handle, False)
    except (AttributeError, OSError):
        return False
    return True


SPEC = OutputSpec("stream", "URL", lambda address: bool(scheme(address)), NetworkOutput, NetworkOutput)
