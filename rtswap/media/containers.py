"""Open media with FFmpeg, restricted to self-contained formats and to HLS playlists whose files rtswap opens.

A playlist, a file list or a session description refers to other files and hosts, which FFmpeg would open as well: an
untrusted ``clip.m3u8`` could show any video on the disk. FFmpeg detects the format by content, not by file name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import av.container
from av.codec.hwaccel import HWAccel

from rtswap.core.errors import reason
from rtswap.core.urls import scheme
from rtswap.media.playlists import FolderPlaylist, Playlist, WebPlaylist
from rtswap.media.tls import verified

_SELF_CONTAINED = (
    "mov mp4 m4a 3gp 3g2 mj2 matroska webm avi mpegts mpeg mpegvideo m4v flv live_flv ogg asf gif apng nut mxf ivf "
    "dv rm h264 hevc vvc av1 obu mjpeg mpjpeg yuv4mpegpipe wtv webp_anim "
    "png_pipe jpeg_pipe webp_pipe bmp_pipe tiff_pipe gif_pipe "
    "mp3 aac wav w64 flac aiff caf ac3 eac3 dts truehd amr au"
)
OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
"""A connection that delivers no packet for this long is considered lost."""
TEXT = ("tty", "bin", "xbin", "adf", "idf")
"""Text formats, allowed so that a text file can be reported as such."""
_STREAMED = ("rtsp", "rtp")
_FORMATS = ",".join((*_SELF_CONTAINED.split(), *TEXT, *_STREAMED))
_PROTOCOLS = (
    "http,https,tls,tcp,udp,udplite,rtp,srtp,rtmp,rtmps,rtmpt,rtmpts,rtmpe,ffrtmphttp,ffrtmpcrypt,srt,crypto,data"
)
NAMES_OTHERS = "an unsupported format, such as a list of files, which refers to other files"
_HLS = {
    "format_whitelist": ",".join(("hls", "webvtt", *_SELF_CONTAINED.split())),
    "protocol_whitelist": "data",
    "allowed_extensions": "ALL",  # `Playlist` decides what may be opened
    "extension_picky": "0",
    "http_persistent": "0",
    "http_multiple": "0",
}
BeginRead = Callable[[], None]
WEB = ("http", "https")
_LONGER = 6
"""Factor on the read timeout for playlists, whose segments last seconds."""


def open_media(
    address: str,
    *,
    tls_ca: str | None = None,
    options: dict[str, str] | None = None,
    timeout: tuple[float, float] | None = None,
    hwaccel: HWAccel | None = None,
) -> tuple[av.container.InputContainer, BeginRead]:
    """Open a local file, by its absolute path, or a URL. ``timeout``: seconds for opening and for each read. Also
    returns what has to be called before each read of a URL. Raises OSError, ValueError and FFmpegError.

    A file reads only itself and opens no connections. A URL reads no local files, and certificates are verified.
    """
    remote = bool(scheme(address))
    allowed = {"format_whitelist": _FORMATS, "protocol_whitelist": _PROTOCOLS if remote else "file"}
    trust = verified(address, tls_ca)
    try:
        direct = allowed | trust | (options or {})
        return av.open(address, options=direct, timeout=timeout, metadata_errors="ignore", hwaccel=hwaccel), _nothing
    except av.error.ArgumentError as error:
        if remote and scheme(address) not in WEB:
            raise
        refused = error
    playlist = _playlist(address, trust.get("ca_file", ""), timeout)
    open_s, read_s = timeout or (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    try:
        container = av.open(
            playlist.address,
            format="hls",
            io_open=playlist,
            options=_HLS,
            timeout=timeout and (open_s, read_s * _LONGER),
            metadata_errors="ignore",
            hwaccel=hwaccel,
        )
    except av.error.InvalidDataError:
        if playlist.opened > 1:
            raise
        raise refused from None  # no HLS playlist either
    playlist.playing()
    return container, lambda: playlist.begin(read_s * _LONGER)


def _nothing() -> None:
    """FFmpeg itself limits the time of a read."""


def _playlist(address: str, authorities: str, timeout: tuple[float, float] | None) -> Playlist:
    if not scheme(address):
        return FolderPlaylist(Path(address))
    return WebPlaylist(address, authorities=authorities, limit_s=timeout[0] if timeout else OPEN_TIMEOUT_S)


def cause(error: Exception) -> str:
    """Return why FFmpeg could not open or read an address, in one line. It reports a time limit as a request to
    exit."""
    if isinstance(error, av.error.ExitError):
        return "no answer in time"
    if isinstance(error, av.error.ProtocolNotFoundError):
        return "a protocol that the installed PyAV lacks"
    return NAMES_OTHERS if isinstance(error, av.error.ArgumentError) else reason(error)
