"""The output that the studio's viewers watch: it keeps the newest marked picture, and wakes who waits for it."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator

import cv2
import numpy as np

from rtswap.core.types import MarkedImage

JPEG_QUALITY = 88
"""The invisible mark survives far less; see docs/watermark.md."""


class Viewer:
    """Implements ``protocols.Output`` for any number of watchers, who each take the newest picture when they can.
    It outlives sessions: ``end`` forgets the last one's picture. ``send`` is called in a sender's thread, everything
    else in the event loop."""

    name = "studio"

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._came = asyncio.Event()
        self._newest: MarkedImage | None = None
        self._number = 0
        self._jpeg: tuple[MarkedImage, int, asyncio.Task[bytes]] | None = None
        self.watchers = 0

    def send(self, image: MarkedImage) -> None:
        """As ``protocols.Output``."""
        own = copy.deepcopy(image)  # the pipeline may use its memory again
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, own)

    def close(self) -> None:
        """Nothing to finish."""

    def end(self) -> None:
        """Forget the picture; watchers see no other until the next session."""
        self._take(None)

    @property
    def newest(self) -> MarkedImage | None:
        """The newest picture; None if no session runs or none has come yet."""
        return self._newest

    async def watch(self, fps: float = 60.0) -> AsyncIterator[MarkedImage]:
        """Yield pictures as they come, at most ``fps`` a second, without those for which there was no time. Ends with
        the session, if there is one."""
        self.watchers += 1
        seen, due = 0, 0.0
        try:
            while True:
                while self._number == seen:
                    await self._came.wait()
                if (wait_s := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait_s)
                marked, ended = self._newest, seen > 0
                seen = self._number
                if marked is not None:
                    due = max(due + 1 / fps, time.perf_counter() - 1 / fps)
                    yield marked
                elif ended:
                    return
        finally:
            self.watchers -= 1

    async def jpeg(self, marked: MarkedImage, width: int = 0) -> bytes:
        """Return the picture as JPEG, at most ``width`` wide (0: as it is). Watchers share the work."""
        if self._jpeg is None or self._jpeg[0] is not marked or self._jpeg[1] != width:
            task = asyncio.create_task(asyncio.to_thread(encode_jpeg, marked, width))
            self._jpeg = marked, width, task
        return await asyncio.shield(self._jpeg[2])

    def _take(self, marked: MarkedImage | None) -> None:
        self._newest, self._number = marked, self._number + 1
        came, self._came = self._came, asyncio.Event()
        came.set()


def encode_jpeg(marked: MarkedImage, width: int = 0) -> bytes:
    """Return a marked picture as JPEG, at most ``width`` wide (0: as it is)."""
    image = marked.image
    if 0 < width < image.shape[1]:
        size = width, max(1, round(image.shape[0] * width / image.shape[1]))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
