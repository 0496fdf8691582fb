"""Which kinds of file FFmpeg may open: those that hold their own content.

A playlist, a list of files or a session description names other files and hosts, which FFmpeg would read as well:
``clip.m3u8`` somebody sent shows any film on the disk. By content, not by name, FFmpeg decides what a file is.
"""

from __future__ import annotations

from rtswap.core.urls import scheme

_SELF_CONTAINED = (
    "mov mp4 m4a 3gp 3g2 mj2 matroska webm avi mpegts mpeg mpegvideo m4v flv live_flv ogg asf gif apng nut mxf ivf "
    "dv rm h264 hevc vvc av1 obu mjpeg yuv4mpegpipe wtv webp_anim "
    "png_pipe jpeg_pipe webp_pipe bmp_pipe tiff_pipe gif_pipe "
    "mp3 aac wav w64 flac aiff caf ac3 eac3 dts truehd amr au"
)
TEXT = ("tty", "bin", "xbin", "adf", "idf")
"""Read, so that it can be told that a file is text."""
_FORMATS = ",".join((*_SELF_CONTAINED.split(), *TEXT))
_PROTOCOLS = (
    "http,https,tls,tcp,udp,udplite,rtp,srtp,rtmp,rtmps,rtmpt,rtmpts,rtmpe,ffrtmphttp,ffrtmpcrypt,srt,crypto,data"
)
NAMES_OTHERS = "a kind that rtswap does not open, such as a playlist, which names other files"


def local() -> dict[str, str]:
    """FFmpeg's options for a file on this machine: it reads this file, and connects to nobody."""
    return {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}


def remote(url: str) -> dict[str, str]:
    """For an address: whatever it sends, no file of this machine is read. Behind https no playlists either: FFmpeg
    does not check the certificates of the addresses in them."""
    only = {"format_whitelist": _FORMATS} if scheme(url) == "https" else {}
    return {"protocol_whitelist": _PROTOCOLS} | only


def of(address: str) -> dict[str, str]:
    """For a path or an address."""
    return remote(address) if scheme(address) not in ("", "file") else local()
