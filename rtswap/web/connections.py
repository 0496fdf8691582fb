"""WebRTC with aiortc: a browser's camera in, marked pictures out. Only this file and ``low_delay`` know aiortc.

No STUN server is asked for anything, and a studio on the loopback device meets nobody but this machine.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from aiortc import (
    MediaStreamError,
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError

from rtswap.core.errors import UsageError, reason
from rtswap.core.types import Image, MarkedImage
from rtswap.media.live_sound import Heard, LiveSound
from rtswap.media.sound import check_length
from rtswap.web.browser_camera import BrowserCamera
from rtswap.web.low_delay import CLOCK, set_low_delay
from rtswap.web.studio import Studio
from rtswap.web.viewer import View, Viewer, Watcher

MOST_PEERS = 8
SOUND_CLOCK, SOUND_S = 48_000, 0.005
"""Samples a second of Opus; seconds between two looks for new sound."""
OLD_SOUND_S = 0.25
ANSWER_S, CONNECT_S = 10.0, 20.0
BROKEN = (
    *(ValueError, LookupError, AttributeError, AssertionError, TypeError, OverflowError, OSError),
    *(InternalError, InvalidAccessError, InvalidStateError, RuntimeError),
)
"""What aiortc raises for an offer that is none. A codec without its name is a RuntimeError: StopIteration within."""


class Connections:
    """The WebRTC connections of one studio. The newest browser that sends its camera is the one that is used."""

    def __init__(self, studio: Studio, *, loopback: bool) -> None:
        """``loopback``: the studio is served on the loopback device alone, and browsers may connect there."""
        set_low_delay(loopback=loopback)
        self._studio = studio
        self._peers: set[RTCPeerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._patience: dict[RTCPeerConnection, asyncio.Task[None]] = {}
        """Wait for a browser to connect."""
        self._camera: RTCPeerConnection | None = None

    async def answer(self, sdp: str) -> dict[str, str]:
        """Answer an offer. Video that it sends becomes the studio's browser camera; what it takes are the marked
        pictures. Raises UsageError."""
        if len(self._peers) >= MOST_PEERS:
            raise UsageError(f"{MOST_PEERS} browsers are connected already", do="Close a page of the studio.")
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peers.add(peer)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._connect(peer, sdp)
        except BROKEN as error:
            await self._drop(peer)
            raise UsageError("this is not a WebRTC offer", got=reason(error)) from None
        except BaseException:
            await self._drop(peer)
            raise
        self._patience[peer] = self._start(self._give_up(peer))
        return {"sdp": peer.localDescription.sdp, "type": peer.localDescription.type}

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(self._drop(peer) for peer in set(self._peers)))
        for task in set(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    @property
    def count(self) -> int:
        """How many browsers are connected."""
        return len(self._peers)

    async def _connect(self, peer: RTCPeerConnection, sdp: str) -> None:
        @peer.on("connectionstatechange")
        async def changed() -> None:
            if peer.connectionState in ("failed", "closed"):
                await self._drop(peer)

        @peer.on("track")
        def began(track: MediaStreamTrack) -> None:
            self._camera = peer
            if track.kind == "video":
                self._start(self._look(peer, track))
            else:
                self._start(self._listen(peer, track))

        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        kinds = {transceiver.kind for transceiver in peer.getTransceivers()}
        if not kinds:
            raise ValueError("neither video nor audio")
        if "video" in kinds:
            peer.addTrack(Pictures(self._studio.viewer))
        if "audio" in kinds:
            peer.addTrack(Sound(self._studio))
        await peer.setLocalDescription(await peer.createAnswer())

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _look(self, peer: RTCPeerConnection, track: MediaStreamTrack) -> None:
        """Pass pictures on while this browser is the newest."""
        camera: BrowserCamera = self._studio.camera
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if self._camera is peer and isinstance(frame, av.VideoFrame):
                    camera.put(frame)
        if self._camera is peer:
            self._camera = None
            if self._studio.running is not None and self._studio.uses_browser:
                self._studio.on_event("the browser's camera is lost; waiting for it")

    async def _listen(self, peer: RTCPeerConnection, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if self._camera is peer and isinstance(frame, av.AudioFrame):
                    self._studio.camera.hear(frame)

    async def _give_up(self, peer: RTCPeerConnection) -> None:
        """Drop a browser that does not connect, so that another can."""
        await asyncio.sleep(CONNECT_S)
        if peer.connectionState != "connected":
            await self._drop(peer)

    async def _drop(self, peer: RTCPeerConnection) -> None:
        if peer in self._peers:
            self._peers.discard(peer)
            waiting = self._patience.pop(peer, None)
            if waiting is not None and waiting is not asyncio.current_task():
                waiting.cancel()
            await peer.close()


class Pictures(MediaStreamTrack):
    """The marked pictures as a video track: each time it is asked, the newest that has not been sent."""

    kind = "video"

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._watcher: Watcher | None = None
        self._sent: MarkedImage | None = None
        self._began = time.perf_counter()

    async def recv(self) -> av.VideoFrame:
        """As ``MediaStreamTrack``; waits while no session runs."""
        if self._sent is not None:  # what was taken before is encoded and sent
            self._viewer.note_sent(self._sent)
            self._sent = None
        if self.readyState != "live":
            raise MediaStreamError
        if self._watcher is None:
            self._watcher = self._viewer.enter(View(adapts=True))
        while (marked := await self._watcher.get()) is None:
            pass  # the session has ended; the next may begin
        self._sent = marked
        frame = await asyncio.to_thread(to_yuv, marked.image)
        frame.pts = round((time.perf_counter() - self._began) * CLOCK)
        frame.time_base = Fraction(1, CLOCK)
        return frame

    def stop(self) -> None:
        """As ``MediaStreamTrack``."""
        if self._watcher is not None:
            self._viewer.leave(self._watcher)
        super().stop()


class Sound(MediaStreamTrack):
    """The sound of whatever session runs: of its clip, stream or browser. It is sent with the pictures that were
    captured with it, which are on their way for longer."""

    kind = "audio"

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._heard: LiveSound | None = None
        self._queue: deque[Heard] = deque()
        self._ready: deque[av.AudioFrame] = deque()
        self._resampler = make_resampler()
        self._began = time.perf_counter()
        self._due = 0

    async def recv(self) -> av.AudioFrame:
        """As ``MediaStreamTrack``; waits while there is none."""
        while not self._ready:
            if self.readyState != "live":
                raise MediaStreamError
            if self._studio.sound is not self._heard:
                self._listen_to(self._studio.sound)
            now = time.perf_counter() - self._studio.viewer.age_s
            if self._queue and self._queue[0][0] <= now:
                self._take(*self._queue.popleft(), now)
            else:
                await asyncio.sleep(SOUND_S)
        return self._ready.popleft()

    def stop(self) -> None:
        """As ``MediaStreamTrack``."""
        self._listen_to(None)
        super().stop()

    def _listen_to(self, sound: LiveSound | None) -> None:
        if self._heard is not None:
            self._heard.leave(self._queue)
        self._heard, self._queue = sound, deque() if sound is None else sound.listen()
        self._resampler = make_resampler()

    def _take(self, at_s: float, frame: av.AudioFrame, now: float) -> None:
        """Put sound on this track's clock, which goes on evenly; old sound is dropped."""
        if at_s < now - OLD_SOUND_S:
            return
        try:
            check_length(frame)
            pieces = self._resampler.resample(frame)
        except (av.FFmpegError, ValueError) as error:  # among them another rate than before
            if self._heard is not None:
                self._heard.report(error)
            self._resampler = make_resampler()
            return
        for own in pieces:
            at = round((at_s - self._began) * SOUND_CLOCK)
            if abs(at - self._due) > OLD_SOUND_S * SOUND_CLOCK:
                self._due = max(self._due, at)
            own.pts, own.time_base = self._due, Fraction(1, SOUND_CLOCK)
            self._due += own.samples
            self._ready.append(own)


def make_resampler() -> av.AudioResampler:
    """Makes pieces of 20 ms, of which each is a packet."""
    return av.AudioResampler(format="s16", layout="stereo", rate=SOUND_CLOCK, frame_size=SOUND_CLOCK // 50)


def to_yuv(image: Image) -> av.VideoFrame:
    """Return a picture as encoders take it. OpenCV takes a quarter of FFmpeg's time, a copy as long again: the frame
    takes OpenCV's memory, at heights of which PyAV drops no rows."""
    height, width = (side & ~1 for side in image.shape[:2])
    planes = cv2.cvtColor(image[:height, :width], cv2.COLOR_BGR2YUV_I420)
    make = av.VideoFrame.from_ndarray if height % 4 else av.VideoFrame.from_numpy_buffer
    return make(np.asarray(planes, np.uint8), format="yuv420p")
