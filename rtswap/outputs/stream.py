"""Broadcasting: rtmp, rtsp, srt, udp and the like, with as little delay as the protocol allows."""

from __future__ import annotations

import threading

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
_COMMON = {"flush_packets": "1"}


class NetworkOutput:
    """An Output to a URL. Connects at the first picture; raises OutputError when that fails or the connection breaks.

    Times count from the first picture's ``captured_at``. Nothing secret of the URL appears in messages.
    """

    def __init__(self, url: str, *, fps: float, codec: str = "h264", crf: int | None = None) -> None:
        quiet_ffmpeg()
        self._url, self._fps, self._crf = url, fps, crf
        self._format = FORMATS.get(scheme(url), "")
        if not self._format:
            known = ", ".join(f"{name}://" for name in FORMATS)
            raise UsageError(f"cannot broadcast to {redact(url)}", expected=known, got=f"{scheme(url)}://")
        self._encoder_name = encoder_name(codec)
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
                if self._encoder is None or self._container is None:
                    self._container = self._connect()
                    self._encoder = self._set_up(self._container, image)
                self._container.mux(self._encoder.encode(image.image, image.captured_at - self._zero_s))
            except (OSError, ValueError, av.FFmpegError) as error:
                self._done = True
                self._drop()
                raise OutputError(
                    f"cannot send to {self.name}",
                    got=_reason(error),
                    do="Check the address and that it is listening.",
                ) from None

    def close(self) -> None:
        """Send what the encoder still holds. A receiver that is gone by now is no error."""
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

    def _connect(self) -> av.container.OutputContainer:
        options = _COMMON | _OPTIONS.get(self._format, {})
        return av.open(self._url, "w", format=self._format, options=options)

    def _set_up(self, container: av.container.OutputContainer, first: MarkedImage) -> VideoEncoder:
        self._zero_s = first.captured_at
        encoder = VideoEncoder(
            container, first.image, encoder=self._encoder_name, fps=self._fps, live=True, crf=self._crf
        )
        container.start_encoding()
        return encoder

    def _drop(self) -> None:
        try:
            if self._container is not None:
                self._container.close()
        except (OSError, ValueError, av.FFmpegError):
            pass  # the trailer cannot be sent to a receiver that is gone
        finally:
            self._container = self._encoder = None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
