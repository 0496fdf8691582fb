"""Open media with FFmpeg, restricted to self-contained formats and to HLS playlists. rtswap itself opens what is on
the web and what playlists name.

A playlist, a file list or a session description refers to other files and hosts, which FFmpeg would open as well: an
untrusted ``clip.m3u8`` could show any video on the disk. FFmpeg detects the format by content, not by file name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av
import av.container
from av.codec.hwaccel import HWAccel

from rtswap.core.errors import reason
from rtswap.core.interrupts import Interrupts
from rtswap.core.urls import scheme
from rtswap.media.allocations import limit_allocations
from rtswap.media.mp4_tables import refuse_many_samples
from rtswap.media.playlists import FolderPlaylist, Opener, is_playlist
from rtswap.media.tls import authorities, with_verification
from rtswap.media.web_files import WebFiles
from rtswap.vision.images import MAX_PIXELS

_SELF_CONTAINED = (
    "mov mp4 m4a 3gp 3g2 mj2 matroska webm avi mpegts mpeg mpegvideo m4v flv live_flv ogg asf gif apng nut mxf ivf "
    "dv rm h264 hevc vvc av1 obu mjpeg mpjpeg yuv4mpegpipe wtv webp_anim "
    "png_pipe jpeg_pipe webp_pipe bmp_pipe tiff_pipe gif_pipe "
    "mp3 aac wav w64 flac aiff caf ac3 eac3 dts truehd amr au"
)
OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
"""A connection that delivers no packet for this long is considered lost."""
_TIMEOUT = OPEN_TIMEOUT_S, READ_TIMEOUT_S
TEXT = ("tty", "bin", "xbin", "adf", "idf")
"""Text formats, allowed so that a text file can be reported as such."""
_FORMATS = ",".join((*_SELF_CONTAINED.split(), *TEXT, "rtsp", "rtp"))
_PROTOCOLS = (
    "rtsp",
    "rtsps",
    "tls",
    "tcp",
    "udp",
    "udplite",
    "rtp",
    "srtp",
    "rtmp",
    "rtmps",
    "rtmpe",
    "ffrtmpcrypt",
    "srt",
)
RELAY = "Let FFmpeg pass it on: ffmpeg -i ADDRESS -c copy -f mpegts udp://127.0.0.1:5000"
LOGIN = "Write the login into the address, NAME:PASSWORD@ before the host, and %40 for an @ in the password."
NAMES_OTHERS = "a kind of file that rtswap does not read, or a list of other files"
MOST_TRACKS = 250
"""Subtitles and fonts included; a decoder of each takes 1 MB or more."""
_LIMITS = {"max_pixels": str(MAX_PIXELS), "max_streams": str(MOST_TRACKS)}
_HLS = {
    "format_whitelist": ",".join(("hls", "webvtt", *_SELF_CONTAINED.split())),
    "protocol_whitelist": "data",
    "allowed_extensions": "ALL",  # `Opener` decides what may be opened
    "extension_picky": "0",
    "http_persistent": "0",
    "http_multiple": "0",
    **_LIMITS,
}
BeginRead = Callable[[], None]


class Media(NamedTuple):
    """An opened file or address."""

    container: av.container.InputContainer
    begin_read: BeginRead
    """To be called before each read."""
    ends: bool
    """Whether it is known to end, as a file does and a live stream does not."""


WEB = ("http", "https")


def open_media(
    address: str,
    *,
    tls_ca: str | None = None,
    options: dict[str, str] | None = None,
    timeout: tuple[float, float] | None = None,
    hwaccel: HWAccel | None = None,
) -> Media:
    """Open a local file, by its absolute path, or a URL. ``timeout``: seconds for opening and for each read. Raises
    OSError, ValueError and FFmpegError.

    A file reads only itself and opens no connections. A URL reads no local files, and certificates are verified.
    """
    limit_allocations()
    formats = {"format_whitelist": _FORMATS} | _LIMITS | (options or {})
    if scheme(address) in WEB:
        files = WebFiles(address, authorities=authorities(tls_ca), limit_s=(timeout or _TIMEOUT)[0])
        container = _open_through(files, formats, hls=files.is_playlist, timeout=timeout)
        ends = bool(container.duration) or files.ends
        return Media(container, lambda: files.begin((timeout or _TIMEOUT)[1]), ends)
    if not scheme(address) and is_playlist(Path(address)):
        container = _open_through(FolderPlaylist(Path(address)), formats, hls=True, hwaccel=hwaccel)
        return Media(container, _nothing, True)
    if scheme(address) not in ("", *_PROTOCOLS):
        raise UnreadProtocol(f"{scheme(address)}, a protocol that rtswap does not read")
    protocols = ",".join(_PROTOCOLS) if scheme(address) else "file"
    direct = formats | {"protocol_whitelist": protocols} | with_verification(address, tls_ca)
    if not scheme(address):
        refuse_many_samples(Path(address))
        direct |= _shared_pixels(address, direct)
    container = av.open(address, options=direct, timeout=timeout, metadata_errors="ignore", hwaccel=hwaccel)
    return Media(container, _nothing, not scheme(address))


def _open_through(
    opener: Opener,
    options: dict[str, str],
    *,
    hls: bool,
    timeout: tuple[float, float] | None = None,
    hwaccel: HWAccel | None = None,
) -> av.container.InputContainer:
    with Interrupts() as held:
        container = av.open(
            opener.address,
            format="hls" if hls else None,
            io_open=opener,
            options=_HLS if hls else options,
            timeout=timeout and (timeout[0], timeout[1] * 6),
            metadata_errors="ignore",
            hwaccel=hwaccel,
        )
    if held.count:
        container.close()  # PyAV corrupts the memory where a container that reads through Python is dropped open
        raise KeyboardInterrupt
    opener.playing()
    return container


def _shared_pixels(path: str, options: dict[str, str]) -> dict[str, str]:
    """The option by which FFmpeg decodes no more of a file to get to know it than one picture may have: it begins all
    its video tracks, and keeps their pictures. It is asked for their number first, which decodes nothing. Raises
    ValueError for too many tracks."""
    shallow = options | {"max_pixels": "1", "analyzeduration": "1", "max_streams": "1000"}
    with av.open(path, options=shallow, metadata_errors="ignore") as container:
        if len(container.streams) > MOST_TRACKS:
            raise ValueError(f"more than {MOST_TRACKS} tracks")
        return {"max_pixels": str(MAX_PIXELS // max(1, len(container.streams.video)))}


def _nothing() -> None:
    """FFmpeg itself limits the time of a read."""


class UnreadProtocol(ValueError):
    """An address with a protocol that rtswap does not read."""


def advice(error: Exception, usual: str) -> str:
    """Return what to do about an address that FFmpeg could not open."""
    if isinstance(error, av.error.HTTPUnauthorizedError) or str(error) == "HTTP 401":
        return LOGIN
    return RELAY if isinstance(error, UnreadProtocol | av.error.ProtocolNotFoundError) else usual


def cause(error: Exception) -> str:
    """Return why FFmpeg could not open or read an address, in one line. It reports a time limit as a request to
    exit."""
    if isinstance(error, av.error.ExitError):
        return "no answer in time"
    if isinstance(error, av.error.ProtocolNotFoundError):
        return "a protocol that the installed PyAV lacks"
    return NAMES_OTHERS if isinstance(error, av.error.ArgumentError) else reason(error)
