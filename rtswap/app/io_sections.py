"""The sections of the configuration that concern inputs, outputs and what is printed; see ``sections``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rtswap.app.option_kinds import address, camera_index
from rtswap.app.options import (
    bitrate,
    choice,
    integer,
    moment,
    number,
    option,
    size,
    switch,
    text,
    texts,
)
from rtswap.app.trust import always, leads_away


@dataclass(frozen=True, slots=True)
class InputConfig:
    """Input"""

    address: str = option(
        "0",
        address(),
        "--input",
        "-i",
        help="camera number, video file, image, folder, pattern such as '*.mp4' or 'img_*.png', "
        "or URL (rtsp, rtmp, http, udp)",
        also=[("--cam", camera_index(), "camera number, as listed by `rtswap cameras`")],
        own=leads_away,
    )
    size: tuple[int, int] | None = option(None, size(), "--size", help="size to request from the camera")
    fps: float | None = option(
        None, number("FPS", 1, 1000), "--fps", help="frame rate to request from the camera, or of numbered pictures"
    )
    hwaccel: str = option(
        "none",
        choice("none", "auto", "cuda"),
        "--hwaccel",
        help="decode video files on an NVIDIA GPU: cuda warns when it cannot, auto falls back silently",
    )
    start_s: float = option(0.0, moment(), "--start", help="begin at this time of the file, such as 1:23 or 83.5")
    end_s: float | None = option(None, moment(), "--end", help="end at this time of the file")
    duration_s: float | None = option(None, moment(), "--duration", help="end after this time")

    @property
    def last_s(self) -> float:
        """End of the part to read, in seconds of the input; infinite without ``--end`` and ``--duration``."""
        ends = [math.inf if self.end_s is None else self.end_s]
        return min([*ends, self.start_s + self.duration_s] if self.duration_s is not None else ends)


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Output"""

    to: tuple[str, ...] = option(
        (),
        texts("ADDRESS", "a device, a file or a URL"),
        "--output",
        "-o",
        help="vcam[:name], window, a file (.mp4 .mkv .mov .webm .avi .gif), an image, a folder, a URL, or null; "
        "repeatable. Default: the virtual camera, or else a window",
        own=leads_away,
    )
    codec: str = option(
        "h264",
        text("NAME", "a name"),
        "--codec",
        help="video codec for files and URLs: h264, hevc, av1, vp9, mpeg4, or an FFmpeg encoder such as h264_nvenc",
    )
    crf: int | None = option(
        None, integer("N", 0, 63), "--crf", help="constant quality of the video, lower is better: 18 fine, 28 small"
    )
    bitrate: int | None = option(
        None, bitrate(), "--bitrate", help="average bit rate of the video, such as 4M, instead of --crf"
    )
    no_audio: bool = option(False, switch(), "--no-audio", help="leave out the sound of the input")
    overwrite: bool = option(False, switch(), "--overwrite", "-y", help="overwrite existing output files", own=always)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Connections"""

    tls_ca: str | None = option(
        None,
        text("FILE", "a file"),
        "--tls-ca",
        help="trust only these CA certificates (PEM) for encrypted connections",
        own=always,
    )


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Metrics and log"""

    file: str | None = option(
        None,
        text("FILE", "a file"),
        "--metrics",
        help="append figures to this file every second, as JSON lines; a .prom file is rewritten for Prometheus",
        own=leads_away,
    )
    log: str | None = option(
        None,
        text("FILE", "a file"),
        "--log",
        help="append messages, errors and the summary to this file, with the time",
        own=leads_away,
    )


@dataclass(frozen=True, slots=True)
class ConsoleConfig:
    """Console"""

    json: bool = option(False, switch(), "--json", help="print the result as JSON on standard output")
    quiet: bool = option(False, switch(), "--quiet", "-q", help="print errors only", own=always)
    stats: bool = option(False, switch(), "--stats", help="also print the time of each stage", own=always)
