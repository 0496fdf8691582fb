"""The output that the studio's viewers watch: each gets the newest marked picture, in the form and as often as it
takes it. No picture is copied or scaled that nobody waits for."""

from __future__ import annotations

import asyncio
import copy
import math
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

from rtswap.core.types import MarkedImage, Quality
from rtswap.runtime.background import background
from rtswap.runtime.budget import Budget

JPEG_QUALITY = 88
"""The invisible mark survives far less; see docs/watermark.md."""
SHARES = (1.0, 0.75, 0.5)
"""How large the picture is that is sent to browsers, while it takes longer than ``TARGET_S`` from capture to being
sent."""
TARGET_S = 0.1
AGE_WEIGHT, MOST_AGE_S = 0.1, 0.5
"""Of a picture in the mean age; sound waits no longer for pictures."""
MOST_WIDTHS = 4
"""Of pictures that watchers share; more are made anew for each."""
Size = tuple[int, int]


class View(NamedTuple):
    """The form in which a watcher takes pictures."""

    width: int = 0
    """At most so many pixels; 0: as it is."""
    adapts: bool = False
    """Smaller if the machine is slow."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest picture's figures."""

    size: Size
    """Width, height."""
    covered: int
    reasons: frozenset[str]


class Watcher:
    """Somebody who watches. Used in the event loop, except for ``wants``."""

    def __init__(self, view: View, fps: float) -> None:
        self.view, self._period_s = view, 1 / fps
        self._due = 0.0
        self._came = asyncio.Event()
        self._picture: MarkedImage | None = None

    def wants(self, now: float) -> bool:
        """Whether it takes a picture now: not before one is due, and in place of a waiting one only if its view
        adapts."""
        return now >= self._due and (self._picture is None or self.view.adapts)

    def put(self, picture: MarkedImage | None) -> None:
        """Give it a picture; None: the session has ended."""
        self._picture = picture
        now = time.perf_counter()
        self._due = max(self._due + self._period_s, now - self._period_s)
        self._came.set()

    async def get(self) -> MarkedImage | None:
        """Wait for the next; None at the end of a session."""
        await self._came.wait()
        self._came.clear()
        picture, self._picture = self._picture, None
        return picture


class Viewer:
    """Implements ``protocols.Output`` for any number of watchers. It outlives sessions: ``end`` forgets the last
    one's picture. ``send`` is called in a sender's thread, everything else in the event loop."""

    name = "studio"

    def __init__(self, loop: asyncio.AbstractEventLoop, on_event: Callable[[str], None] = lambda text: None) -> None:
        self._loop, self._on_event = loop, on_event
        self._watching: tuple[Watcher, ...] = ()
        self._jpegs: dict[int, tuple[MarkedImage, asyncio.Future[bytes]]] = {}
        self._encoding = background("rtswap-preview")
        self._budget = make_budget()
        self.age_s = 0.0
        """How long pictures take from capture to being sent to browsers, smoothed; 0 while none are."""
        self.seen: Seen | None = None
        """None if no session runs or no picture has come yet."""

    def send(self, image: MarkedImage) -> None:
        """As ``protocols.Output``: makes each view that a watcher waits for, once."""
        now = time.perf_counter()
        views = {one.view for one in self._watching if one.wants(now)}
        made = {view: self._make(image, view) for view in views}
        height, width = image.image.shape[:2]
        seen = Seen((width, height), image.covered, image.reasons)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, seen, made)

    def close(self) -> None:
        """Nothing to finish."""

    def end(self) -> None:
        """Forget the picture; watchers see no other until the next session."""
        self.seen, self._budget, self.age_s = None, make_budget(), 0.0
        self._jpegs.clear()
        for watcher in self._watching:
            watcher.put(None)

    def stop(self) -> None:
        """End the thread that encodes."""
        self._encoding.shutdown(wait=False, cancel_futures=True)

    @property
    def watchers(self) -> int:
        """The number of watchers."""
        return len(self._watching)

    @property
    def share(self) -> float:
        """Side of the picture that is sent to browsers, as a share of the whole."""
        return SHARES[self._budget.level]

    def note_sent(self, picture: MarkedImage) -> None:
        """Note that a picture of an adapting view has just been sent: if that is late, the next are smaller."""
        before, age_s = self.share, time.perf_counter() - picture.captured_at
        self._budget.observe(age_s)
        self.age_s += AGE_WEIGHT * (min(age_s, MOST_AGE_S) - self.age_s)
        if self.share != before:
            self._on_event(f"pictures go to browsers at {self.share:.0%} of their size, for speed")

    def enter(self, view: View, fps: float = 60.0) -> Watcher:
        """Begin to watch, at most ``fps`` pictures a second. ``leave`` ends it."""
        watcher = Watcher(view, fps)
        self._watching = (*self._watching, watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Watch no longer."""
        self._watching = tuple(one for one in self._watching if one is not watcher)

    async def watch(self, view: View, fps: float = 60.0) -> AsyncGenerator[MarkedImage, None]:
        """Yield pictures as they come, without those for which there was no time. Ends with the session, if there is
        one."""
        watcher, begun = self.enter(view, fps), False
        try:
            while True:
                picture = await watcher.get()
                if picture is not None:
                    begun = True
                    yield picture
                elif begun:
                    return
        finally:
            self.leave(watcher)

    async def jpeg(self, picture: MarkedImage, width: int = 0) -> bytes:
        """Return a picture as JPEG. Watchers of one ``width`` share the work, which has the lowest priority."""
        held = self._jpegs.get(width)
        if held is None or held[0] is not picture:
            held = picture, self._loop.run_in_executor(self._encoding, partial(encode_jpeg, picture))
            self._jpegs = {**(self._jpegs if len(self._jpegs) < MOST_WIDTHS else {}), width: held}
        return await asyncio.shield(held[1])

    def _make(self, marked: MarkedImage, view: View) -> MarkedImage:
        share = self.share if view.adapts else 1.0
        own = resize(marked, view.width, share)
        return copy.deepcopy(marked) if own is marked else own  # the pipeline may use its memory again

    def _take(self, seen: Seen, made: dict[View, MarkedImage]) -> None:
        self.seen = seen
        for watcher in self._watching:
            if (picture := made.get(watcher.view)) is not None and watcher.wants(time.perf_counter()):
                watcher.put(picture)


def make_budget() -> Budget:
    """Chooses among ``SHARES``."""
    return Budget(TARGET_S, levels=[Quality(level=number) for number in range(len(SHARES))])


def resize(marked: MarkedImage, width: int = 0, share: float = 1.0) -> MarkedImage:
    """Return a marked picture with at most ``width`` pixels across (0: all), and this share of them; larger where its
    mark would be lost."""
    height, whole = marked.image.shape[:2]
    least = math.ceil(whole * marked.least_scale)
    wide = max(round(min(width or whole, whole) * share), least)
    if wide == whole:
        return marked
    size = wide, max(1, round(height * wide / whole))
    return replace(marked, image=np.asarray(cv2.resize(marked.image, size, interpolation=cv2.INTER_AREA), np.uint8))


def encode_jpeg(marked: MarkedImage) -> bytes:
    """Return a marked picture as JPEG."""
    return bytes(cv2.imencode(".jpg", marked.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
