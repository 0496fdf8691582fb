"""The camera of a browser as an input: its frames come over WebRTC, from whichever connection is there now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import av

from rtswap.core.errors import InputError
from rtswap.core.types import Frame, StreamInfo
from rtswap.media.decoding import PictureMaker
from rtswap.media.live_sound import LiveSound
from rtswap.runtime.mailbox import Closed, Mailbox

FPS = 30.0
FIRST_PICTURE_S = 15.0
LOST_S = 2.0
"""A camera that sends nothing for so long is lost, until it sends again."""


class BrowserCamera:
    """Takes frames from the event loop and gives them to one session at a time. The connection may break and come
    back: the session then waits, and its outputs get the last picture again."""

    def __init__(self, on_event: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._box: Mailbox[tuple[av.VideoFrame, float]] | None = None
        self._lock = threading.Lock()
        self.sound = LiveSound(on_event)
        self.count = 0
        """How many frames have come."""
        self._newest_at = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether no frame has come for ``LOST_S``."""
        return time.perf_counter() - self._newest_at > LOST_S

    def put(self, frame: av.VideoFrame) -> None:
        """Take a new frame."""
        self.count += 1
        self._newest_at = time.perf_counter()
        with self._lock:
            box = self._box
        if box is not None:
            with suppress(Closed):
                box.put((frame, time.perf_counter()))

    def hear(self, frame: av.AudioFrame) -> None:
        """Take new sound."""
        self.sound.take(frame, time.perf_counter() - frame.samples / frame.sample_rate)

    def cancel(self) -> None:
        """End the input that was opened, or the wait for it."""
        with self._lock:
            if self._box is not None:
                self._box.close()

    def opened(self) -> BrowserInput:
        """Begin a session's input: waits for the first frame. Raises InputError if none comes."""
        box: Mailbox[tuple[av.VideoFrame, float]] = Mailbox(1, newest_wins=True)
        with self._lock:
            self._box = box
        try:
            first = box.get(FIRST_PICTURE_S)
        except (TimeoutError, Closed) as why:
            got = "an end" if isinstance(why, Closed) else f"nothing for {FIRST_PICTURE_S:g} s"
            do = "Allow the page to use the camera, and keep it open."
            raise InputError("no picture came from the browser", got=got, do=do) from None
        return BrowserInput(box, first, self.sound, self._on_event)


class BrowserInput:
    """Implements ``protocols.Input``."""

    def __init__(
        self,
        box: Mailbox[tuple[av.VideoFrame, float]],
        first: tuple[av.VideoFrame, float],
        sound: LiveSound,
        on_event: Callable[[str], None],
    ) -> None:
        self._box, self._first = box, first
        self._pictures = PictureMaker(None, on_event)
        frame = first[0]
        self._info = StreamInfo(frame.width, frame.height, FPS, live=True, live_sound=sound)

    @property
    def info(self) -> StreamInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        index, item = 0, self._first
        while True:
            frame, captured_at = item
            yield Frame(self._pictures.to_image(frame), index, captured_at)
            index += 1
            try:
                item = self._box.get()
            except Closed:
                return

    def close(self) -> None:
        self._box.close()
