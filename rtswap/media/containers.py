"""Restrict FFmpeg to self-contained file formats.

A playlist, a file list or a session description refers to other files and hosts, which FFmpeg would open as well: an
untrusted ``clip.m3u8`` could show any video on the disk. FFmpeg detects the format by content, not by file name.
"""

from __future__ import annotations

import av

from rtswap.core.errors import reason
from rtswap.core.urls import scheme

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
_FORMATS = ",".join((*_SELF_CONTAINED.split(), *TEXT))
_PROTOCOLS = (
    "http,https,tls,tcp,udp,udplite,rtp,srtp,rtmp,rtmps,rtmpt,rtmpts,rtmpe,ffrtmphttp,ffrtmpcrypt,srt,crypto,data"
)
NAMES_OTHERS = "an unsupported format, such as a playlist, which refers to other files"


def local() -> dict[str, str]:
    """Return FFmpeg's options for a local file: it may read only this file and opens no connections."""
    return {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}


def remote(url: str) -> dict[str, str]:
    """Return FFmpeg's options for a URL: it may read no local files. For https playlists are excluded too, because
    FFmpeg does not verify the certificates of the addresses in them."""
    only = {"format_whitelist": _FORMATS} if scheme(url) == "https" else {}
    return {"protocol_whitelist": _PROTOCOLS} | only


def of(address: str) -> dict[str, str]:
    """Return FFmpeg's options for a path or a URL."""
    return remote(address) if scheme(address) not in ("", "file") else local()


def cause(error: Exception) -> str:
    """Return why FFmpeg could not open or read an address, in one line. It reports a time limit as a request to
    exit."""
    if isinstance(error, av.error.ExitError):
        return "no answer in time"
    if isinstance(error, av.error.ProtocolNotFoundError):
        return "a protocol that the installed PyAV lacks"
    return NAMES_OTHERS if isinstance(error, av.error.ArgumentError) else reason(error)
