"""Silence OpenCV's, FFmpeg's and SVT-AV1's own logs: rtswap reports errors itself, in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Silence OpenCV's log (camera probing, damaged images) inside the block. The log level is process-wide."""
    log = cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def quiet_ffmpeg() -> None:
    """Set FFmpeg's log level to PANIC for the rest of the process. Errors are still raised as exceptions. SVT-AV1
    prints 20 lines past FFmpeg's log unless the environment says otherwise."""
    import av.logging

    av.logging.set_libav_level(av.logging.PANIC)
    os.environ.setdefault("SVT_LOG", "0")


def described(container: Any) -> str:
    """Return what FFmpeg's log says of an open container, with the tracks that have appeared since it was opened,
    of which PyAV shows nothing else. For the rest of the process FFmpeg's log is silent, as by ``quiet_ffmpeg``."""
    import av.logging

    av.logging.set_level(av.logging.INFO)
    av.logging.set_libav_level(av.logging.INFO)
    try:
        return str(container.dumps_format())
    finally:
        av.logging.set_level(None)
        quiet_ffmpeg()
