"""Keep the C libraries from writing to the terminal: rtswap says itself what went wrong, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV's own log (probing cameras, damaged pictures) is silent inside. The level is process-wide."""
    log = cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def quiet_ffmpeg() -> None:
    """From now on FFmpeg's log shows only what ends the process. Errors still come as exceptions."""
    import av.logging

    av.logging.set_libav_level(av.logging.PANIC)
