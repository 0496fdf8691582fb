"""Decode video on an NVIDIA GPU (NVDEC) with PyAV; failures are returned as a reason, not raised."""

from __future__ import annotations

from pathlib import Path

import av
import av.container
from av.codec.hwaccel import HWAccel, hwdevices_available

from rtswap.core.errors import reason
from rtswap.core.memory import lift_memory_limit
from rtswap.media.containers import open_media
from rtswap.media.decoding import video_stream

DEVICE = "cuda"


def open_on_gpu(path: Path) -> tuple[av.container.InputContainer | None, str]:
    """Open a file for decoding on the GPU into host memory. Returns (container, ""), or (None, reason)."""
    if DEVICE not in hwdevices_available():
        return None, "this FFmpeg was built without NVIDIA GPU decoders"
    lift_memory_limit()
    try:
        container = open_media(str(path.absolute()), hwaccel=HWAccel(DEVICE)).container
    except (OSError, ValueError, RuntimeError, av.FFmpegError) as error:
        return None, f"cannot open an NVIDIA GPU decoder ({reason(error)})"
    stream = video_stream(container)
    if stream is None or not stream.codec_context.is_hwaccel:
        codec = f" for {stream.codec_context.name}" if stream is not None else ""
        container.close()
        return None, f"the GPU has no decoder{codec}"
    return container, ""
